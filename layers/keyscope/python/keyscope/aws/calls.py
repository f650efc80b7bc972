"""The AWS calls of the authorizers, and how a call fails with any client."""

from typing import Any, Protocol

THROTTLING_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)
"""Error codes of throttled calls (API references of DynamoDB and KMS)."""


class ItemReader(Protocol):
    """The DynamoDB operations that the authorizers use."""

    def get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read one item."""
        ...


class Decrypter(Protocol):
    """The KMS operations that the authorizers use."""

    def decrypt(self, **kwargs: object) -> dict[str, Any]:
        """Decrypt a ciphertext."""
        ...


class AwsReader(ItemReader, Decrypter, Protocol):
    """Every AWS call of an authorizer, within the time of its request.

    Requests and responses have botocore's names and types. Calls raise `CallError`, and unexpected
    errors of a client.
    """

    def close(self) -> None:
        """Close the connections and forget the credentials; the next call gets new ones."""
        ...


class CallError(Exception):
    """A call that failed; `code` is for the log, and never quotes a request or a response."""

    def __init__(self, code: str = "") -> None:
        """Store AWS's code of the error, or by default the name of the error's type."""
        self.code = code or type(self).__name__
        super().__init__(self.code)


class NoAnswer(CallError):  # noqa: N818 - a state, named as in the log
    """The call timed out, or its connection failed. The next one may take just as long."""


class HeldUpByOthers(CallError):  # noqa: N818 - a state, named as in the log
    """Other calls left no time for this one, which might have succeeded."""


class UnreadableAnswer(CallError):  # noqa: N818 - a state, named as in the log
    """The response is not one that AWS sends."""


class ServiceError(CallError):
    """AWS returned an error. `status` is the HTTP status, `date` the header `Date`, or empty."""

    def __init__(self, code: str, status: int = 0, date: str = "") -> None:
        """Store what identifies the error."""
        super().__init__(code)
        self.status = status
        self.date = date


def error_code(error: Exception) -> str:
    """Return AWS's code of an error, or the error's type. The text may quote the request."""
    if isinstance(error, CallError):
        return error.code
    # A `ClientError` of botocore, which the authorizers do not import.
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
