"""The two tables: items, reads and transactions. No other room uses DynamoDB's names.

May import what `keyscope.aws` may. Start with `key_table`, the authorizers' only read.
"""
