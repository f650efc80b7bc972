"""Flushes the authorizer caches of the stack's APIs, once for each batch of FlushQueue."""

import os

from keyscope.entry.cache_flush import cache_flush_handler

handler = cache_flush_handler(os.environ)
