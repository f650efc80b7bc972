"""Why a request is allowed or refused, step by step.

May import `lifecycle` and the rooms below it. Start with `explanation`; `remedies` recommends
what to do. No authorizer imports this room.
"""
