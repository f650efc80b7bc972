"""Adapters: the only modules of the package that import the AWS SDK or Powertools."""
