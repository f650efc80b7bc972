"""Create the template's own DynamoDB tables at any endpoint, so that schemas never diverge."""

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Final, Protocol, cast

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.waiter import Waiter

from keyscope_local.template.stack import Stack, physical_id_of

TABLE_TYPES: Final = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"})
REGION: Final = "us-east-1"
DUMMY_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""Only for emulators: a local run neither needs nor uses real credentials."""

_SCHEMA_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)


_turn = Lock()
"""Sessions are not thread-safe."""


class _TableClient(Protocol):
    """The part of botocore's DynamoDB client that is used here; it ships no types of its own."""

    def create_table(self, **request: object) -> Mapping[str, object]: ...

    def update_time_to_live(self, **request: object) -> Mapping[str, object]: ...

    def get_waiter(self, waiter_name: str) -> Waiter: ...


def create_tables(stack: Stack, endpoint_url: str) -> None:
    """Create the missing tables at a DynamoDB endpoint, with indexes and time to live.

    Leaves out what an emulator does not need: encryption, recovery, deletion protection and
    replicas.

    Raises:
        botocore.exceptions.BotoCoreError: nothing answers at the endpoint.
        botocore.exceptions.ClientError: it refuses a table.
    """
    client = cast("_TableClient", local_client("dynamodb", endpoint_url))
    for logical_id, resource in stack.resources.items():
        if resource["Type"] in TABLE_TYPES:
            properties = cast("Mapping[str, object]", resource["Properties"])
            _create_table(client, physical_id_of(stack, logical_id), properties)


def local_client(service: str, endpoint_url: str) -> object:
    """Create a botocore client of an AWS emulator, with dummy credentials and bounded waits."""
    with _turn:
        return _session().create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint_url,
            aws_access_key_id=DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=DUMMY_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3}),
        )


@cache
def _session() -> Session:
    """Return the only session, because each one reads AWS's list of endpoints."""
    return Session()


def _create_table(client: _TableClient, name: str, properties: Mapping[str, object]) -> None:
    schema = {key: properties[key] for key in _SCHEMA_PROPERTIES if key in properties}
    try:
        client.create_table(TableName=name, **schema)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        return
    client.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    if "TimeToLiveSpecification" in properties:
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )
