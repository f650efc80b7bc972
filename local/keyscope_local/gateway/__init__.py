"""API Gateway on this machine: what AWS documents, and settings for what it leaves open.

May import `keyscope_local.emulators` and `keyscope_local.template`. Start with `gateway`.
"""
