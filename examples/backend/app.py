"""The function behind each example's API: a REST, an HTTP or a WebSocket API."""

import json
from collections.abc import Mapping
from typing import Any

from authorized import NotAuthorized, authorized

PATHS = (
    "/tenants/{accountId}/projects",
    "/tenants/{accountId}/projects/{appId}",
    "/tenants/{accountId}/projects/{appId}/members",
    "/tenants/{accountId}/projects/{appId}/members/{userId}",
)
"""The paths that this function serves. Placeholders of ids that Keyscope checks have Keyscope's
names."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """Return the ids in the path; your function would look them up."""
    try:
        ids = authorized(event, *PATHS)
    except NotAuthorized:
        return _answer(403, {"errors": [{"code": "forbidden", "title": "Not authorized"}]})
    names = ("scope", "accountId", "appId", "userId")
    return _answer(200, {name: ids[name] for name in names if name in ids})


def _answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
