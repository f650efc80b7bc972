"""Requests to servers of this machine, which have no certificates and no proxy before them."""

import ssl
from functools import partial
from typing import Final

import httpx

from tests.support.patience import PATIENCE_SECONDS

# Loading the certificate authorities takes longer than most requests.
_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

request: Final = partial(
    httpx.request, trust_env=False, verify=_NO_AUTHORITIES, timeout=PATIENCE_SECONDS
)
get: Final = partial(httpx.get, trust_env=False, verify=_NO_AUTHORITIES, timeout=PATIENCE_SECONDS)
post: Final = partial(httpx.post, trust_env=False, verify=_NO_AUTHORITIES, timeout=PATIENCE_SECONDS)
