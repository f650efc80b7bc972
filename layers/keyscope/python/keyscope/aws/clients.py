"""AWS clients, created once per container, with bounded waits."""

import json
from binascii import crc32
from collections.abc import Mapping
from functools import cache
from logging import INFO, getLogger
from threading import Lock
from typing import Any, Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from keyscope.aws.calls import Decrypter, ItemReader

# At most two attempts, each with at most 0.5 s to connect and 1 s for each read of the socket. For
# the authorizers, deadline.py bounds the whole call.
_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=1,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)

# A change waits longer than an authorizer does: if it times out, the write may have succeeded, and
# then a key's secret is lost. Two attempts, each with at most 1 s to connect and 4 s for each read.
_WRITER_CONFIG = Config(
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)

# No caller waits for a flush, and API Gateway's control plane throttles. Three attempts, each with
# at most 1 s to connect and 2 s for each read, take 12 s including the pauses between them.
_CONTROL_PLANE_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
)

# The authorizers send only typed, known values. Otherwise botocore validates every value, and
# builds its user agent again for each request. This saves some CPU per call.
_LEAN = Config(parameter_validation=False, user_agent="keyscope")

_FIRST_STATUS_OF_NO_SUCCESS = 300

_turn = Lock()

# At DEBUG, botocore logs whole requests and responses, which contain the secrets that KMS encrypts
# and decrypts. It would follow the root logger, whose level is Lambda's (AWS_LAMBDA_LOG_LEVEL).
getLogger("botocore").setLevel(INFO)


class DynamoDbClient(ItemReader, Protocol):
    """The DynamoDB operations that Keyscope uses."""

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        ...

    def query(self, **kwargs: object) -> dict[str, Any]:
        """Read the items of one partition."""
        ...

    def batch_get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read several items."""
        ...

    def scan(self, **kwargs: object) -> dict[str, Any]:
        """Read the items of a table or an index."""
        ...

    def put_item(self, **kwargs: object) -> dict[str, Any]:
        """Write one item."""
        ...

    def update_item(self, **kwargs: object) -> dict[str, Any]:
        """Change or create one item."""
        ...

    def transact_write_items(self, **kwargs: object) -> dict[str, Any]:
        """Write several items, all or none."""
        ...


class KmsClient(Decrypter, Protocol):
    """The KMS operations that Keyscope uses."""

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        ...

    def encrypt(self, **kwargs: object) -> dict[str, Any]:
        """Encrypt up to 4,096 bytes."""
        ...


class SqsClient(Protocol):
    """The SQS operations that Keyscope uses."""

    def send_message(self, **kwargs: object) -> dict[str, Any]:
        """Send one message."""
        ...

    def send_message_batch(self, **kwargs: object) -> dict[str, Any]:
        """Send up to ten messages; the response names those that failed."""
        ...


class EventsClient(Protocol):
    """The EventBridge operations that Keyscope uses."""

    def put_events(self, **kwargs: object) -> dict[str, Any]:
        """Send up to ten events; the response names those that were not accepted."""
        ...


class ApiGatewayClient(Protocol):
    """The operations of the REST API control plane that Keyscope uses."""

    def flush_stage_authorizers_cache(self, **kwargs: object) -> dict[str, Any]:
        """Flush a stage's cache of authorizer results."""
        ...


class ApiGatewayV2Client(Protocol):
    """The operations of the HTTP API control plane that Keyscope uses."""

    def reset_authorizers_cache(self, **kwargs: object) -> dict[str, Any]:
        """Flush a stage's cache of authorizer results."""
        ...


@cache
def _session() -> Session:
    """Return the container's only session, because each one reads AWS's list of endpoints."""
    return Session()


class UnreadableAnswer(BotoCoreError):  # noqa: N818 - botocore has no types
    """AWS's response reports success, but is not a response that AWS sends."""

    fmt = "The response is not one that AWS sends"


def _client(service: str, config: Config) -> Any:  # noqa: ANN401 - botocore ships no types
    # Sessions are not thread-safe, and the KMS client is created when it is first needed.
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
    """Refuse a successful response that is not a whole JSON object, which botocore reads as `{}`.

    An HTML page or a truncated body would otherwise mean that a key does not exist, or that a write
    succeeded. DynamoDB returns an empty object for an item that does not exist, and sends a
    checksum that botocore ignores (`x-amz-crc32`, "DynamoDB low-level API").
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
    """Create a DynamoDB client; region, credentials and endpoint come from the environment."""
    return cast("DynamoDbClient", _json_client("dynamodb", _CONFIG.merge(_LEAN)))


def writing_dynamodb_client() -> DynamoDbClient:
    """Create a DynamoDB client with longer timeouts."""
    return cast("DynamoDbClient", _json_client("dynamodb", _WRITER_CONFIG))


def kms_client() -> KmsClient:
    """Create a KMS client; region, credentials and endpoint come from the environment."""
    return cast("KmsClient", _json_client("kms", _CONFIG.merge(_LEAN)))


def sqs_client() -> SqsClient:
    """Create an SQS client; region, credentials and endpoint come from the environment."""
    return cast("SqsClient", _json_client("sqs", _CONFIG))


def events_client() -> EventsClient:
    """Create an EventBridge client; region, credentials and endpoint come from the environment."""
    return cast("EventsClient", _json_client("events", _CONFIG))


def api_gateway_client() -> ApiGatewayClient:
    """Create a client for the REST API control plane, with longer timeouts and more attempts."""
    client = _client("apigateway", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayClient", client)


def api_gateway_v2_client() -> ApiGatewayV2Client:
    """Create a client for the HTTP API control plane, with longer timeouts and more attempts."""
    client = _client("apigatewayv2", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayV2Client", client)
