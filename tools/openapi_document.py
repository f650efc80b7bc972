"""The OpenAPI document of the management API, generated from its routes.

Powertools describes routes, request bodies and responses. This module adds what Powertools does not
know: who may call, the query parameters of lists, and the errors.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn, cast

from keyscope.access.policy import OWN_KEY_PATH
from keyscope.management_api.api import management_api
from keyscope.management_api.error_responses import V11_PREFIX
from keyscope.management_api.explanations import add_explanations
from keyscope.management_api.paging import DEFAULT_SIZE, MAX_OFFSET, MAX_SIZE
from keyscope.management_api.permissions import add_permissions
from keyscope.model.ids import APP_ID_PATTERN, SERVICE_ACCOUNT_ID_PATTERN

TITLE: Final = "Keyscope management API"
VERSION: Final = "1"
DESCRIPTION: Final = (
    "Manages apps, their keys, and service accounts. The v1.1 paths require the route set"
    " v1.1-short or v1.1. A"
    " missing or invalid credential gets 401; a credential that is not allowed to use the path"
    " gets 403."
)

Json = dict[str, Any]

_CURSOR: Final = {
    "type": "string",
    "pattern": f"^{APP_ID_PATTERN}$",
    "description": "A cursor from a page of the same list. It begins with the id of the account"
    " or service account whose apps the list contains.",
}
_SERVICE_ACCOUNT_ID: Final = {"type": "string", "pattern": f"^{SERVICE_ACCOUNT_ID_PATTERN}$"}
_PAGE: Final = {
    "name": "page",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "description": "The page to return: `page[size]`, and `page[after]` or `page[before]` with a"
    ' cursor from an earlier page. JSON works as well: `page={"size":10}`.',
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE},
            "after": _CURSOR,
            "before": _CURSOR,
        },
        "not": {"required": ["after", "before"]},
    },
}
_CREATOR: Final = {
    "name": "serviceAccountId",
    "in": "query",
    "description": "Only the apps that this service account created.",
    "schema": _SERVICE_ACCOUNT_ID,
}
_FILTER: Final = {
    "name": "filter",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "description": "`filter[serviceAccountId]`: only the apps that this service account created.",
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "serviceAccountId": _SERVICE_ACCOUNT_ID,
        },
    },
}


def _whole_number(name: str, description: str, least: int, most: int, default: int) -> Json:
    bounds = {"minimum": least, "maximum": most, "default": default}
    schema = {"type": "integer", **bounds}
    return {"name": name, "in": "query", "description": description, "schema": schema}


_OFFSET_QUERY: Final = [
    _whole_number("limit", "Number of items to list.", 1, MAX_SIZE, DEFAULT_SIZE),
    _whole_number(
        "offset",
        "Number of items to skip. Skipping more than 4 MB of apps can be rejected.",
        0,
        MAX_OFFSET,
        0,
    ),
]
_QUERIES: Final = {
    "ListApps": [_PAGE, _FILTER],
    "ListAppsV11": [*_OFFSET_QUERY, _CREATOR],
    "ListServiceAccounts": _OFFSET_QUERY,
}
_SUSPENDED: Final = "`account_suspended`"
_TOO_MANY_KEYS: Final = f"`too_many_keys`, {_SUSPENDED}"
_TOO_MANY_APPS: Final = f"`too_many_apps`, {_SUSPENDED}"
_NAME_TAKEN: Final = "`name_taken`"
_NOT_ROTATED: Final = f"`key_expired`, `overlap_running`, `changed_meanwhile`, {_SUSPENDED}"
_CONFLICTS: Final = {
    "CreateApp": _TOO_MANY_APPS,
    "CreateAppV11": _TOO_MANY_APPS,
    "CreateAppKey": _TOO_MANY_KEYS,
    "CreateAppKeyV11": _TOO_MANY_KEYS,
    "CreateIntegrationKey": _TOO_MANY_KEYS,
    "CreateServiceAccountKeyV11": _TOO_MANY_KEYS,
    "RotateAppKey": _NOT_ROTATED,
    "RotateAppKeyV11": _NOT_ROTATED,
    "RotateIntegrationKey": _NOT_ROTATED,
    "RotateServiceAccountKeyV11": _NOT_ROTATED,
    "UpdateAppKey": _SUSPENDED,
    "UpdateAppKeyV11": _SUSPENDED,
    "UpdateIntegrationKey": _SUSPENDED,
    "UpdateServiceAccountKeyV11": _SUSPENDED,
    "CreateServiceAccount": f"{_NAME_TAKEN}, {_SUSPENDED}",
    "UpdateServiceAccount": _NAME_TAKEN,
    "DeleteServiceAccount": "`owns_apps`",
}
"""The error codes of 409, by operation."""

_WRITING: Final = ("Create", "Update", "Delete", "Rotate", "End")
"""The prefixes of the ids of operations that change something."""

_ERRORS_V2: Final = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "title"],
                "properties": {"code": {"type": "string"}, "title": {"type": "string"}},
            },
        }
    },
}
_ERROR_V11: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "description"],
            "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
        }
    },
}
_BY_GATEWAY_ALONE: Final = {"401", "429"}
_BY_GATEWAY_TOO: Final = {"403", "500"}
_SERVER: Final = {
    "url": "https://{api}.execute-api.{region}.amazonaws.com/{stage}",
    "description": "The stack's output RestApiUrl.",
    "variables": {
        "api": {"default": "api-id"},
        "region": {"default": "us-east-1"},
        "stage": {"default": "prod"},
    },
}
_OF_APPS_TOO: Final = {"GetApp", "UpdateApp"}
_FORBIDDEN: Final = "`forbidden`: the credential is not allowed to use the path"
_FORBIDDEN_BY_OPERATION: Final = {
    "EndOwnKey": "`forbidden`: the key's limits do not allow its use; `key_required`: a token"
    " cannot revoke its key",
}
_DONE: Final = {"200": "Done", "201": "Created"}
_POWERTOOLS_OWN: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
"""Schemas of responses that this API never returns."""


def openapi_document() -> Json:
    """Return the document, ready to be written as JSON."""
    api = management_api(_no_operations, lambda _: None)
    add_explanations(api, _no_operations)
    add_permissions(api, _no_operations)
    text = api.get_openapi_json_schema(title=TITLE, version=VERSION, description=DESCRIPTION)
    document = cast("Json", _without_titles(json.loads(text)))
    document["info"]["title"] = TITLE
    document["servers"] = [_SERVER]
    document["security"] = [{"basic": []}, {"bearer": []}]
    components = document["components"]
    components["securitySchemes"] = {
        "basic": {"type": "http", "scheme": "basic", "description": "Key id and secret."},
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key's secret, or a JWT signed with it.",
        },
    }
    for name in _POWERTOOLS_OWN:
        components["schemas"].pop(name, None)
    components["schemas"] |= {"Errors": _ERRORS_V2, "ErrorV11": _ERROR_V11}
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete(path, operation)
    return document


def _complete(path: str, operation: Json) -> None:
    """Add to an operation what Powertools does not know."""
    operation["x-keyscope-callers"] = _callers_of(path, operation["operationId"])
    query = _QUERIES.get(operation["operationId"], [])
    operation["parameters"] = [*operation.get("parameters", []), *query]
    responses = operation["responses"]
    del responses["422"]
    for status, response in responses.items():
        response["description"] = _DONE[status]
    own = "ErrorV11" if path.startswith(V11_PREFIX) else "Errors"
    for status, description in _errors_of(path, operation):
        # API Gateway's own responses have the v2 shape on every path.
        names = {"Errors"} if status in _BY_GATEWAY_ALONE else {own}
        names |= {"Errors"} if status in _BY_GATEWAY_TOO else set()
        refs = [{"$ref": f"#/components/schemas/{name}"} for name in sorted(names)]
        schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
        content = {"application/json": {"schema": schema}}
        responses[status] = {"description": description, "content": content}


def _callers_of(path: str, operation_id: str) -> str:
    if path.startswith(f"{V11_PREFIX}serviceaccounts"):
        return "account, with a user account's key"
    if path == OWN_KEY_PATH:
        return "account, app, integration"
    is_of_apps = operation_id in _OF_APPS_TOO or "{integrationId}" in path
    return "account, app" if is_of_apps else "account"


def _not_found_of(path: str) -> str:
    if path.startswith(f"{V11_PREFIX}serviceaccounts"):
        return "`not_found`"
    is_below = "{keyId}" in path or "{integrationId}" in path
    return "`app_not_found`, `not_found`" if is_below else "`app_not_found`"


def _errors_of(path: str, operation: Json) -> Iterator[tuple[str, str]]:
    """Yield the statuses of an operation's errors, with their meanings."""
    has_body = "requestBody" in operation
    places = {parameter["in"] for parameter in operation["parameters"]}
    if has_body or "query" in places:
        yield "400", "`bad_request`: lists what is wrong with the request, at most 20 errors"
    yield "401", "`unauthorized`: the credential is missing or invalid"
    yield "403", _FORBIDDEN_BY_OPERATION.get(operation["operationId"], _FORBIDDEN)
    if "path" in places:
        yield "404", f"{_not_found_of(path)}: it does not exist, or is not the caller's"
    if codes := _CONFLICTS.get(operation["operationId"]):
        yield "409", codes
    if has_body:
        yield "413", "`body_too_large`: more than 100 KB"
        yield "415", "`unsupported_media_type`: the content type is not JSON"
    yield "429", "`too_many_requests`: API Gateway throttled the request"
    yield "500", "`internal_error`: the request had its whole effect or none"
    if operation["operationId"].startswith(_WRITING):
        yield "503", "`too_many_changes`: nothing was changed. Retry after `Retry-After` seconds"


def _without_titles(value: object) -> object:
    """Drop the titles that pydantic derives from names."""
    match value:
        case dict():
            return {
                name: _without_titles(member)
                for name, member in value.items()
                if not (name == "title" and isinstance(member, str))
            }
        case list():
            return [_without_titles(member) for member in value]
        case _:
            return value


def _no_operations() -> NoReturn:
    message = "to describe the routes calls none of them"
    raise AssertionError(message)
