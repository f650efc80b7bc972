"""API Gateway on this machine: what AWS documents, and settings for what it leaves open.

May import `local.emulators` and `local.template`. Start with `gateway`.
"""
