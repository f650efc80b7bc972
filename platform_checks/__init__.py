"""The canary: checks on API Gateway itself what AWS does not document about it."""
