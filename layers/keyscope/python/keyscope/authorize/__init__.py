"""The authorizer's work: from an event to a decision and the response for API Gateway.

May import `access` and `model`, and no AWS SDK. Start with `pipeline`, which calls the rest.
"""
