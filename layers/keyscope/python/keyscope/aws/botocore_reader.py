"""The calls of the authorizers by botocore, for settings that the lean client does not know."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from botocore.exceptions import ConnectionError as NotConnected
from botocore.exceptions import HTTPClientError

from keyscope.aws.calls import NoAnswer
from keyscope.aws.clients import KmsClient, dynamodb_client, kms_client
from keyscope.aws.deadline import Deadlines

_Result = TypeVar("_Result")


class BotocoreReader:
    """Calls botocore in threads, because its time limits bound each read of a socket, not a call.

    The KMS client is created when it is first needed, because Basic never needs it.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        """Create the DynamoDB client; all settings come from where botocore looks for them."""
        self._deadlines = deadlines
        self._dynamodb = dynamodb_client()
        self._kms: Callable[[], KmsClient] = cache(kms_client)

    def get_item(self, **request: object) -> dict[str, Any]:
        """Read one item."""
        return self._in_time(lambda: self._dynamodb.get_item(**request))

    def decrypt(self, **request: object) -> dict[str, Any]:
        """Decrypt a ciphertext."""
        return self._in_time(lambda: self._kms().decrypt(**request))

    def close(self) -> None:
        """Close the connections. botocore renews expiring credentials itself."""
        self._dynamodb.close()
        self._kms().close()

    def _in_time(self, call: Callable[[], _Result]) -> _Result:
        try:
            return self._deadlines.call(call)
        except (NotConnected, HTTPClientError) as error:
            # The two base classes of all timeouts and broken connections.
            raise NoAnswer(type(error).__name__) from None
