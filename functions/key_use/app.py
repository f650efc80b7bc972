"""Records when keys were last used, from the lines that the authorizers write about it."""

import os

from keyscope.entry.key_use import key_use_handler

handler = key_use_handler(os.environ)
