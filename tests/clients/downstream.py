"""The API behind the authorizer: answers each published route with a body that clients can read.

Management routes are not among them; the stack's own functions answer those.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from keyscope_local.template.function_loader import LocalContext
from tests.support.route_tables import ROWS, Row

ID: Final = "5f0c0d3a9b1e2a0010c4d3f1"
"""The id of everything that the API answers with."""
_TEXT: Final = {"type": "text", "text": "Hello"}
_AUTHOR: Final = {"type": "user", "userId": "customer-7"}

_PARTICIPANT: Final = {"id": ID, "userId": "customer-7", "unreadCount": 0}

THINGS: Final[Mapping[str, tuple[str, Mapping[str, object]]]] = {
    "appusers": ("appUser", {"id": ID, "userId": "customer-7", "conversationStarted": True}),
    "attachments": ("attachment", {"mediaUrl": "https://media.example/a.png"}),
    "clients": ("client", {"id": ID, "type": "twilio", "status": "active"}),
    "conversations": ("conversation", {"id": ID, "type": "personal", "displayName": "Order 12"}),
    "deployments": ("deployment", {"id": ID, "status": "activated"}),
    "devices": ("device", {"id": ID, "type": "android", "status": "active"}),
    "integrations": ("integration", {"id": ID, "type": "android"}),
    "menu": ("menu", {"items": [{"type": "link", "text": "Shop", "uri": "https://a.example"}]}),
    "messages": ("message", {"id": ID, "author": _AUTHOR, "content": _TEXT}),
    "join": ("participant", _PARTICIPANT),
    "participants": ("participant", _PARTICIPANT),
    "switchboardIntegrations": (
        "switchboardIntegration",
        {
            "id": ID,
            "name": "bot",
            "integrationId": ID,
            "integrationType": "custom",
            "deliverStandbyEvents": False,
        },
    ),
    "switchboards": ("switchboard", {"id": ID, "enabled": True}),
    "templates": ("template", {"id": ID, "name": "greeting"}),
    "users": ("user", {"id": ID, "externalId": "customer-7"}),
    # Without its id, which the client from PyPI leaves out of a webhook's JSON.
    "webhooks": (
        "webhook",
        {
            "target": "https://a.example/hook",
            "triggers": ["conversation:read"],
        },
    ),
}
"""What the last segment of a path that is no id names: the member of the body, and its value."""
ALWAYS_MANY: Final = {("POST", "messages")}
"""A message is created as a list of one."""

NOT_PUBLISHED: Final = "not_published"
"""The code of the error for a route that no table has."""


def _pattern(row: Row) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(row.path)))


_ROUTES: Final = [(row, _pattern(row)) for row in ROWS]


def body_of(method: str, path: str) -> Mapping[str, object]:
    """Return what the API answers to a published route, such as `/v2/apps/{appId}/users`."""
    noun = path.rpartition("/")[2]
    is_one = noun.startswith("{")
    if is_one:
        noun = path.split("/")[-2]
    if noun not in THINGS or method == "DELETE":
        return {}
    member, thing = THINGS[noun]
    if path.startswith("/v1"):
        thing = {"_id" if name == "id" else name: value for name, value in thing.items()}
    if (method, noun) in ALWAYS_MANY:
        return {noun: [thing]}
    if is_one or method != "GET" or noun == member:
        return {member: thing}
    return {noun: [thing]}


def _status_of(method: str, path: str) -> int:
    creates = method == "POST" and path.rpartition("/")[2] in THINGS
    return 201 if creates else 200


def answer(event: object, _: LocalContext) -> object:
    """Answer a Lambda proxy event of the REST API; an unpublished route is 404."""
    request = cast("Mapping[str, str]", event)
    method = request["httpMethod"]
    found = [
        row
        for row, pattern in _ROUTES
        if row.method == method and pattern.fullmatch(request["path"])
    ]
    if not found:
        route = f"{method} {request['path']}"
        error = {"code": NOT_PUBLISHED, "description": route}
        return _json(404, {"errors": [{"code": NOT_PUBLISHED, "title": route}], "error": error})
    return _json(_status_of(method, found[0].path), body_of(method, found[0].path))


def _json(status: int, body: object) -> Mapping[str, object]:
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
