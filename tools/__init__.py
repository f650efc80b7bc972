"""Builds the project's documents. Nothing here runs in Lambda or on a user's machine."""
