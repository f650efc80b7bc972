"""Signature Version 4 of a POST to `/` without a query.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from keyscope.aws.lean.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"


class Place(NamedTuple):
    """The place that a signature is valid for."""

    region: str
    service: str


def signed(
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    place: Place,
    now: float,
) -> dict[str, str]:
    """Return the headers of a request with its date, session token and signature.

    The names of `headers` are in lower case, and `host` is one of them. `now` is in seconds since
    the epoch.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    to_sign = {**headers, "x-amz-date": moment}
    if credentials.token:
        to_sign["x-amz-security-token"] = credentials.token
    names = sorted(to_sign)
    lines = [f"{name}:{' '.join(to_sign[name].split())}" for name in names]
    signed_names = ";".join(names)
    request = "\n".join(["POST", "/", "", *lines, "", signed_names, sha256(body).hexdigest()])
    scope = f"{moment[:8]}/{place.region}/{place.service}/aws4_request"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    to_sign["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={signed_names}, Signature={signature}"
    )
    return to_sign
