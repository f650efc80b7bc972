"""What each scope can reach: the rules in a file, and the policy that API Gateway applies.

May import `model`. Start with `scopes.toml`, then `access_map`, which reads it, then `policy`.
"""
