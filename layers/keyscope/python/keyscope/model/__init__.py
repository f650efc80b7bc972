"""The values that every room shares: ids, scopes, principals, secrets and key records.

May import `keyscope.errors` only. Start with `ids`, which shows how ids nest, then `key_record`.
"""
