"""Records when keys were last used, from the authorizers' log lines."""

import os

from keyscope.entry.key_use import key_use_handler

handler = key_use_handler(os.environ)
