"""A client for the two calls that decide a request: DynamoDB's `GetItem` and KMS's `Decrypt`.

Standard library only, because botocore takes two thirds of an authorizer's start. It knows the
common case; for every other setting, `settings` names the one that calls for botocore. May import
`keyscope.aws.calls` and `keyscope.aws.deadline`. Start with `client`.
"""
