"""The client: signs, sends, retries, and reads what comes back."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from random import random
from typing import Any, NamedTuple, cast

from keyscope.aws.calls import THROTTLING_CODES, NoAnswer, ServiceError
from keyscope.aws.deadline import CallTime, Deadlines
from keyscope.aws.lean.answers import item_of, members_of, plaintext_of
from keyscope.aws.lean.connection import Connections, Request
from keyscope.aws.lean.credentials import (
    ContainerCredentials,
    Credentials,
    environment_credentials,
)
from keyscope.aws.lean.endpoint import Endpoint, endpoint_of, region_of
from keyscope.aws.lean.settings import require_known
from keyscope.aws.lean.sigv4 import Place, signed
from keyscope.aws.lean.trust import trusting_context

PAUSE_SECONDS = 0.5
"""The longest pause before the second attempt."""
MAX_SKEW_SECONDS = 240
"""The difference from AWS's clock, in seconds, that AWS certainly accepts."""

_PASSING_STATUSES = frozenset({500, 502, 503, 504})
_PASSING_CODES = THROTTLING_CODES | {"ThrottledException", "TooManyRequestsException"}
_SKEW_CODES = frozenset(
    {
        "AuthFailure",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)


class _Service(NamedTuple):
    connections: Connections
    place: Place


class LeanClient:
    """DynamoDB's `GetItem` and KMS's `Decrypt`, each with two attempts within a call's time.

    Threads may share it. `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        deadlines: Deadlines,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """Read the settings, and connect to nothing yet.

        Raises:
            UnknownSetting: the environment asks for something that only botocore can do.
        """
        require_known(environment)
        region = region_of(environment)
        self._deadlines = deadlines
        self._clock = clock
        self._sleep = sleep
        self._pause_seconds = pause_seconds
        self._context = cache(lambda: trusting_context(environment))
        self._skew_seconds = 0.0
        self._dynamodb, self._kms = (
            _Service(self._connections(endpoint_of(name, region, environment)), Place(region, name))
            for name in ("dynamodb", "kms")
        )
        held = environment_credentials(environment)
        self._container: ContainerCredentials | None = None
        self._credentials: Callable[[CallTime], Credentials]
        if held is None:
            self._container = ContainerCredentials(environment, self._connections, clock)
            self._credentials = self._container.get
        else:
            self._credentials = lambda _: held

    def get_item(self, **request: object) -> dict[str, Any]:
        """Read one item; the request must contain no bytes."""
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.GetItem",
        }
        return item_of(self._call(self._dynamodb, headers, request))

    def decrypt(self, **request: object) -> dict[str, Any]:
        """Decrypt a ciphertext."""
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "TrentService.Decrypt",
        }
        request["CiphertextBlob"] = b64encode(cast("bytes", request["CiphertextBlob"])).decode()
        return plaintext_of(self._call(self._kms, headers, request))

    def close(self) -> None:
        """Close the connections and forget the credentials that an endpoint gave."""
        self._dynamodb.connections.close()
        self._kms.connections.close()
        if self._container is not None:
            self._container.forget()

    def _connections(self, endpoint: Endpoint) -> Connections:
        context = self._context() if endpoint.is_secure else None
        return Connections(endpoint, self._deadlines, context)

    def _call(self, to: _Service, headers: Mapping[str, str], request: object) -> dict[str, Any]:
        body = json.dumps(request).encode()
        call = self._deadlines.begin_call()
        try:
            return self._attempt(to, headers, body, call, fresh=False)
        except (ServiceError, NoAnswer) as error:
            self._make_ready_again(error, call)
        return self._attempt(to, headers, body, call, fresh=True)

    def _attempt(
        self, to: _Service, headers: Mapping[str, str], body: bytes, call: CallTime, *, fresh: bool
    ) -> dict[str, Any]:
        signed_headers = signed(
            {**headers, "host": to.connections.authority},
            body,
            self._credentials(call),
            to.place,
            self._clock() + self._skew_seconds,
        )
        request = Request("POST", "/", {**signed_headers, "user-agent": "keyscope"}, body)
        return members_of(to.connections.exchange(request, call, fresh=fresh))

    def _make_ready_again(self, error: ServiceError | NoAnswer, call: CallTime) -> None:
        """Wait for the second attempt, or raise the error if that would not help."""
        if isinstance(error, ServiceError):
            if self._corrects_clock(error):
                return
            if error.status not in _PASSING_STATUSES and error.code not in _PASSING_CODES:
                raise error
        pause = random() * self._pause_seconds  # noqa: S311 - not for security
        if pause >= call.left():
            raise error
        self._sleep(pause)

    def _corrects_clock(self, error: ServiceError) -> bool:
        """Take over AWS's clock if the error comes from a difference to it."""
        if error.code not in _SKEW_CODES:
            return False
        try:
            skew = parsedate_to_datetime(error.date).timestamp() - self._clock()
        except (ValueError, OverflowError):
            return False
        if abs(skew - self._skew_seconds) < MAX_SKEW_SECONDS:
            return False
        self._skew_seconds = skew
        return True
