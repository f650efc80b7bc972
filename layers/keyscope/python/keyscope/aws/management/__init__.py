"""The management API over HTTP: Powertools routes and validates, pydantic describes the bodies."""
