"""Explains to an account why requests with its keys pass or not, behind the authorizer."""

import os

from keyscope.entry.explanation import explanation_handler

handler = explanation_handler(os.environ)
