"""Lambda authorizer of REST APIs (TOKEN and REQUEST events) and of WebSocket APIs ($connect)."""

import os

from keyscope.aws.start import without_garbage_collection

with without_garbage_collection():
    from keyscope.aws.bootstrap import authorizer_handler
    from keyscope.event import read_rest_event

    handler = authorizer_handler("rest_authorizer", read_rest_event, os.environ)
