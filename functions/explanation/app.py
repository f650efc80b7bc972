"""Explains to an account why requests with its keys pass or not, behind the authorizer."""

import os

from keyscope.aws.management.explanation_bootstrap import explanation_handler

handler = explanation_handler(os.environ)
