"""Where functions start: settings, and one module per function that assembles its parts.

May import every other room; only `functions/` and tools import it. Start with `authorizer`.
"""
