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


NO_ROUTE = error_response(HTTPStatus.NOT_FOUND, "not_found", "There is no such resource")
METHOD_NOT_ALLOWED = error_response(
    HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "The resource does not have this method"
)
INTERNAL = error_response(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The request could not be answered now"
)
CONTENDED = error_response(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.TOO_MANY_CHANGES,
    "Too many changes at once with this key or to this resource. Nothing was changed; try again",
)
RETRY_AFTER_SECONDS = 5
"""When to retry a change that other changes blocked."""


def _conflict(code: str, title: str) -> ErrorResponse:
    return error_response(HTTPStatus.CONFLICT, code, title)


_ERROR_RESPONSES: Mapping[type[KeyscopeError], ErrorResponse] = {
    Forbidden: error_response(
        HTTPStatus.FORBIDDEN, "forbidden", "The credential does not reach this resource"
    ),
    KeysAreOfTheApp: error_response(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        "With a key of account scope that is limited to permissions, use /v2/apps/{appId}/keys",
    ),
    KeyRequired: error_response(
        HTTPStatus.FORBIDDEN,
        "key_required",
        "A token cannot revoke its key. Send the key's secret instead",
    ),
    AccountSuspended: _conflict(
        "account_suspended",
        "The account is suspended, so nothing can be created, rotated or enabled in it. Ask the"
        " operator to resume it",
    ),
    TooManyKeys: _conflict(
        "too_many_keys", f"There are {MAX_KEYS_PER_OWNER} keys already; delete one first"
    ),
    NameTaken: _conflict("name_taken", "Another service account has this name; choose another"),
    # Only the provisioning function creates what has an external id.
    ExternalIdTaken: _conflict("external_id_taken", "The external id is taken; choose another"),
    OwnsApps: _conflict(
        "owns_apps", "The service account has apps that it created; delete them first"
    ),
    OwnsServiceAccounts: _conflict(
        "owns_service_accounts", "The account has service accounts; delete them first"
    ),
    KeyExpired: _conflict(
        "key_expired",
        "The key has expired, so a new secret would not work. Set a later expiresAt first, or"
        " create another key",
    ),
    OverlapRunning: _conflict(
        "overlap_running",
        "The previous secret is still accepted; end the overlap first, or rotate without one",
    ),
    ChangedMeanwhile: _conflict(
        "changed_meanwhile", "The key was changed at the same time; look at it and try again"
    ),
    SkipTooCostly: ErrorResponse(
        HTTPStatus.BAD_REQUEST,
        (
            Fault(
                "bad_request",
                "offset",
                "skips more data than one request can read. Use a smaller offset, or list v2 apps"
                " by cursor",
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
                "must be within the limits of the key that you use. Narrow it, or use another key",
            )
            return ErrorResponse(HTTPStatus.FORBIDDEN, (fault,))
        case NotFound():
            return error_response(HTTPStatus.NOT_FOUND, *_code_and_title(error, path))
        case TooManyApps():
            return _conflict(
                "too_many_apps",
                f"You already have {error.limit} apps, the most that one account or service account"
                " can create. Delete an app first, or ask the operator to raise the limit",
            )
        case _:
            return _ERROR_RESPONSES.get(type(error), INTERNAL)


def _code_and_title(error: NotFound, path: str) -> tuple[str, str]:
    if isinstance(error, IntegrationNotFound):
        return "not_found", "There is no such integration: its id is 24 hex characters"
    if not isinstance(error, OwnerNotFound):
        return "not_found", "There is no such key"
    if path.startswith(f"{V11_PREFIX}serviceaccounts"):
        return "not_found", "There is no such service account"
    return "app_not_found", "There is no such app"


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
