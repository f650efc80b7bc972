"""Requests to the management function, as a REST API's proxy integration makes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from keyscope.entry.management import ManagementHandler
from keyscope.model.principal import Principal

HOST = "api.example"
STAGE = "prod"


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@dataclass(frozen=True)
class ProxyResponse:
    """What the function answered."""

    status: int
    headers: Mapping[str, list[str]]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.text)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in v2's shape."""
        return [error["code"] for error in self.json["errors"]]

    @property
    def titles(self) -> list[str]:
        return [error["title"] for error in self.json["errors"]]


def proxy_event(
    method: str,
    path: str,
    context: object,
    body: str | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return an event; `context` is what the authorizer has told, `None` for no authorizer."""
    headers = {"Host": HOST, "X-Forwarded-Proto": "https"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    request_context: dict[str, object] = {
        "stage": STAGE,
        "path": f"/{STAGE}{path}",
        "domainName": HOST,
        "requestId": "request-1",
        "identity": {"sourceIp": "192.0.2.7"},
    }
    if context is not None:
        request_context["authorizer"] = context
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": (
            {name: [value] for name, value in query.items()} if query else None
        ),
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": request_context,
        "body": body,
        "isBase64Encoded": False,
    }


@dataclass(frozen=True)
class Caller:
    """A principal that calls the function; `told` replaces what the authorizer tells of it."""

    handler: ManagementHandler = field(repr=False)
    principal: Principal

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        **members: object,
    ) -> ProxyResponse:
        """Call; `body` is sent as JSON unless it is text, `members` replace those of the event."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        context = {"principalId": self.principal.name, **self.principal.context()}
        event = {**proxy_event(method, path, context, text, query), **members}
        return answer_of(self.handler, event)


def answer_of(handler: ManagementHandler, event: Mapping[str, object]) -> ProxyResponse:
    answer = handler(event, cast("Any", Context()))
    assert answer["isBase64Encoded"] is False
    return ProxyResponse(answer["statusCode"], answer["multiValueHeaders"], answer["body"])
