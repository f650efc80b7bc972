"""Clients of AWS, made once per container, with bounded waits."""

import json
from binascii import crc32
from collections.abc import Mapping
from functools import cache
from logging import INFO, getLogger
from threading import Lock
from typing import Any, Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

# Two attempts at most, of at most 0.5 s to connect and 1 s for each read of the socket. For the
# authorizers deadline.py bounds the whole call.
_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=1,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)

# What changes something gives up later than an authorizer: a write that timed out may be done, and
# then a key's secret is lost. Two attempts, of at most 1 s to connect and 4 s for each read.
_WRITER_CONFIG = Config(
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)

# Nobody waits for a flush, and API Gateway's control plane throttles: three attempts, of at most
# 1 s to connect and 2 s for each read. With the pauses between them that is 12 s.
_CONTROL_PLANE_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
)

# On the path of the authorizers what is sent is typed and known; each call saves some CPU.
# botocore otherwise checks each value, and composes its name anew for each request.
_LEAN = Config(parameter_validation=False, user_agent="keyscope")

_FIRST_STATUS_OF_NO_SUCCESS = 300

THROTTLING_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)
"""Error codes of throttled calls (API references of DynamoDB and KMS)."""

_turn = Lock()

# At DEBUG botocore logs requests and answers whole, with what KMS seals and opens. It would follow
# the root logger, whose level is Lambda's log level (AWS_LAMBDA_LOG_LEVEL).
getLogger("botocore").setLevel(INFO)


class ItemReader(Protocol):
    """What the authorizers use of DynamoDB; botocore ships no types."""

    def get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read one item."""
        ...


class DynamoDbClient(ItemReader, Protocol):
    """The operations of DynamoDB that are used."""

    def close(self) -> None:
        """Close the connections; the next call opens another."""
        ...

    def query(self, **kwargs: object) -> dict[str, Any]:
        """Read the items of one partition."""
        ...

    def batch_get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read several items."""
        ...

    def transact_write_items(self, **kwargs: object) -> dict[str, Any]:
        """Write several items, all or none."""
        ...


class Decrypter(Protocol):
    """What the authorizers use of KMS."""

    def decrypt(self, **kwargs: object) -> dict[str, Any]:
        """Decrypt what `encrypt` returned."""
        ...


class KmsClient(Decrypter, Protocol):
    """The operations of KMS that are used."""

    def close(self) -> None:
        """Close the connections; the next call opens another."""
        ...

    def encrypt(self, **kwargs: object) -> dict[str, Any]:
        """Encrypt up to 4,096 bytes."""
        ...


class SqsClient(Protocol):
    """The operations of SQS that are used."""

    def send_message(self, **kwargs: object) -> dict[str, Any]:
        """Send one message."""
        ...

    def send_message_batch(self, **kwargs: object) -> dict[str, Any]:
        """Send up to ten messages; the answer names those that failed."""
        ...


class EventsClient(Protocol):
    """The operations of EventBridge that are used."""

    def put_events(self, **kwargs: object) -> dict[str, Any]:
        """Send up to ten events; the answer tells which were not taken."""
        ...


class ApiGatewayClient(Protocol):
    """The operations of API Gateway's control plane for REST APIs that are used."""

    def flush_stage_authorizers_cache(self, **kwargs: object) -> dict[str, Any]:
        """Flush what a stage has cached of its authorizers."""
        ...


class ApiGatewayV2Client(Protocol):
    """The operations of API Gateway's control plane for HTTP APIs that are used."""

    def reset_authorizers_cache(self, **kwargs: object) -> dict[str, Any]:
        """Flush what a stage has cached of its authorizers."""
        ...


@cache
def _session() -> Session:
    """Return the container's one session: each reads the list of AWS's endpoints anew."""
    return Session()


class UnreadableAnswer(BotoCoreError):  # noqa: N818 - botocore has no types
    """AWS's answer says success, and is not what AWS answers."""

    fmt = "The answer is not what AWS answers"


def error_code(error: Exception) -> str:
    """Return AWS's code of an error, or the error's type; the text may quote the request."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


def _client(service: str, config: Config) -> Any:  # noqa: ANN401 - botocore ships no types
    # A session is not made for several threads, and KMS's client is made when it is first needed.
    with _turn:
        return _session().create_client(service, config=config)


def _json_client(service: str, config: Config) -> object:
    client = _client(service, config)
    client.meta.events.register(f"before-parse.{service}", _refuse_unreadable)
    return client


def _refuse_unreadable(
    operation_model: Any,  # noqa: ANN401 - botocore ships no types
    response_dict: Mapping[str, Any],
    **_: object,
) -> None:
    """Refuse a successful answer that is no whole JSON object, which botocore takes for `{}`.

    A page of HTML or a body that was cut off would else say that a key does not exist, or that a
    write was done. DynamoDB says nothing at all of an item that is not there, and sends a checksum
    that botocore does not look at (`x-amz-crc32`, "DynamoDB low-level API").
    """
    if response_dict["status_code"] >= _FIRST_STATUS_OF_NO_SUCCESS:
        return
    body, checksum = response_dict["body"], response_dict["headers"].get("x-amz-crc32")
    if checksum is not None and checksum != str(crc32(body)):
        raise UnreadableAnswer
    try:
        answer = json.loads(body)
    except ValueError:
        raise UnreadableAnswer from None
    if not isinstance(answer, dict):
        raise UnreadableAnswer
    if operation_model.name == "GetItem" and answer and not isinstance(answer.get("Item"), dict):
        raise UnreadableAnswer


def dynamodb_client() -> DynamoDbClient:
    """Make a DynamoDB client; region, credentials and endpoint come from the environment."""
    return cast("DynamoDbClient", _json_client("dynamodb", _CONFIG.merge(_LEAN)))


def writing_dynamodb_client() -> DynamoDbClient:
    """Make a DynamoDB client that gives up later."""
    return cast("DynamoDbClient", _json_client("dynamodb", _WRITER_CONFIG))


def kms_client() -> KmsClient:
    """Make a KMS client; region, credentials and endpoint come from the environment."""
    return cast("KmsClient", _json_client("kms", _CONFIG.merge(_LEAN)))


def sqs_client() -> SqsClient:
    """Make an SQS client; region, credentials and endpoint come from the environment."""
    return cast("SqsClient", _json_client("sqs", _CONFIG))


def events_client() -> EventsClient:
    """Make an EventBridge client; region, credentials and endpoint come from the environment."""
    return cast("EventsClient", _json_client("events", _CONFIG))


def api_gateway_client() -> ApiGatewayClient:
    """Make a client of REST APIs' control plane, which waits longer and tries more often."""
    client = _client("apigateway", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayClient", client)


def api_gateway_v2_client() -> ApiGatewayV2Client:
    """Make a client of HTTP APIs' control plane, which waits longer and tries more often."""
    client = _client("apigatewayv2", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayV2Client", client)
