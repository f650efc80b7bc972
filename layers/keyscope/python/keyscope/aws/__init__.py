"""Adapters to AWS: DynamoDB, KMS, EventBridge, SQS and logs behind the ports of the core.

May import every room of the core; only `entry` imports it. Start with `clients` and `dynamodb`.
"""
