"""Where functions start: settings, and one module per function that puts its parts together.

May import every other room; only `functions/` and tools import it. Start with `authorizer`.
"""
