"""A request to explain, and the authorizer event that API Gateway sends for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never
from urllib.parse import unquote

from keyscope.authorize.event import AuthorizerRequest, read_http_event, read_rest_event

ReadEvent = Callable[[object], AuthorizerRequest]

DEFAULT_STAGE = "prod"
_API = "arn:aws:execute-api:us-east-1:000000000000:explained"
"""A made-up API. What a policy allows does not depend on the API."""


class EventKind(StrEnum):
    """The kind of event an authorizer receives: the kind of API and, for REST APIs, the type."""

    REST = "rest"
    REST_TOKEN = "rest-token"  # noqa: S105 - the name of an event type
    HTTP = "http"
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request as a person describes it.

    `authorization` is the value of the `Authorization` header. `path` is the part after the stage,
    starting with a slash. WebSocket connections ignore both method and path.
    """

    authorization: str | None = field(repr=False)
    method: str
    path: str
    source_address: str | None = None
    event_kind: EventKind = EventKind.REST
    stage: str = DEFAULT_STAGE

    def event(self) -> dict[str, object]:
        """Return the authorizer's event. An HTTP API decodes the path once."""
        sent = self.path.partition("?")[0]
        path = unquote(sent) if self.event_kind is EventKind.HTTP else sent
        asked = "$connect" if self.event_kind is EventKind.WEBSOCKET else f"{self.method}{path}"
        arn = f"{_API}/{self.stage}/{asked}"
        headers = {} if self.authorization is None else {"Authorization": self.authorization}
        match self.event_kind:
            case EventKind.REST_TOKEN:
                token = self.authorization
                return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}
            case EventKind.HTTP:
                context: dict[str, object] = {"http": {"sourceIp": self.source_address}}
                members = {"version": "2.0", "routeArn": arn}
            case EventKind.WEBSOCKET:
                context = {"identity": {"sourceIp": self.source_address}, "eventType": "CONNECT"}
                members = {"methodArn": arn}
            case EventKind.REST:
                context = {"identity": {"sourceIp": self.source_address}}
                members = {"methodArn": arn}
            case _:
                assert_never(self.event_kind)
        return {"type": "REQUEST", **members, "headers": headers, "requestContext": context}


def reader_of(event: object) -> ReadEvent:
    """Return the event reader of the authorizer that receives such an event."""
    is_http = event_kind_of(event) is EventKind.HTTP
    return read_http_event if is_http else read_rest_event


def event_kind_of(event: object) -> EventKind:
    """Return the kind of an event. An event of no known kind counts as a REST API's.

    Only HTTP APIs send a `version`, in either payload format.
    """
    if not isinstance(event, Mapping):
        return EventKind.REST
    if "routeArn" in event or "version" in event:
        return EventKind.HTTP
    if event.get("type") == "TOKEN":
        return EventKind.REST_TOKEN
    context = event.get("requestContext")
    opens = isinstance(context, Mapping) and context.get("eventType") == "CONNECT"
    return EventKind.WEBSOCKET if opens else EventKind.REST


class AskedMethod:
    """The method ARN of an event and its parts, which are empty if the event has none."""

    def __init__(self, event: object) -> None:
        """Split the ARN into API, stage, method and path by position."""
        members = event if isinstance(event, Mapping) else {}
        arn = members.get("routeArn", members.get("methodArn"))
        self.arn = arn if isinstance(arn, str) else ""
        self.event_kind = event_kind_of(event)
        self._api, _, rest = self.arn.partition("/")
        self.stage, _, rest = rest.partition("/")
        self.method, slash, path = rest.partition("/")
        self.path = slash + path

    def with_method(self, method: str) -> str:
        """Return the ARN of another method on the same path."""
        return f"{self._api}/{self.stage}/{method}{self.path}"

    def with_path(self, path: str) -> str:
        """Return the ARN of the same method on another path."""
        return f"{self._api}/{self.stage}/{self.method}{path}"

    def members(self, source_address: str | None) -> dict[str, str]:
        """Return the parts as JSON members, without those that do not apply."""
        members = {
            "apiKind": self.event_kind.value,
            "stage": self.stage,
            "method": self.method,
            "path": "" if self.event_kind is EventKind.WEBSOCKET else self.path,
            "sourceAddress": source_address or "",
        }
        return {name: value for name, value in members.items() if value}
