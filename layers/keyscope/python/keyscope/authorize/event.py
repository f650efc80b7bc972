"""From an authorizer event of any API type to one request.

The developer guide of Amazon API Gateway documents the shapes: "Input to an API Gateway Lambda
authorizer" (REST, TOKEN and REQUEST), "Create a Lambda REQUEST authorizer function" (WebSocket) and
"Control access to HTTP APIs with Lambda authorizers" (payload format 2.0).
"""

from collections.abc import Mapping

from keyscope.access.method_arn import ApiStage, read_api_stage
from keyscope.errors import Reason, Refused, Unavailable
from keyscope.records import dataclass, field, replace

_AUTHORIZATION = "authorization"
WEBSOCKET_QUERY_PARAMETER = "authorization"
"""Where a browser puts its credential, because it cannot set headers on a WebSocket."""


@dataclass(frozen=True, slots=True)
class AuthorizerRequest:
    """A request to an authorizer, in one form for all API types.

    `has_usage_plans` is true for REST APIs: API Gateway can throttle the request by the usage plan
    that the answer names. HTTP APIs have no usage plans. A WebSocket API would read the name from
    the context, which its backend receives.
    """

    authorization: str | None = field(repr=False)
    api_stage: ApiStage
    source_address: str | None
    opens_websocket: bool = False
    has_usage_plans: bool = False


def request_id_of(event: object) -> str | None:
    """Return API Gateway's request id, for the log; TOKEN events have none."""
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    request_id = context.get("requestId") if isinstance(context, Mapping) else None
    # Half a surrogate pair cannot be written, and the whole log line would be lost.
    return request_id if isinstance(request_id, str) and request_id.isascii() else None


def read_rest_event(event: object) -> AuthorizerRequest:
    """Read a REST `TOKEN` or `REQUEST` event, or a WebSocket `REQUEST` event.

    Raises:
        Refused: `AMBIGUOUS_CREDENTIAL` when more than one credential was sent.
        Unavailable: `MALFORMED_EVENT`; API Gateway never sends such an event.
    """
    members = _mapping(event, "event")
    api_stage = read_api_stage(members.get("methodArn"))
    match members.get("type"):
        case "TOKEN":
            token = _optional_text(members.get("authorizationToken"), "authorizationToken")
            return AuthorizerRequest(token, api_stage, source_address=None, has_usage_plans=True)
        case "REQUEST":
            return _read_request_event(members, api_stage)
        case _:
            raise Unavailable(Reason.MALFORMED_EVENT, "type")


def read_http_event(event: object) -> AuthorizerRequest:
    """Read an HTTP API event of payload format 2.0.

    Raises:
        Unavailable: `MALFORMED_EVENT`; API Gateway never sends such an event.
    """
    members = _mapping(event, "event")
    if members.get("version") == "1.0":
        detail = 'payload format 1.0: set AuthorizerPayloadFormatVersion to "2.0"'
        raise Unavailable(Reason.MALFORMED_EVENT, detail)
    if members.get("version") != "2.0" or members.get("type") != "REQUEST":
        raise Unavailable(Reason.MALFORMED_EVENT, "version and type")
    http = _mapping(_mapping(members.get("requestContext"), "requestContext").get("http"), "http")
    return AuthorizerRequest(
        # Repeated headers arrive joined by commas, which no credential contains.
        authorization=_one_of(_header_values(members.get("headers"))),
        api_stage=read_api_stage(members.get("routeArn"), decodes_path=True),
        source_address=_optional_text(http.get("sourceIp"), "sourceIp"),
    )


def _read_request_event(members: Mapping[object, object], api_stage: ApiStage) -> AuthorizerRequest:
    context = _mapping(members.get("requestContext"), "requestContext")
    identity = _mapping(context.get("identity"), "identity")
    if identity.get("vpceId") is not None:
        api_stage = replace(api_stage, is_private=True)
    values = _header_values(members.get("multiValueHeaders") or members.get("headers"))
    opens_websocket = context.get("eventType") == "CONNECT"
    if opens_websocket:
        values += _query_values(members)
    return AuthorizerRequest(
        authorization=_one_of(values),
        api_stage=api_stage,
        source_address=_optional_text(identity.get("sourceIp"), "sourceIp"),
        opens_websocket=opens_websocket,
        has_usage_plans=not opens_websocket,
    )


def _header_values(headers: object) -> list[str]:
    """Return every value of the `Authorization` header, in any letter case (RFC 9110, 5.1)."""
    if headers is None:
        return []
    return [
        value
        for name, found in _mapping(headers, "headers").items()
        if isinstance(name, str)
        and len(name) == len(_AUTHORIZATION)
        and name.lower() == _AUTHORIZATION
        for value in _texts(found, "headers")
    ]


def _query_values(members: Mapping[object, object]) -> list[str]:
    query = members.get("multiValueQueryStringParameters") or members.get("queryStringParameters")
    if query is None:
        return []
    return _texts(_mapping(query, "query").get(WEBSOCKET_QUERY_PARAMETER), "query")


def _one_of(values: list[str]) -> str | None:
    # A caller must not use more than one method (RFC 6750, section 2).
    if len(values) > 1:
        raise Refused(Reason.AMBIGUOUS_CREDENTIAL)
    return values[0] if values else None


def _mapping(value: object, name: str) -> Mapping[object, object]:
    # Lambda reads events from JSON.
    if not isinstance(value, dict):
        raise Unavailable(Reason.MALFORMED_EVENT, name)
    return value


def _optional_text(value: object, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Unavailable(Reason.MALFORMED_EVENT, name)
    return value


def _texts(value: object, name: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in (_optional_text(item, name) for item in values) if text is not None]
