"""The import of accounts and apps: the file of tenants, the file of secrets, and the work."""
