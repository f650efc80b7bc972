"""What to do about a refusal or a failure: one remedy for each cause inside a reason.

Start with `remedy`. A remedy is a fixed text, so it cannot contain a secret.
"""
