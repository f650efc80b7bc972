"""Lambda authorizer of HTTP APIs, payload format 2.0."""

import os

from keyscope.aws.start import without_garbage_collection

with without_garbage_collection():
    from keyscope.aws.bootstrap import authorizer_handler
    from keyscope.event import read_http_event

    handler = authorizer_handler("http_authorizer", read_http_event, os.environ)
