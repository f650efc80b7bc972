"""Warns of keys that are about to expire, once a day."""

import os

from keyscope.entry.expiry_sweep import expiry_sweep_handler

handler = expiry_sweep_handler(os.environ)
