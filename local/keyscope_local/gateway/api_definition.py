"""An API in the local gateway: routes, authorizers, identity sources, gateway responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from keyscope_local.gateway.platform_behavior import (
    HTTP_BEHAVIOR,
    REST_BEHAVIOR,
    PlatformBehavior,
)

ANY_METHOD: Final = "ANY"


class ApiKind(StrEnum):
    """The kind of API."""

    REST = "REST"
    HTTP = "HTTP"


class AuthorizerKind(StrEnum):
    """The kind of event that an authorizer receives."""

    TOKEN = "token"  # noqa: S105 - the name of an event type
    REQUEST = "request"


class IdentityPlace(StrEnum):
    """The part of a request that contains an identity source."""

    HEADER = "header"
    QUERY = "querystring"
    SOURCE_ADDRESS = "source address"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """A part of the request by which the authorizer's results are cached."""

    place: IdentityPlace
    name: str = ""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """An authorizer as an API attaches it. `function` is the logical id of its function.

    `not_invocable` says what is missing if API Gateway may not invoke the function.
    """

    name: str
    kind: AuthorizerKind
    function: str
    identity_sources: Sequence[IdentitySource]
    ttl_seconds: int
    validation_expression: str | None = None
    not_invocable: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionIntegration:
    """The function that answers a route by proxy, as a logical id."""

    function: str


@dataclass(frozen=True, slots=True)
class MockIntegration:
    """A response from API Gateway itself."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template with a method, or `ANY`; `authorizer` names an authorizer of the API.

    With `api_key_required`, the authorizer must name an API Gateway key of a usage plan.
    """

    method: str
    template: str
    integration: FunctionIntegration | MockIntegration
    authorizer: str | None
    api_key_required: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A REST API's response to one type of error. Without `status`, it has the type's own."""

    status: int | None
    headers: Mapping[str, str]
    template: str | None


class QuotaPeriod(StrEnum):
    """How long a quota lasts. Each period begins at midnight UTC."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class Throttle:
    """The steady rate in requests per second, and the burst."""

    rate_limit: float
    burst_limit: int


@dataclass(frozen=True, slots=True)
class Quota:
    """The number of requests in a period."""

    limit: int
    period: QuotaPeriod


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """What one API Gateway key may use; `name` is the plan's logical id."""

    name: str
    throttle: Throttle | None
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class Cors:
    """An HTTP API's CORS settings."""

    allow_origins: Sequence[str]
    allow_methods: Sequence[str]
    allow_headers: Sequence[str]
    max_age_seconds: int
    expose_headers: Sequence[str] = ()
    allow_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    """One API with its one stage; `usage_plans` by the values of their API Gateway keys.

    `behavior` replaces the assumptions about API Gateway for this kind of API. `access_log_format`
    is the format of the stage's access log, if there is one.
    """

    kind: ApiKind
    logical_id: str
    api_id: str
    stage: str
    routes: Sequence[Route]
    authorizers: Mapping[str, Authorizer]
    gateway_responses: Mapping[str, GatewayResponse]
    cors: Cors | None = None
    usage_plans: Mapping[str, UsagePlan] = field(default_factory=dict, repr=False)
    access_log_format: str | None = None
    behavior: PlatformBehavior | None = None

    @property
    def platform(self) -> PlatformBehavior:
        """How API Gateway behaves where AWS documents nothing."""
        return self.behavior or ASSUMED[self.kind]


ASSUMED: Final[Mapping[ApiKind, PlatformBehavior]] = {
    ApiKind.REST: REST_BEHAVIOR,
    ApiKind.HTTP: HTTP_BEHAVIOR,
}
