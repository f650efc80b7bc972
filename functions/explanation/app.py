"""Explains why requests with an account's keys are allowed or denied, behind the authorizer."""

import os

from keyscope.entry.explanation import explanation_handler

handler = explanation_handler(os.environ)
