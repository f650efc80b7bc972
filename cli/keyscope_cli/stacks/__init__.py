"""What `deploy` and `destroy` do with AWS: artifacts, their bucket, change sets, stacks."""
