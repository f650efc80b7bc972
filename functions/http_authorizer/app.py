"""Lambda authorizer of HTTP APIs, payload format 2.0."""

import os

from keyscope.entry.start import without_garbage_collection

with without_garbage_collection():
    from keyscope.authorize.event import read_http_event
    from keyscope.entry.authorizer import authorizer_handler

    handler = authorizer_handler("http_authorizer", read_http_event, os.environ)
