"""Clients of AWS, made once per container, with bounded waits."""

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

    def update_item(self, **kwargs: object) -> dict[str, Any]:
        """Change one item."""
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


def dynamodb_client() -> DynamoDbClient:
    """Make a DynamoDB client; region, credentials and endpoint come from the environment."""
    return cast("DynamoDbClient", Session().create_client("dynamodb", config=_CONFIG))


def kms_client() -> KmsClient:
    """Make a KMS client; region, credentials and endpoint come from the environment."""
    return cast("KmsClient", Session().create_client("kms", config=_CONFIG))
