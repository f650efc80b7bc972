"""What the local gateway knows of an API: routes, authorizers, identity sources, own answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from local.gateway.platform_behaviour import HTTP_BEHAVIOUR, REST_BEHAVIOUR, PlatformBehaviour

ANY_METHOD: Final = "ANY"


class ApiKind(StrEnum):
    """What sort of API it is."""

    REST = "REST"
    HTTP = "HTTP"


class AuthorizerKind(StrEnum):
    """Which event an authorizer gets."""

    TOKEN = "token"  # noqa: S105 - the name of an event type
    REQUEST = "request"


class IdentityPlace(StrEnum):
    """Where an identity source is in a request."""

    HEADER = "header"
    QUERY = "querystring"
    SOURCE_ADDRESS = "source address"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """A part of the request that the authorizer's results are cached by."""

    place: IdentityPlace
    name: str = ""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """An authorizer as an API attaches it. `function` is the logical id of its function."""

    name: str
    kind: AuthorizerKind
    function: str
    identity_sources: Sequence[IdentitySource]
    ttl_seconds: int
    validation_expression: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionIntegration:
    """The function that answers a route, by logical id, called by proxy."""

    function: str


@dataclass(frozen=True, slots=True)
class MockIntegration:
    """An answer that API Gateway itself gives."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template with a method, or `ANY`; `authorizer` names one of the API's.

    With `api_key_required` the authorizer must name an API Gateway key of a usage plan.
    """

    method: str
    template: str
    integration: FunctionIntegration | MockIntegration
    authorizer: str | None
    api_key_required: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """How a REST API answers one type of error; `status` is nothing where the type's own stays."""

    status: int | None
    headers: Mapping[str, str]
    template: str | None


class QuotaPeriod(StrEnum):
    """How long a quota lasts; each begins at midnight UTC."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests a second in the long run, and at once."""

    rate_limit: float
    burst_limit: int


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests in a period."""

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

    `behaviour` takes the place of what is assumed of API Gateway for this kind of API.
    `access_log_format` is the line that the stage's access log gets for each request, if there is
    such a log.
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
    behaviour: PlatformBehaviour | None = None

    @property
    def platform(self) -> PlatformBehaviour:
        """How API Gateway behaves where AWS does not say."""
        return self.behaviour or ASSUMED[self.kind]


ASSUMED: Final[Mapping[ApiKind, PlatformBehaviour]] = {
    ApiKind.REST: REST_BEHAVIOUR,
    ApiKind.HTTP: HTTP_BEHAVIOUR,
}
