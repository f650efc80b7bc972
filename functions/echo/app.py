"""A backend that returns the authorizer's context, for trying out a new stack."""

import json
from collections.abc import Mapping
from typing import TypedDict


class HttpAnswer(TypedDict):
    """The answer of a Lambda proxy integration, the same for REST and HTTP APIs."""

    statusCode: int
    headers: dict[str, str]
    body: str


def handler(event: Mapping[str, object], context: object) -> HttpAnswer:  # noqa: ARG001 - Lambda's
    """Answer with only the method, the path and the authorizer's context.

    The answer leaves out the request's headers, because they contain the credential.
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
    # An HTTP API nests it one level deeper; a REST API adds the principal and its own latency.
    context = authorizer.get("lambda", authorizer)
    if not isinstance(context, dict):
        return {}
    return {name: value for name, value in context.items() if name != "integrationLatency"}


def _member(value: Mapping[str, object], name: str) -> Mapping[str, object]:
    member = value.get(name)
    return member if isinstance(member, dict) else {}
