"""The canary: what AWS does not document of API Gateway, asked of API Gateway itself."""
