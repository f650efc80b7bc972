"""AWS on this machine: tables, keys, queues and the Lambda runtime.

May import `keyscope_local.template`. Start with `embedded_aws`.
"""
