"""The management API: apps, app keys and service accounts, behind the authorizer."""

import os

from keyscope.entry.management import management_handler

handler = management_handler(os.environ)
