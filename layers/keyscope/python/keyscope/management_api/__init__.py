"""The management API over HTTP: Powertools routes requests, pydantic validates their bodies.

May import `lifecycle`, `explain` and the rooms below them, and no AWS SDK. Start with `api`.
"""
