"""Requests to servers of this machine, which have no certificates and no proxy before them."""

import ssl
from functools import partial
from typing import Final

import httpx

from tests.support.patience import PATIENCE_SECONDS

# It trusts nobody: to load whom the world trusts takes longer than most requests.
_NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

request: Final = partial(httpx.request, trust_env=False, verify=_NOBODY, timeout=PATIENCE_SECONDS)
get: Final = partial(httpx.get, trust_env=False, verify=_NOBODY, timeout=PATIENCE_SECONDS)
post: Final = partial(httpx.post, trust_env=False, verify=_NOBODY, timeout=PATIENCE_SECONDS)
