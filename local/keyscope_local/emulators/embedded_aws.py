"""DynamoDB, KMS and SQS inside this process: moto, called over HTTP like AWS itself.

The gateway, the runtime emulator and `sam local invoke` all find it through the environment
variables of `EmbeddedAws.environment`. It keeps everything in memory, so nothing outlives the run.
moto's conditional writes are not reliable under concurrency; where that matters, use DynamoDB
Local. If `AWS_ENDPOINT_URL_DYNAMODB` is set, the tables are created there.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

import httpx
from moto.core.common_models import BaseModel
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)
from werkzeug.wrappers import Request, Response

from keyscope_local.emulators.listening_program import LOOPBACK
from keyscope_local.emulators.moto_server import moto_server
from keyscope_local.emulators.moto_speed import make_moto_fast
from keyscope_local.emulators.queues import create_queues
from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION, create_tables, local_client
from keyscope_local.template.stack import Stack

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DYNAMODB_ENDPOINT_VARIABLE: Final = "AWS_ENDPOINT_URL_DYNAMODB"
KMS_KEY_VARIABLE: Final = "KEYSCOPE_KMS_KEY_ARN"

_T = TypeVar("_T")

RESET_SECONDS: Final = 60
"""In seconds. A full store takes a while to empty on a busy machine."""

_running: list[str] = []
_turn = Lock()


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    """A running embedded AWS.

    `environment` overrides a function's own environment: endpoints, region, dummy credentials, and
    the key that encrypts secrets, whose id no template can know.
    """

    endpoint_url: str
    kms_key_arn: str
    environment: Mapping[str, str]


class _KmsClient(Protocol):
    def create_key(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...


@contextmanager
def embedded_aws(stack: Stack) -> Iterator[EmbeddedAws]:
    """Run it on a free port of 127.0.0.1 with the stack's tables, queues and key.

    moto has one store per process, so two embedded AWSs at the same time share their tables and
    queues. The store is emptied when the last one stops.
    """
    with _moto_server() as endpoint_url:
        dynamodb_url = os.environ.get(DYNAMODB_ENDPOINT_VARIABLE, endpoint_url)
        create_tables(stack, dynamodb_url)
        create_queues(stack, endpoint_url)
        kms = cast("_KmsClient", local_client("kms", endpoint_url))
        key = kms.create_key(Description="Seals the secrets of a local run")
        kms_key_arn = key["KeyMetadata"]["Arn"]
        yield EmbeddedAws(
            endpoint_url=endpoint_url,
            kms_key_arn=kms_key_arn,
            environment={
                **DUMMY_CREDENTIALS,
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": endpoint_url,
                DYNAMODB_ENDPOINT_VARIABLE: dynamodb_url,
                KMS_KEY_VARIABLE: kms_key_arn,
            },
        )


def _untracked(cls: type[_T], *_: object, **__: object) -> _T:
    return object.__new__(cls)


def _without_browsers(app: "WSGIApplication") -> "WSGIApplication":
    """Reject requests from web pages: moto checks no signature, and allows any origin.

    A page reaches this machine through a host name of its own (DNS rebinding), a script, whose
    requests have an `Origin`, or an image, whose requests have `Sec-Fetch-Site`. AWS clients send
    neither.
    """

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        headers = Request(environ).headers
        is_local = headers.get("Host", "").partition(":")[0] == LOOPBACK
        if is_local and "Origin" not in headers and "Sec-Fetch-Site" not in headers:
            return app(environ, start)
        return Response("Only AWS clients on this machine are allowed.\n", 403)(environ, start)

    return answer


@contextmanager
def _moto_server() -> Iterator[str]:
    # For its dashboard, moto keeps a reference to every model ever created, so each item that a
    # query returns would stay in memory until the run ends.
    BaseModel.__new__ = _untracked  # type: ignore[method-assign]
    make_moto_fast()
    # Otherwise, the server would print every request among the run's own lines.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app = _without_browsers(DomainDispatcherApplication(create_backend_app))
    with moto_server(LOOPBACK, app) as endpoint_url:
        with _turn:
            _running.append(endpoint_url)
        try:
            yield endpoint_url
        finally:
            with _turn:
                _running.remove(endpoint_url)
                if not _running:
                    reset = f"{endpoint_url}/moto-api/reset"
                    httpx.post(reset, trust_env=False, timeout=RESET_SECONDS).raise_for_status()
