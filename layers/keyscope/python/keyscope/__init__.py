"""API keys whose owner decides their scope, enforced by Amazon API Gateway.

Data flows one way: event -> credential -> key record -> principal -> access -> policy -> answer.
`keyscope.authorize.pipeline` is the pipeline; `keyscope.aws` holds the only modules that import an
AWS SDK.
"""
