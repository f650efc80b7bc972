"""Warns once a day about keys that expire soon."""

import os

from keyscope.entry.expiry_sweep import expiry_sweep_handler

handler = expiry_sweep_handler(os.environ)
