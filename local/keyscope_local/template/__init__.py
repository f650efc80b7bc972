"""The SAM template as a stack: its resources, their properties and the functions' code.

Imports no other room of `local`. Start with `stack`.
"""
