"""Error responses, in the format of the API version that the caller uses.

v2     {"errors": [{"code": ..., "title": ...}, ...]}
v1.1   {"error": {"code": ..., "description": ...}}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from keyscope.errors import (
    Contended,
    Fault,
    Forbidden,
    InvalidInput,
    KeyscopeError,
    NotFound,
    Reason,
    bounded_faults,
)
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    AccountSuspended,
    ChangedMeanwhile,
    ExternalIdTaken,
    KeyExpired,
    NameTaken,
    OverlapRunning,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    SkipTooCostly,
    TooManyApps,
    TooManyKeys,
)
from keyscope.lifecycle.management import IntegrationNotFound, KeyRequired, KeysAreOfTheApp
from keyscope.lifecycle.own_limits import ExceedsOwnLimits

V11_PREFIX = "/v1.1/"


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A status and what is wrong. Only a 400 has several faults."""

    status: HTTPStatus
    faults: Sequence[Fault]


def error_response(status: HTTPStatus, code: str, title: str) -> ErrorResponse:
    """Return an error response with one fault."""
    return ErrorResponse(status, (Fault(code, "", title),))


NO_ROUTE = error_response(HTTPStatus.NOT_FOUND, "not_found", "Resource not found")
METHOD_NOT_ALLOWED = error_response(
    HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "The resource does not support this method"
)
INTERNAL = error_response(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal_error",
    "An internal error occurred. Try again later",
)
CONTENDED = error_response(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.TOO_MANY_CHANGES,
    "Too many concurrent changes with this key or to this resource. Nothing was changed. Try again",
)
RETRY_AFTER_SECONDS = 5
"""When to retry a change that other changes blocked."""


def _conflict(code: str, title: str) -> ErrorResponse:
    return error_response(HTTPStatus.CONFLICT, code, title)


_ERROR_RESPONSES: Mapping[type[KeyscopeError], ErrorResponse] = {
    Forbidden: error_response(
        HTTPStatus.FORBIDDEN, "forbidden", "The credential is not allowed to access this resource"
    ),
    KeysAreOfTheApp: error_response(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        "An account key that is limited to permissions cannot use this path. Use"
        " /v2/apps/{appId}/keys",
    ),
    KeyRequired: error_response(
        HTTPStatus.FORBIDDEN,
        "key_required",
        "A token cannot revoke its key. Send the key's secret instead",
    ),
    AccountSuspended: _conflict(
        "account_suspended",
        "The account is suspended, so nothing can be created, rotated or enabled. Ask the"
        " operator to resume it",
    ),
    TooManyKeys: _conflict(
        "too_many_keys", f"The limit of {MAX_KEYS_PER_OWNER} keys is reached. Delete one first"
    ),
    NameTaken: _conflict(
        "name_taken", "Another service account has this name. Choose another name"
    ),
    # Only the provisioning function creates what has an external id.
    ExternalIdTaken: _conflict(
        "external_id_taken", "The external id is already used. Choose another"
    ),
    OwnsApps: _conflict("owns_apps", "The service account still has apps. Delete them first"),
    OwnsServiceAccounts: _conflict(
        "owns_service_accounts", "The account still has service accounts. Delete them first"
    ),
    KeyExpired: _conflict(
        "key_expired",
        "The key has expired, so a new secret would not work. Set a later expiresAt first, or"
        " create another key",
    ),
    OverlapRunning: _conflict(
        "overlap_running",
        "The previous secret is still accepted. End the overlap first, or rotate without one",
    ),
    ChangedMeanwhile: _conflict(
        "changed_meanwhile",
        "Another request changed the key at the same time. Read the key and try again",
    ),
    SkipTooCostly: ErrorResponse(
        HTTPStatus.BAD_REQUEST,
        (
            Fault(
                "bad_request",
                "offset",
                "is too large to read in one request. Use a smaller offset, or list apps by"
                " cursor with v2",
            ),
        ),
    ),
    Contended: CONTENDED,
}


def error_response_of(error: KeyscopeError, path: str) -> ErrorResponse:
    """Return the response to a request whose operation raised an error."""
    match error:
        case InvalidInput():
            return ErrorResponse(HTTPStatus.BAD_REQUEST, error.faults)
        case ExceedsOwnLimits():
            fault = Fault(
                "exceeds_own_limits",
                error.member,
                "exceeds the limits of the key that you use. Narrow it, or use another key",
            )
            return ErrorResponse(HTTPStatus.FORBIDDEN, (fault,))
        case NotFound():
            return error_response(HTTPStatus.NOT_FOUND, *_code_and_title(error, path))
        case TooManyApps():
            return _conflict(
                "too_many_apps",
                f"The limit of {error.limit} apps is reached. Delete an app first, or ask the"
                f" operator to raise the limit",
            )
        case _:
            return _ERROR_RESPONSES.get(type(error), INTERNAL)


def _code_and_title(error: NotFound, path: str) -> tuple[str, str]:
    if isinstance(error, IntegrationNotFound):
        return "not_found", "Integration not found: an integration id has 24 hex characters"
    if not isinstance(error, OwnerNotFound):
        return "not_found", "Key not found"
    if path.startswith(f"{V11_PREFIX}serviceaccounts"):
        return "not_found", "Service account not found"
    return "app_not_found", "App not found"


def body_of(response: ErrorResponse, path: str) -> str:
    """Return the body of a response, in the format that the path's API version uses."""
    titles = [_sentence(fault) for fault in response.faults]
    if path.startswith(V11_PREFIX):
        code = response.faults[0].code
        return json.dumps({"error": {"code": code, "description": "; ".join(titles)}})
    pairs = zip(response.faults, titles, strict=True)
    return json.dumps({"errors": [{"code": fault.code, "title": title} for fault, title in pairs]})


def faults_of_schema(errors: Sequence[Mapping[str, Any]]) -> tuple[Fault, ...]:
    """Return the errors that pydantic found, up to a limit, each with its member's dotted name."""
    return bounded_faults(Fault("bad_request", _field(error), _title(error)) for error in errors)


def _sentence(fault: Fault) -> str:
    if fault.field:
        return f"{fault.field} {fault.title}"
    return f"The body {fault.title}" if fault.title.startswith(("must", "is ")) else fault.title


def _field(error: Mapping[str, Any]) -> str:
    """Return the dotted name of a member, without the part of the request that contains it."""
    field = ""
    # For malformed JSON, the second part is a position in the text.
    for part in () if error["type"] == "json_invalid" else error["loc"][1:]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else part
    return field


def _title(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is unknown"
        case "model_attributes_type" | "model_type" | "dict_type":
            return "must be an object"
        case "value_error" | "json_invalid":
            return str(error["ctx"]["error"])
        case _:
            return str(error["msg"]).replace("Input should", "must")
