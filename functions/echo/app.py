"""Backend that shows what the authorizer told it; for trying out a stack that was just deployed."""

import json
from collections.abc import Mapping
from typing import TypedDict


class HttpAnswer(TypedDict):
    """A Lambda proxy integration's answer, the same for REST and HTTP APIs."""

    statusCode: int
    headers: dict[str, str]
    body: str


def handler(event: Mapping[str, object], context: object) -> HttpAnswer:  # noqa: ARG001 - Lambda's
    """Answer with the method, the path and the authorizer's context, and nothing else.

    The request's headers stay unanswered: they hold the credential.
    """
    body = {**_asked(event), "context": _authorizer_context(event)}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def _asked(event: Mapping[str, object]) -> dict[str, object]:
    if event.get("version") == "2.0":
        http = _member(_member(event, "requestContext"), "http")
        return {"method": http.get("method"), "path": event.get("rawPath")}
    return {"method": event.get("httpMethod"), "path": event.get("path")}


def _authorizer_context(event: Mapping[str, object]) -> Mapping[str, object]:
    authorizer = _member(_member(event, "requestContext"), "authorizer")
    # An HTTP API puts it one level deeper; a REST API adds the principal and its own latency.
    context = authorizer.get("lambda", authorizer)
    if not isinstance(context, dict):
        return {}
    return {name: value for name, value in context.items() if name != "integrationLatency"}


def _member(value: Mapping[str, object], name: str) -> Mapping[str, object]:
    member = value.get(name)
    return member if isinstance(member, dict) else {}
