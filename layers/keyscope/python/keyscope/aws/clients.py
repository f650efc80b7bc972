"""Clients of AWS, made once per container, with bounded waits."""

from functools import cache
from logging import INFO, getLogger
from threading import Lock
from typing import Any, Protocol, cast

from botocore.config import Config
from botocore.session import Session

# An authorizer must answer before API Gateway gives up on it (10 s for an HTTP API): two attempts
# at most, of at most 0.5 s to connect and 1 s for each read.
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


_turn = Lock()

# At DEBUG botocore logs requests and answers whole, with what KMS seals and opens. It would follow
# the root logger, whose level is Lambda's log level (AWS_LAMBDA_LOG_LEVEL).
getLogger("botocore").setLevel(INFO)


class DynamoDbClient(Protocol):
    """The operations of DynamoDB that are used; botocore ships no types."""

    def get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read one item."""
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


class KmsClient(Protocol):
    """The operations of KMS that are used."""

    def encrypt(self, **kwargs: object) -> dict[str, Any]:
        """Encrypt up to 4,096 bytes."""
        ...

    def decrypt(self, **kwargs: object) -> dict[str, Any]:
        """Decrypt what `encrypt` returned."""
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


def _client(service: str, config: Config) -> object:
    # A session is not made for several threads, and KMS's client is made when it is first needed.
    with _turn:
        return _session().create_client(service, config=config)


def dynamodb_client() -> DynamoDbClient:
    """Make a DynamoDB client; region, credentials and endpoint come from the environment."""
    return cast("DynamoDbClient", _client("dynamodb", _CONFIG))


def writing_dynamodb_client() -> DynamoDbClient:
    """Make a DynamoDB client that gives up later."""
    return cast("DynamoDbClient", _client("dynamodb", _WRITER_CONFIG))


def kms_client() -> KmsClient:
    """Make a KMS client; region, credentials and endpoint come from the environment."""
    return cast("KmsClient", _client("kms", _CONFIG))


def sqs_client() -> SqsClient:
    """Make an SQS client; region, credentials and endpoint come from the environment."""
    return cast("SqsClient", _client("sqs", _CONFIG))


def events_client() -> EventsClient:
    """Make an EventBridge client; region, credentials and endpoint come from the environment."""
    return cast("EventsClient", _client("events", _CONFIG))


def api_gateway_client() -> ApiGatewayClient:
    """Make a client of REST APIs' control plane, which waits longer and tries more often."""
    client = _client("apigateway", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayClient", client)


def api_gateway_v2_client() -> ApiGatewayV2Client:
    """Make a client of HTTP APIs' control plane, which waits longer and tries more often."""
    client = _client("apigatewayv2", _CONTROL_PLANE_CONFIG)
    return cast("ApiGatewayV2Client", client)
