"""The routes of the management API over a directory in memory: what is answered, and to whom."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

import pytest

from keyscope.entry.management import ManagementHandler
from keyscope.lifecycle.management import Management
from keyscope.lifecycle.operations import Provisioning
from keyscope.management_api.requests import MAX_BODY_BYTES
from keyscope.model.ids import OwnerType
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import Scope
from tests.support.builders import ACCOUNT, OTHER_APP, USER
from tests.support.logs import Lines, lines_logged_by
from tests.support.management import (
    INTERNAL_ERROR,
    ORIGIN,
    SERVICE_ACCOUNTS,
    V1_1,
    V2,
    Caller,
    answer_of,
    app_of,
    as_app,
    key_of,
    new_caller,
    proxy_event,
    service_account_of,
)

NAME_TITLE: Final = (
    "must be a string of 1 to 100 characters, at least one of them visible, without control"
    " characters, line separators and text-direction marks. Remove those, or use another name"
)
SELF: Final = "/v2/keys/self"


@pytest.fixture
def other(handler: ManagementHandler, provisioning: Provisioning) -> Caller:
    return new_caller(handler, provisioning)


@pytest.fixture
def log(handler: ManagementHandler) -> Iterator[Callable[[], Lines]]:
    """What was logged since it was last asked for."""
    del handler  # Its logger is there by now.
    with lines_logged_by("management") as lines:
        yield lines


@pytest.mark.parametrize("name", ["Host", "host", "X-Forwarded-Host", "Forwarded"])
def test_no_header_chooses_where_links_lead(caller: Caller, name: str) -> None:
    for _ in range(2):
        app_of(caller)
    headers = {name: "evil.example", "X-Forwarded-Proto": "javascript"}
    page = caller.call("GET", V2, query={"page[size]": "1"}, headers=headers).json
    assert page["links"]["next"].startswith("https://api.example/prod/v2/apps?")


def test_links_are_relative_where_the_event_names_no_domain(caller: Caller) -> None:
    for _ in range(2):
        app_of(caller)
    query = {"page[size]": "1"}
    event = proxy_event(
        "GET", V2, {"principalId": caller.principal.name, **caller.principal.context()}, query=query
    )
    context = dict(cast("dict[str, object]", event["requestContext"]))
    del context["domainName"]
    page = caller.call("GET", V2, query=query, requestContext=context).json
    assert page["links"]["next"].startswith("/prod/v2/apps?")


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"displayName": "x"}),
        ("DELETE", "", None),
        ("GET", "/keys", None),
        ("POST", "/keys", {"displayName": "x"}),
        ("GET", "/keys/{key}", None),
        ("PATCH", "/keys/{key}", {"displayName": "x"}),
        ("POST", "/keys/{key}/rotate", {}),
        ("DELETE", "/keys/{key}/overlap", None),
        ("DELETE", "/keys/{key}", None),
    ],
)
def test_what_is_not_yours_is_answered_as_what_is_not_there(
    method: str, rest: str, body: object, caller: Caller, other: Caller
) -> None:
    theirs = app_of(other)
    key_id = key_of(other, theirs)["id"]
    gone = app_of(caller)
    caller.call("DELETE", f"{V2}/{gone}")
    answers = [
        caller.call(method, f"{V2}/{app_id}{rest.format(key=key_id)}", body)
        for app_id in (theirs, gone, OTHER_APP, "x", caller.principal.account_id)
    ]
    assert {answer.text for answer in answers} == {
        '{"errors": [{"code": "app_not_found", "title": "App not found"}]}'
    }
    assert {answer.status for answer in answers} == {404}
    assert len({str(answer.headers) for answer in answers}) == 1
    assert other.call("GET", f"{V2}/{theirs}/keys/{key_id}").json["key"]["displayName"] == "Server"


@pytest.mark.parametrize("rest", ["", "/keys", "/keys/{key}"])
def test_a_service_account_of_others_is_answered_as_none(
    rest: str, caller: Caller, other: Caller
) -> None:
    theirs, _ = service_account_of(other)
    answers = [
        caller.call("GET", f"{SERVICE_ACCOUNTS}/{owner_id}{rest.format(key='svc_' + '0' * 24)}")
        for owner_id in (theirs, caller.principal.account_id + "ffff", "x")
    ]
    assert {(answer.status, answer.text) for answer in answers} == {
        (404, '{"error": {"code": "not_found", "description": "Service account not found"}}')
    }


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"displayName": "x"}),
        ("POST", "/rotate", {}),
        ("DELETE", "/overlap", None),
        ("DELETE", "", None),
    ],
)
def test_a_key_of_another_owner_is_answered_as_none(
    method: str, rest: str, body: object, caller: Caller
) -> None:
    app_id, sibling = app_of(caller), app_of(caller)
    siblings_key = key_of(caller, sibling)["id"]
    own_account_key = caller.principal.key_id
    answers = [
        caller.call(method, f"{V2}/{app_id}/keys/{key_id}{rest}", body)
        for key_id in (siblings_key, own_account_key, "app_" + "0" * 24, "x", "x" * 3_000)
    ]
    assert {(answer.status, answer.text) for answer in answers} == {
        (404, '{"errors": [{"code": "not_found", "title": "Key not found"}]}')
    }
    assert caller.call("GET", f"{V2}/{sibling}/keys/{siblings_key}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", V2, {"displayName": "x"}),
        ("GET", V2, None),
        ("DELETE", f"{V2}/{{app}}", None),
        ("GET", f"{V2}/{{app}}/keys", None),
        ("POST", f"{V2}/{{app}}/keys", {"displayName": "x"}),
        ("GET", V1_1, None),
        ("GET", SERVICE_ACCOUNTS, None),
        ("POST", SERVICE_ACCOUNTS, {"name": "x"}),
    ],
)
def test_an_apps_key_manages_nothing(method: str, path: str, body: object, caller: Caller) -> None:
    app_id = app_of(caller)
    for one in (as_app(caller, app_id), as_app(caller, app_id, USER)):
        refused = one.call(method, path.format(app=app_id), body)
        assert refused.status == 403
        assert "forbidden" in refused.text


def test_an_apps_key_may_get_and_change_its_app(caller: Caller) -> None:
    app_id = app_of(caller)
    own = as_app(caller, app_id)
    assert own.call("PATCH", f"{V2}/{app_id}", {"displayName": "New"}).status == 200
    assert own.call("GET", f"{V2}/{app_id}").json["app"]["displayName"] == "New"
    assert own.call("GET", f"{V2}/{app_of(caller)}").status == 404
    assert as_app(caller, app_id, USER).call("GET", f"{V2}/{app_id}").status == 403


def test_a_service_accounts_key_manages_no_service_accounts(caller: Caller) -> None:
    owner_id, robot = service_account_of(caller)
    for path in (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}/{owner_id}"):
        refused = robot.call("GET", path)
        assert (refused.status, refused.json["error"]["code"]) == (403, "forbidden")


HOLDERS: Final = ["account", "service account", "app"]


def holder_of(kind: str, caller: Caller) -> Caller:
    """Return a caller with a key of this kind of owner."""
    if kind == "service account":
        return service_account_of(caller)[1]
    return as_app(caller, app_of(caller)) if kind == "app" else caller


def sent_as(caller: Caller, kind: CredentialKind, generation: int = 1) -> Caller:
    """Return the caller with another kind of credential, or an earlier or later secret."""
    principal = replace(caller.principal, credential_kind=kind, secret_generation=generation)
    return replace(caller, principal=principal)


@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("proof", [CredentialKind.BASIC, CredentialKind.BEARER_SECRET])
def test_a_key_sees_all_of_itself_but_its_secret(
    kind: str, proof: CredentialKind, caller: Caller
) -> None:
    own = sent_as(holder_of(kind, caller), proof)
    seen = own.call("GET", SELF)
    assert seen.status == 200
    key = dict(seen.json["key"])
    assert (key.pop("id"), key.pop("scope"), key.pop("state")) == (
        own.principal.key_id,
        own.principal.scope.value,
        "active",
    )
    assert key.keys() <= {"displayName", "createdAt", "lastUsedAt"}


def test_a_key_sees_its_limits_and_its_overlap(caller: Caller) -> None:
    keys = f"{V2}/{app_of(caller)}/keys"
    body = {"displayName": "Job", "expiresAt": "2099-01-01T00:00:00Z"}
    created = caller.call("POST", keys, {**body, "allowedCidrs": ["192.0.2.0/24"]}).json["key"]
    caller.call("POST", f"{keys}/{created['id']}/rotate", {"overlapSeconds": 60})
    own = replace(caller, principal=key_principal(keys, created["id"]))
    key = own.call("GET", SELF).json["key"]
    assert (key["displayName"], key["expiresAt"], key["allowedCidrs"]) == (
        "Job",
        "2099-01-01T00:00:00Z",
        ["192.0.2.0/24"],
    )
    assert {"rotatedAt", "previousSecretEndsAt"} < key.keys()


def key_principal(keys: str, key_id: str) -> Principal:
    app_id = keys.removeprefix(f"{V2}/").removesuffix("/keys")
    return Principal(Scope.APP, key_id, OwnerType.APP, app_id)


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_token_sees_what_it_may_do_and_does_not_end_its_key(kind: str, caller: Caller) -> None:
    own = sent_as(holder_of(kind, caller), CredentialKind.JWT)
    principal = own.principal
    assert own.call("GET", SELF).json == {
        "key": {"id": principal.key_id, "scope": principal.scope.value, "state": "active"}
    }
    refused = own.call("DELETE", SELF)
    assert (refused.status, refused.codes) == (403, ["key_required"])
    assert own.call("GET", SELF).status == 200


@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("proof", [CredentialKind.BASIC, CredentialKind.BEARER_SECRET])
def test_a_key_ends_itself_as_often_as_it_is_asked_to(
    kind: str, proof: CredentialKind, caller: Caller
) -> None:
    own = sent_as(holder_of(kind, caller), proof)
    assert [
        (ended.status, ended.text) for ended in (own.call("DELETE", SELF) for _ in range(2))
    ] == [
        (200, "{}"),
        (200, "{}"),
    ]
    assert own.call("GET", SELF).status == 403


def test_a_previous_secret_ends_its_overlap_alone(caller: Caller) -> None:
    app_id = app_of(caller)
    first = as_app(caller, app_id)
    one = f"{V2}/{app_id}/keys/{first.principal.key_id}"
    caller.call("POST", f"{one}/rotate", {"overlapSeconds": 60})
    assert first.call("DELETE", SELF).text == "{}"
    assert first.call("GET", SELF).status == 403
    current = sent_as(first, CredentialKind.BASIC, generation=2)
    key = current.call("GET", SELF).json["key"]
    assert key["state"] == "active"
    assert "previousSecretEndsAt" not in key


def test_a_page_of_the_allowed_origin_can_read_a_refusal_and_nothing_else(caller: Caller) -> None:
    own = sent_as(caller, CredentialKind.JWT)
    header = "Access-Control-Allow-Origin"
    seen = [
        (each.status, each.headers.get(header))
        for each in (own.call("GET", SELF), own.call("DELETE", SELF), own.call("POST", V2, {}))
    ]
    assert seen == [(200, None), (403, [ORIGIN]), (400, None)]


def test_permissions_of_a_token_are_shown_to_it_and_need_not_be_the_keys(caller: Caller) -> None:
    own = sent_as(caller, CredentialKind.JWT)
    limits = own.principal.limits._replace(permissions=("read",))
    narrowed = replace(own, principal=replace(own.principal, limits=limits))
    assert narrowed.call("GET", SELF).json["key"]["permissions"] == ["read"]


def test_a_key_that_lost_a_permission_since_still_ends_itself(caller: Caller) -> None:
    keys = f"{V2}/{app_of(caller)}/keys"
    created = caller.call("POST", keys, {"displayName": "Job", "permissions": ["read"]}).json["key"]
    own = replace(caller, principal=key_principal(keys, created["id"]))
    assert own.call("GET", SELF).codes == ["forbidden"]
    assert own.call("DELETE", SELF).status == 200


def test_an_app_user_has_no_key_of_its_own(caller: Caller) -> None:
    user = as_app(caller, app_of(caller), USER)
    for method in ("GET", "DELETE"):
        refused = user.call(method, SELF)
        assert (refused.status, refused.codes) == (403, ["forbidden"])


def test_a_key_neither_sees_nor_ends_itself_from_outside_its_networks(caller: Caller) -> None:
    keys = f"{V2}/{app_of(caller)}/keys"
    body = {"displayName": "Job", "allowedCidrs": ["198.51.100.0/24"]}
    created = caller.call("POST", keys, body).json["key"]
    own = replace(caller, principal=key_principal(keys, created["id"]))
    assert [own.call(method, SELF).codes for method in ("GET", "DELETE")] == [["forbidden"]] * 2
    assert caller.call("GET", f"{keys}/{created['id']}").json["key"]["state"] == "active"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (V2, "GET, POST"),
        (f"{V2}/x", "GET, PATCH, DELETE"),
        (f"{V2}/x/", "GET, PATCH, DELETE"),
        (f"{V2}/x/keys", "GET, POST"),
        (f"{V2}/x/keys/y", "GET, PATCH, DELETE"),
        (f"{V2}/x/keys/y/rotate", "POST"),
        (f"{V2}/x/keys/y/overlap", "DELETE"),
        (SELF, "GET, DELETE"),
        (V1_1, "GET, POST"),
        (f"{V1_1}/x", "GET, PUT, DELETE"),
        (SERVICE_ACCOUNTS, "GET, POST"),
        (f"{SERVICE_ACCOUNTS}/x", "GET, PUT, DELETE"),
        (f"{SERVICE_ACCOUNTS}/x/keys/y/rotate", "POST"),
    ],
)
def test_another_method_is_405_with_those_that_there_are(
    path: str, allowed: str, caller: Caller
) -> None:
    for method in ("HEAD", "OPTIONS", "TRACE", "x"):
        refused = caller.call(method, path)
        assert (refused.status, refused.headers["Allow"]) == (405, [allowed])
        assert "method_not_allowed" in refused.text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v2",
        "/v2/",
        "/v2/app",
        "/v2/appss",
        "/V2/apps",
        "/v2//apps",
        "/v1.1",
        "/v2/serviceaccounts",
        "/v2/apps/x/users",
        "/v2/apps/x/keys/y/z",
        "/prod/v2/apps",
        "/v2/apps/x/keys/y/jwt",
    ],
)
def test_another_path_is_404(path: str, caller: Caller) -> None:
    for method in ("GET", "POST", "DELETE"):
        refused = caller.call(method, path)
        assert (refused.status, refused.json) == (
            404,
            {"errors": [{"code": "not_found", "title": "Resource not found"}]},
        )


@pytest.mark.parametrize(
    "app_id",
    [
        "%",
        "%2F",
        "%2e%2e",
        "..",
        "*",
        '"',
        "€",
        "é",
        "🙂",
        "a\\b",
        "a?b",
        "a#b",
        "`",
        "\x00",
        "a b",
    ],
    ids=ascii,
)
def test_an_id_of_odd_characters_is_404(app_id: str, caller: Caller) -> None:
    for rest in ("", "/keys", f"/keys/{app_id}"):
        assert caller.call("GET", f"{V2}/{app_id}{rest}").status == 404


@pytest.mark.parametrize("stage", ["v2", "v2/apps", "prod", "$default", ""])
def test_a_stage_whose_name_a_path_begins_with_changes_nothing(stage: str, caller: Caller) -> None:
    app_id = app_of(caller)
    path = f"{V2}/{app_id}"
    event = proxy_event("GET", path, caller.principal.context())
    request_context = {
        "stage": stage,
        "path": f"/{stage}{path}",
        "authorizer": caller.principal.context(),
    }
    answer = answer_of(caller.handler, {**event, "requestContext": request_context})
    assert (answer.status, answer.json["app"]["id"]) == (200, app_id)


def test_a_body_in_base64_is_read(caller: Caller) -> None:
    text = base64.b64encode('{"displayName": "Café 🙂"}'.encode()).decode()
    created = caller.call("POST", V2, text, isBase64Encoded=True)
    assert created.json["app"]["displayName"] == "Café 🙂"


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"content-type": "Application/JSON; charset=utf-8"},
        {"CONTENT-TYPE": "application/json"},
    ],
)
def test_json_is_taken_by_any_name_of_its_type(headers: object, caller: Caller) -> None:
    created = caller.call(
        "POST", V2, {"displayName": "Shop"}, headers=headers, multiValueHeaders=None
    )
    assert created.status == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
    ],
)
def test_another_type_is_415_and_without_a_body_it_is_the_body_that_is_missing(
    content_type: str, caller: Caller
) -> None:
    headers = {"Content-Type": content_type}
    refused = caller.call("POST", V2, {"displayName": "Shop"}, headers=headers)
    assert (refused.status, refused.codes) == (415, ["unsupported_media_type"])
    missing = caller.call("POST", V2, headers=headers)
    assert (missing.status, missing.titles) == (400, ["The body is required"])


def test_a_body_that_is_too_large_is_413(caller: Caller) -> None:
    room = 102_400 - len('{"displayName":"Shop"}')
    fits = caller.call("POST", V2, '{"displayName":"Shop"}' + " " * room)
    assert fits.status == 201
    refused = caller.call("POST", V2, '{"displayName":"Shop"}' + " " * (room + 1))
    assert (refused.status, refused.codes) == (413, ["body_too_large"])
    in_v1_1 = caller.call("POST", V1_1, "x" * 102_401)
    assert (in_v1_1.status, in_v1_1.json["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("", "The body is required"),
        ("null", "The body is required"),
        ("{", "The body must be valid JSON"),
        ("\ufeff{}", "The body must be valid JSON"),
        ('{"displayName": NaN}', "The body must be valid JSON"),
        ("[" * 100_000, "The body must be valid JSON"),
        ('{"a":' * 15_000 + "1" + "}" * 15_000, "The body must be valid JSON"),
        ('{"displayName": "x", "a": ' + "9" * 5_000 + "}", "The body must be valid JSON"),
        ('{"displayName": "x", "displayName": "y"}', "The body must not contain duplicate members"),
        ("[]", "The body must be an object"),
        ('[{"displayName": "x"}]', "The body must be an object"),
        ('"x"', "The body must be an object"),
        ("5", "The body must be an object"),
        ("{}", "displayName is required"),
        (
            '{"displayName": "x", "metadata": {"a": 1e999}}',
            "metadata.a must be a string, a finite number, a boolean or null",
        ),
        (
            '{"displayName": "x", "metadata": {"a": ' + "[" * 400 + "]" * 400 + "}}",
            "metadata.a must be a string, a finite number, a boolean or null",
        ),
        (
            '{"displayName": "x", "metadata": {"\\ud800": 1}}',
            "metadata must be valid Unicode text, without unpaired surrogates",
        ),
        (
            '{"displayName": "\\ud800"}',
            f"displayName {NAME_TITLE}",
        ),
        (
            '{"displayName": "x", "settings": {"conversationRetentionSeconds": 1e308}}',
            "settings.conversationRetentionSeconds must be less than or equal to 9007199254740991",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_body_that_is_wrong_is_told_and_nothing_is_made(
    body: str, title: str, caller: Caller
) -> None:
    refused = caller.call("POST", V2, body)
    assert (refused.status, refused.codes, refused.titles) == (400, ["bad_request"], [title])
    assert caller.call("GET", V2).json["apps"] == []


def test_a_member_named_by_a_surrogate_is_told(caller: Caller) -> None:
    assert caller.call("POST", V2, '{"displayName": "x", "\\ud800": 1}').status == 400


def test_every_fault_of_a_body_is_told_at_once(caller: Caller) -> None:
    app_id = app_of(caller)
    body = {
        "displayName": "",
        "expiresAt": "9999-12-31T23:59:59-01:00",
        "allowedCidrs": ["::/0", "fe80::1%eth0"],
        "name": "x",
    }
    refused = caller.call("POST", f"{V2}/{app_id}/keys", body)
    assert refused.status == 400
    assert [title.partition(" ")[0] for title in refused.titles] == [
        "displayName",
        "expiresAt",
        "allowedCidrs[1]",
        "name",
    ]
    in_v1_1 = caller.call("POST", f"{V1_1}/{app_id}/keys", {"displayName": "x"})
    assert in_v1_1.json == {
        "error": {
            "code": "bad_request",
            "description": "name is required; displayName is unknown",
        }
    }


MANY_FAULTS: Final = {
    "items that are no networks": '{"displayName": "x", "allowedCidrs": ['
    + ",".join(['""'] * 33_000),
    "unknown members": "{" + ",".join(f'"{number:x}": 1' for number in range(9_000)),
    "nested lists": '{"displayName": "x", "allowedCidrs": ' + "[" * 900 + ",".join("1" * 40_000),
    "a long name": '{"displayName": "x", "' + "\u00e9" * 50_000 + '": 1',
    "long names": "{" + ",".join(f'"{number}{"n" * 4_000}": 1' for number in range(24)),
    "a long string": '{"displayName": "' + "x" * 100_000 + '"',
    "long networks": '{"displayName": "x", "allowedCidrs": ["' + '", "'.join(["1" * 12_000] * 8),
    "few unknown members": "{" + ",".join(f'"{number}": 1' for number in range(1_900)),
}


@pytest.mark.parametrize("start", MANY_FAULTS.values(), ids=MANY_FAULTS)
@pytest.mark.parametrize("version", [V2, V1_1])
def test_the_answer_to_a_body_of_many_faults_is_small(
    version: str, start: str, caller: Caller
) -> None:
    path = f"{version}/{app_of(caller)}/keys"
    ends = "]" * start.count("[") + "}"
    body = start + ends
    assert len(body.encode()) <= MAX_BODY_BYTES
    refused = caller.call("POST", path, body)
    assert refused.status == 400
    assert len(refused.text.encode()) < 20_000


def test_at_most_twenty_faults_are_told_and_that_there_are_more(caller: Caller) -> None:
    def titles(number: int) -> list[str]:
        faulty: dict[str, object] = {"displayName": "x"} | {str(n): 1 for n in range(number)}
        return caller.call("POST", V2, faulty).titles

    assert titles(20) == [f"{number} is unknown" for number in range(20)]
    assert titles(21) == [*titles(20), "There are more errors. Fix these first"]


def test_metadata_with_too_many_members_is_refused_whole(caller: Caller) -> None:
    body = {"displayName": "x", "metadata": {str(number): [] for number in range(3_000)}}
    refused = caller.call("POST", V2, body)
    assert refused.titles == [
        "The body must not have more than 2000 members and list items in total"
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [(V2, "page[size]"), (V1_1, "limit"), (V2, "page"), (f"{V2}/{OTHER_APP}", "x")],
)
def test_a_repeated_parameter_of_a_query_is_400(path: str, name: str, caller: Caller) -> None:
    refused = caller.call(
        "GET",
        path,
        query={name: "1"},
        multiValueQueryStringParameters={name: ["1", "1"]},
    )
    assert refused.status == 400
    assert f"{name} must not be repeated" in refused.text


def test_a_member_of_a_page_is_not_given_in_two_ways(caller: Caller) -> None:
    refused = caller.call("GET", V2, query={"page": '{"size": 1}', "page[size]": "2"})
    assert (refused.status, refused.titles) == (400, ["page[size] must not be repeated"])


def test_every_fault_of_a_query_is_told_at_once(caller: Caller) -> None:
    query = {"page[size]": "0", "filter[serviceAccountId": "x", "page[after]": OTHER_APP}
    refused = caller.call("GET", V2, query=query)
    assert (refused.status, refused.titles) == (
        400,
        [
            "filter[serviceAccountId is unknown; known: page, filter",
            "page[after] must be a cursor from a page of the same list",
            "page[size] must be a whole number from 1 to 100",
        ],
    )


def test_the_last_second_of_9999_can_be_listed(caller: Caller) -> None:
    keys = f"{V2}/{app_of(caller)}/keys"
    last = "9999-12-31T23:59:59Z"
    caller.call("POST", keys, {"displayName": "x", "expiresAt": last})
    assert caller.call("GET", keys).json["keys"][0]["expiresAt"] == last


CONTEXT: Final = {
    "keyId": "act_" + "0" * 24,
    "scope": "account",
    "ownerType": "account",
    "accountId": ACCOUNT,
    "credentialKind": "basic",
    "secretGeneration": "1",
}


UNSOUND_CONTEXTS: Final[Mapping[str, object]] = {
    "no authorizer": None,
    "empty": {},
    "text": "account",
    "list": [CONTEXT],
    "principalId only": {"principalId": f"account/{ACCOUNT}"},
    "another owner's key": {**CONTEXT, "keyId": "app_" + "0" * 24},
    "another scope": {**CONTEXT, "scope": "app"},
    "an app beside": {**CONTEXT, "appId": OTHER_APP},
    "a user beside": {**CONTEXT, "userId": 5},
    "a number": {**CONTEXT, "keyId": 5},
    "another authorizer's": {"claims": CONTEXT},
}


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("POST", "", '{"displayName": "forged"}'),
        ("GET", "", None),
        ("DELETE", "/{app}", None),
        ("PATCH", "/{app}", '{"displayName": "forged"}'),
        ("POST", "/{app}/keys", '{"displayName": "forged"}'),
    ],
)
def test_without_a_sound_context_nothing_is_done(
    method: str, rest: str, body: str | None, caller: Caller, log: Callable[[], Lines]
) -> None:
    app_id = app_of(caller)
    log()
    for name, context in UNSOUND_CONTEXTS.items():
        told = context
        if isinstance(context, dict) and "accountId" in context:
            told = {**context, "accountId": caller.principal.account_id}
        event = proxy_event(method, V2 + rest.format(app=app_id), told, body)
        refused = answer_of(caller.handler, event)
        assert (name, refused.status, refused.json) == (name, 500, INTERNAL_ERROR)
        failed, answered = log()
        reason = (name, failed["message"], failed["reason"])
        assert reason == (name, "failed", "malformed_context")
        assert (answered["message"], answered["status"]) == ("answered", 500)
    left = caller.call("GET", V2).json["apps"]
    assert [(app["id"], app["displayName"]) for app in left] == [(app_id, "Shop")]
    assert caller.call("GET", f"{V2}/{app_id}/keys").json["keys"] == []


def test_a_caller_is_forgotten_after_its_request(caller: Caller, log: Callable[[], Lines]) -> None:
    caller.call("GET", V2)
    answer_of(caller.handler, proxy_event("GET", V2, None))
    known, failed, unknown = log()
    assert known["key_id"] == caller.principal.key_id
    assert "key_id" not in failed
    assert "key_id" not in unknown


def test_behind_a_custom_domains_base_path_routes_and_errors_are_right(
    caller: Caller,
) -> None:
    app_id = app_of(caller)
    there = caller.call("GET", f"/chat{V2}/{app_id}", resource="/v2/apps/{appId}")
    absent = caller.call("GET", "/chat/v1.1/apps/x", resource="/v1.1/apps/{appId}")
    assert (there.status, absent.status) == (200, 404)
    assert "error" in absent.json


def test_a_bug_is_500_and_its_text_is_told_to_nobody(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, log: Callable[[], Lines]
) -> None:
    def fail(*_: object) -> None:
        message = "hush"
        raise RuntimeError(message)

    monkeypatch.setattr(Management, "get_app", fail)
    refused = caller.call("GET", f"{V2}/x")
    assert (refused.status, refused.json) == (500, INTERNAL_ERROR)
    lines = log()
    assert (lines[0]["level"], lines[0]["reason"]) == ("ERROR", "internal_error")
    assert str(lines[0]["detail"]).startswith("RuntimeError in test_api.py:")
    assert "hush" not in str(lines)


def test_an_answer_that_does_not_fit_its_shape_is_500(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, log: Callable[[], Lines]
) -> None:
    monkeypatch.setattr("keyscope.management_api.v2.app_v2", lambda _: {"id": 5})
    refused = caller.call("POST", V2, {"displayName": "Shop"})
    assert (refused.status, refused.json) == (500, INTERNAL_ERROR)
    (failure,) = [line for line in log() if line["message"] == "failed"]
    assert str(failure["detail"]).startswith("RequestValidationError in ")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"httpMethod": None}, id="no method"),
        pytest.param({"path": None}, id="no path"),
        pytest.param({"requestContext": None}, id="no context"),
        pytest.param({"requestContext": [1]}, id="a list for the context"),
        pytest.param({"requestContext": {"authorizer": "x", "identity": 5}}, id="odd context"),
    ],
)
def test_an_event_that_no_gateway_sends_is_500(
    broken: Mapping[str, object], caller: Caller, log: Callable[[], Lines]
) -> None:
    event = proxy_event("GET", V2, caller.principal.context())
    refused = answer_of(caller.handler, {**event, **broken})
    assert (refused.status, refused.json) == (500, INTERNAL_ERROR)
    assert [line["level"] for line in log()] == ["ERROR", "INFO"]


def test_an_empty_event_is_500(handler: ManagementHandler) -> None:
    assert answer_of(handler, {}).status == 500


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(("GET", V2), id="200"),
        pytest.param(("POST", V2, {"displayName": "Shop"}), id="201"),
        pytest.param(("POST", V2, {}), id="400"),
        pytest.param(("GET", f"{V2}/x"), id="404"),
        pytest.param(("PUT", V2), id="405"),
        pytest.param(("POST", V2, "x" * 102_401), id="413"),
    ],
)
def test_no_answer_may_be_stored_and_every_one_is_json(
    request_: tuple[str, str], caller: Caller, request: pytest.FixtureRequest
) -> None:
    answer = caller.call(*request_)
    assert f"[{answer.status}]" in request.node.name
    assert answer.headers["Cache-Control"] == ["no-store"]
    assert answer.headers["Content-Type"] == ["application/json"]


def test_an_answer_is_not_packed(caller: Caller) -> None:
    headers = {"Accept-Encoding": "gzip", "Origin": "https://elsewhere.example"}
    answer = caller.call("GET", V2, headers=headers)
    assert set(answer.headers) == {"Content-Type", "Cache-Control"}


def test_every_request_leaves_its_line(caller: Caller, log: Callable[[], Lines]) -> None:
    caller.call("GET", V2)
    caller.call("GET", f"{V2}/x")
    lines = log()
    assert [(line["message"], line["status"]) for line in lines] == [
        ("answered", 200),
        ("answered", 404),
    ]
    assert {
        "level": "INFO",
        "service": "management",
        "request_id": "request-1",
        "invocation_id": "invocation-1",
        "key_id": caller.principal.key_id,
        "method": "GET",
        "path": f"{V2}/x",
    }.items() <= lines[1].items()
