"""Lambda authorizer of REST APIs (TOKEN and REQUEST events) and of WebSocket APIs ($connect)."""

import os

from keyscope.entry.start import without_garbage_collection

with without_garbage_collection():
    from keyscope.authorize.event import read_rest_event
    from keyscope.entry.authorizer import authorizer_handler

    handler = authorizer_handler("rest_authorizer", read_rest_event, os.environ)
