"""A request that somebody asks about, as the event that API Gateway would make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from keyscope.authorize.event import AuthorizerRequest, read_http_event, read_rest_event

ReadEvent = Callable[[object], AuthorizerRequest]

DEFAULT_STAGE = "prod"
_API = "arn:aws:execute-api:us-east-1:000000000000:explained"
"""An API that is nobody's: what a policy allows does not depend on which API it is for."""


class ApiKind(StrEnum):
    """What sort of API a request is for, and on REST APIs which event its authorizer gets."""

    REST = "rest"
    REST_TOKEN = "rest-token"  # noqa: S105 - the name of an event type
    HTTP = "http"
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request as a person tells of it.

    `authorization` is the value of the header `Authorization`; `path` is what is sent after the
    stage, with a slash at its beginning. Of a WebSocket connection neither method nor path counts.
    """

    authorization: str | None = field(repr=False)
    method: str
    path: str
    source_address: str | None = None
    api_kind: ApiKind = ApiKind.REST
    stage: str = DEFAULT_STAGE

    def event(self) -> dict[str, object]:
        """Return the authorizer's event; an HTTP API has decoded the path once."""
        sent = self.path.partition("?")[0]
        path = unquote(sent) if self.api_kind is ApiKind.HTTP else sent
        asked = "$connect" if self.api_kind is ApiKind.WEBSOCKET else f"{self.method}{path}"
        arn = f"{_API}/{self.stage}/{asked}"
        headers = {} if self.authorization is None else {"Authorization": self.authorization}
        match self.api_kind:
            case ApiKind.REST_TOKEN:
                token = self.authorization
                return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}
            case ApiKind.HTTP:
                context: dict[str, object] = {"http": {"sourceIp": self.source_address}}
                members = {"version": "2.0", "routeArn": arn}
            case _:
                context = {"identity": {"sourceIp": self.source_address}}
                if self.api_kind is ApiKind.WEBSOCKET:
                    context["eventType"] = "CONNECT"
                members = {"methodArn": arn}
        return {"type": "REQUEST", **members, "headers": headers, "requestContext": context}


def reader_of(event: object) -> ReadEvent:
    """Return the reader of the authorizer that gets such an event."""
    is_http = isinstance(event, Mapping) and "routeArn" in event
    return read_http_event if is_http else read_rest_event


def api_kind_of(event: object) -> ApiKind:
    """Tell which sort of API sends such an event; an odd one is taken for a REST API's."""
    if not isinstance(event, Mapping):
        return ApiKind.REST
    if "routeArn" in event:
        return ApiKind.HTTP
    if event.get("type") == "TOKEN":
        return ApiKind.REST_TOKEN
    context = event.get("requestContext")
    opens = isinstance(context, Mapping) and context.get("eventType") == "CONNECT"
    return ApiKind.WEBSOCKET if opens else ApiKind.REST


class AskedMethod:
    """The method ARN of an event and its parts; they are empty where an event has none."""

    def __init__(self, event: object) -> None:
        """Read ARN/STAGE/METHOD/PATH by position."""
        members = event if isinstance(event, Mapping) else {}
        arn = members.get("routeArn", members.get("methodArn"))
        self.arn = arn if isinstance(arn, str) else ""
        self.api_kind = api_kind_of(event)
        self._api, _, rest = self.arn.partition("/")
        self.stage, _, rest = rest.partition("/")
        self.method, slash, path = rest.partition("/")
        self.path = slash + path

    def with_method(self, method: str) -> str:
        """Return the ARN of another method of the same path."""
        return f"{self._api}/{self.stage}/{method}{self.path}"

    def members(self, source_address: str | None) -> dict[str, str]:
        """Return the parts as JSON, without those that do not apply."""
        members = {
            "apiKind": self.api_kind.value,
            "stage": self.stage,
            "method": self.method,
            "path": "" if self.api_kind is ApiKind.WEBSOCKET else self.path,
            "sourceAddress": source_address or "",
        }
        return {name: value for name, value in members.items() if value}
