"""AWS on this machine: tables, keys, queues and the Lambda runtime.

May import `local.template`. Start with `embedded_aws`.
"""
