"""Errors as answers: their status, and their shape in each version."""

import json
from http import HTTPStatus
from typing import Any, Final

import pytest

from keyscope.errors import (
    Conflict,
    Fault,
    Forbidden,
    InvalidInput,
    KeyscopeError,
    NotFound,
    Reason,
    Unavailable,
)
from keyscope.lifecycle.directory import (
    AccountSuspended,
    ChangedMeanwhile,
    IdTaken,
    KeyExpired,
    KeyNotFound,
    NameTaken,
    OverlapRunning,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    SkipTooCostly,
    TooManyApps,
    TooManyKeys,
)
from keyscope.lifecycle.own_limits import Exceeded, ExceedsOwnLimits
from keyscope.management_api.error_responses import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NO_ROUTE,
    ErrorResponse,
    body_of,
    error_response_of,
    faults_of_schema,
)

V2: Final = "/v2/apps"
V1_1: Final = "/v1.1/apps"
SERVICE_ACCOUNTS: Final = "/v1.1/serviceaccounts"


@pytest.mark.parametrize(
    ("error", "path", "status", "code"),
    [
        (Forbidden(), V2, 403, "forbidden"),
        (ExceedsOwnLimits(Exceeded.PERMISSIONS), V2, 403, "exceeds_own_limits"),
        (ExceedsOwnLimits(Exceeded.EXPIRES_AT), V1_1, 403, "exceeds_own_limits"),
        (OwnerNotFound(), V2, 404, "app_not_found"),
        (OwnerNotFound(), V1_1, 404, "app_not_found"),
        (OwnerNotFound(), SERVICE_ACCOUNTS, 404, "not_found"),
        (OwnerNotFound(), f"{SERVICE_ACCOUNTS}/x/keys", 404, "not_found"),
        (KeyNotFound(), V2, 404, "not_found"),
        (KeyNotFound(), SERVICE_ACCOUNTS, 404, "not_found"),
        (TooManyKeys(), V2, 409, "too_many_keys"),
        (TooManyApps(7), V2, 409, "too_many_apps"),
        (SkipTooCostly(), V1_1, 400, "bad_request"),
        (NameTaken(), SERVICE_ACCOUNTS, 409, "name_taken"),
        (OwnsApps(), SERVICE_ACCOUNTS, 409, "owns_apps"),
        (OwnsServiceAccounts(), V2, 409, "owns_service_accounts"),
        (AccountSuspended(), V2, 409, "account_suspended"),
        (KeyExpired(), V2, 409, "key_expired"),
        (OverlapRunning(), V2, 409, "overlap_running"),
        (ChangedMeanwhile(), V2, 409, "changed_meanwhile"),
        (Unavailable(Reason.KMS_UNAVAILABLE, "AccessDenied"), V2, 500, "internal_error"),
        (IdTaken(), V2, 500, "internal_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_has_its_status_and_code(
    error: KeyscopeError, path: str, status: int, code: str
) -> None:
    response = error_response_of(error, path)
    assert (response.status, [fault.code for fault in response.faults]) == (status, [code])


@pytest.mark.parametrize(
    ("kind", "status"), [(NotFound, HTTPStatus.NOT_FOUND), (Conflict, HTTPStatus.CONFLICT)]
)
def test_every_kind_of_a_missing_thing_and_of_a_conflict_has_an_answer(
    kind: type[KeyscopeError], status: HTTPStatus
) -> None:
    errors = [each(7) if each is TooManyApps else each() for each in kind.__subclasses__()]
    assert errors
    assert {error_response_of(error, V2).status for error in errors} == {status}


def test_an_invalid_request_is_answered_with_all_its_faults() -> None:
    faults = (Fault("bad_request", "a", "is unknown"), Fault("bad_request", "b", "is required"))
    assert error_response_of(InvalidInput(faults), V2) == ErrorResponse(
        HTTPStatus.BAD_REQUEST, faults
    )


def test_what_is_the_operators_is_not_told() -> None:
    error = Unavailable(Reason.KMS_UNAVAILABLE, "AccessDeniedException")
    assert body_of(error_response_of(error, V2), V2) == json.dumps(
        {
            "errors": [
                {"code": "internal_error", "title": "An internal error occurred. Try again later"}
            ]
        }
    )


TWO_FAULTS: Final = ErrorResponse(
    HTTPStatus.BAD_REQUEST,
    (
        Fault("bad_request", "displayName", "is required"),
        Fault("bad_request", "allowedCidrs[0]", "must be a network"),
    ),
)


def test_v2_has_one_error_for_each_fault() -> None:
    assert json.loads(body_of(TWO_FAULTS, V2)) == {
        "errors": [
            {"code": "bad_request", "title": "displayName is required"},
            {"code": "bad_request", "title": "allowedCidrs[0] must be a network"},
        ]
    }


def test_v1_1_has_one_error_that_describes_all_faults() -> None:
    assert json.loads(body_of(TWO_FAULTS, V1_1)) == {
        "error": {
            "code": "bad_request",
            "description": "displayName is required; allowedCidrs[0] must be a network",
        }
    }


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/v1.1/apps", "error"),
        ("/v1.1/", "error"),
        ("/v1.1/nothing", "error"),
        ("/v1.1", "errors"),
        ("/v1.10/apps", "errors"),
        ("/v2/v1.1/apps", "errors"),
        ("/", "errors"),
        ("", "errors"),
    ],
)
def test_the_path_tells_the_version(path: str, member: str) -> None:
    assert list(json.loads(body_of(NO_ROUTE, path))) == [member]


@pytest.mark.parametrize(
    ("response", "status", "title"),
    [
        (NO_ROUTE, 404, "Resource not found"),
        (METHOD_NOT_ALLOWED, 405, "The resource does not support this method"),
        (INTERNAL, 500, "An internal error occurred. Try again later"),
    ],
)
def test_a_refusal_without_a_field_is_a_sentence_of_its_own(
    response: ErrorResponse, status: int, title: str
) -> None:
    (error,) = json.loads(body_of(response, V2))["errors"]
    assert (response.status, error["title"]) == (status, title)


def schema_error(kind: str, *loc: str | int, **more: object) -> dict[str, Any]:
    return {"type": kind, "loc": ("body", *loc), "msg": "Input should be odd", "input": {}, **more}


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (schema_error("missing"), "The body is required"),
        (schema_error("missing", "displayName"), "displayName is required"),
        (schema_error("extra_forbidden", "a"), "a is unknown"),
        (schema_error("model_attributes_type"), "The body must be an object"),
        (schema_error("model_type", "settings"), "settings must be an object"),
        (schema_error("dict_type", "metadata"), "metadata must be an object"),
        (schema_error("bool_type", "settings", "a"), "settings.a must be odd"),
        (schema_error("string_type", "allowedCidrs", 2), "allowedCidrs[2] must be odd"),
        (schema_error("string_type", "a", 0, "b", 1), "a[0].b[1] must be odd"),
        (
            schema_error("value_error", "a", ctx={"error": ValueError("must be even")}),
            "a must be even",
        ),
        (
            schema_error("json_invalid", 17, ctx={"error": "must be valid JSON"}),
            "The body must be valid JSON",
        ),
    ],
)  # fmt: skip
def test_what_a_schema_finds_is_told_as_a_sentence(error: dict[str, Any], title: str) -> None:
    response = ErrorResponse(HTTPStatus.BAD_REQUEST, faults_of_schema([error]))
    assert json.loads(body_of(response, V2))["errors"] == [{"code": "bad_request", "title": title}]


def test_odd_characters_of_a_callers_own_are_escaped() -> None:
    faults = [Fault("bad_request", '"\ud800\u2028<', "is unknown")]
    body = body_of(ErrorResponse(HTTPStatus.BAD_REQUEST, faults), V2)
    assert body.isascii()
    assert json.loads(body)["errors"][0]["title"] == '"\ud800\u2028< is unknown'


def test_the_limit_of_apps_is_named() -> None:
    assert " 7 apps" in error_response_of(TooManyApps(7), V2).faults[0].title
