"""Rejects a request that did not pass Keyscope's authorizer, or whose path is another tenant's."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_SEGMENT = re.compile(r"(?!\.$|\.\.)[A-Za-z0-9._~@+:-]+")
_MEMBERS = {"account": (), "app": ("appId",), "appUser": ("appId", "userId")}
_MEMBERS["integration"] = ("appId", "integrationId")
_OVERRIDES = {"x-http-method-override", "x-http-method", "x-method-override"}
_ACCOUNT, _APP = {"accountId", "accountExternalId"}, {"appId", "appExternalId"}
_NESTED = {"appId": "[0-9a-f]{24}", "serviceAccountId": "[0-9a-f]{16}"}


class NotAuthorized(Exception):  # noqa: N818 - a state
    """Return 403, and do nothing else."""


def authorized(event: Mapping[str, Any], *paths: str) -> dict[str, Any]:
    """Return the ids of the path, and the authorizer's context, which all of them fit.

    `paths` are the function's, such as `/projects/{appId}/files/{name}`; the first that fits
    counts. Use the ids that are returned; never normalize the path. A WebSocket's event has none.
    If the path names no app, `appId` is the app of the caller's key.
    """
    request = event.get("requestContext") or {}
    context = request.get("authorizer") or {}
    context = context.get("lambda") or context  # An HTTP API puts it one level deeper.
    needed = ("keyId", "accountId", *_MEMBERS.get(str(context.get("scope")), ("scope",)))
    headers = {**(event.get("headers") or {}), **(event.get("multiValueHeaders") or {})}
    if not all(context.get(name) for name in needed) or context["scope"] not in _MEMBERS:
        raise NotAuthorized
    if "connectionId" in request:
        return {**context}
    if not _OVERRIDES.isdisjoint(map(str.lower, headers)):
        raise NotAuthorized
    asked = event.get("rawPath") or event.get("path") or ""
    segments = [unquote(part) for part in asked[1:].split("/")]
    patterns = (re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)) for path in paths)
    fitting = (re.fullmatch(pattern, "/" + "/".join(segments)) for pattern in patterns)
    ids = next((match.groupdict() for match in fitting if match), None)
    if ids is None or not all(map(_SEGMENT.fullmatch, segments)):
        raise NotAuthorized
    is_own = all(_is_own(context, ids, name, value) for name, value in ids.items())
    if not is_own or ("userId" in ids and _APP.isdisjoint([*ids, *context])):
        raise NotAuthorized  # A user id is unique only within an app.
    return {**ids, **context}


def _is_own(context: Mapping[str, str], ids: Mapping[str, str], name: str, value: str) -> bool:
    if bound := {"userId": "appUser", "integrationId": "integration"}.get(name):
        return context["scope"] != bound or value == context[name]
    if name in _NESTED and context["scope"] == "account":
        owner = context.get("serviceAccountId") or context["accountId"]
        return value.startswith(owner) and re.fullmatch(_NESTED[name], value) is not None
    if name == "appExternalId" and context["scope"] == "account":  # Look it up in the account.
        return "serviceAccountId" not in context and not _ACCOUNT.isdisjoint(ids)
    return name not in {*_ACCOUNT, *_APP, *_NESTED} or value == context.get(name)
