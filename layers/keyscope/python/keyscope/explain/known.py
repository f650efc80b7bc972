"""What a run of the pipeline learned, from which steps and remedies are explained."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keyscope.access.policy import Policies
from keyscope.authorize.credential import Credential
from keyscope.authorize.decision import Decision
from keyscope.authorize.event import AuthorizerRequest
from keyscope.explain.request import AskedMethod
from keyscope.explain.sent import Sent
from keyscope.model.key_record import KeyRecord


@dataclass(frozen=True, slots=True)
class Known:
    """What a run of the pipeline learned; `None` for what it did not reach.

    `policies` are those that the authorizer makes policies from. `now` is in seconds since the
    epoch. `sent` is the credential as it was sent, and `opened` the
    key's secret; neither may appear in an explanation.
    """

    decision: Decision
    policies: Policies
    request: AuthorizerRequest | None
    credential: Credential | None
    record: KeyRecord | None
    now: float
    leeway_seconds: int
    event: Mapping[object, object]
    asked: AskedMethod
    sent: Sent = field(repr=False)
    opened: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> Mapping[str, object]:
        """The request's headers, by their names in lower case."""
        return _members(self.event.get("multiValueHeaders") or self.event.get("headers"))

    @property
    def query(self) -> Mapping[str, object]:
        """The request's query parameters, by their names in lower case."""
        return _members(
            self.event.get("multiValueQueryStringParameters")
            or self.event.get("queryStringParameters")
        )


def _members(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name).lower(): member for name, member in value.items()}
