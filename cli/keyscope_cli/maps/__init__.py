"""Access maps as code: what a map decides, what tests expect of it, and what a change does.

Every decision comes from the policy that an authorizer would return, evaluated as IAM evaluates it.
"""
