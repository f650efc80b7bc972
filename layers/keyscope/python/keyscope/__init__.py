"""Scoped API keys for Amazon API Gateway: a key's owner determines what the key can reach.

Data flows one way: event -> credential -> key record -> principal -> access -> policy -> answer.
`keyscope.authorize.pipeline` is the pipeline. Only `keyscope.aws` and `keyscope.entry` import an
AWS SDK.
"""
