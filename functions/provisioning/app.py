"""Creates accounts and their account-scope keys; only IAM callers can invoke it."""

import os

from keyscope.entry.provisioning import provisioning_handler

handler = provisioning_handler(os.environ)
