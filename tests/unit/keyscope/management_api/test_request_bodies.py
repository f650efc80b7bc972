"""Bodies: what is taken, what it means, and everything that is refused."""

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keyscope.lifecycle.management import MAX_METADATA_BYTES, AppChange, AppRequest, KeyChange
from keyscope.lifecycle.operations import KeyRequest
from keyscope.management_api.body import Body
from keyscope.management_api.error_responses import faults_of_schema
from keyscope.management_api.request_bodies import (
    AppCreateBody,
    AppCreateBodyV11,
    AppUpdateBody,
    AppUpdateBodyV11,
    KeyCreateBody,
    KeyCreateBodyV11,
    KeyUpdateBody,
    KeyUpdateBodyV11,
    RotateBody,
    ServiceAccountBody,
)
from keyscope.management_api.requests import read_json
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW

EXPIRY: Final = "2099-01-01T00:00:00Z"
EXPIRY_SECONDS: Final = 4_070_908_800
CIDRS: Final = ["192.0.2.0/24", "2001:DB8::/32"]
CANONICAL_CIDRS: Final = ("192.0.2.0/24", "2001:db8::/32")
NAME_TITLE: Final = (
    "must be a string of 1 to 100 characters, at least one of them visible, without control"
    " characters, line separators and text-direction marks. Remove those, or use another name"
)
SCALAR_TITLE: Final = "must be a string, a finite number, a boolean or null"
BODIES: Final = [
    AppCreateBody,
    AppUpdateBody,
    KeyCreateBody,
    KeyUpdateBody,
    AppCreateBodyV11,
    AppUpdateBodyV11,
    KeyCreateBodyV11,
    KeyUpdateBodyV11,
    RotateBody,
    ServiceAccountBody,
]


def faults_of(body: type[Body], value: object) -> dict[str, str]:
    """Return what is wrong with a body, by the dotted names of its members."""
    try:
        body.model_validate(value)
    except ValidationError as invalid:
        # Powertools puts the part of the request before the member's place.
        errors = [{**error, "loc": ("body", *error["loc"])} for error in invalid.errors()]
        faults = faults_of_schema(errors)
        assert {fault.code for fault in faults} == {"bad_request"}
        return {fault.field: fault.title for fault in faults}
    return {}


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"displayName": "Shop"}, AppRequest("Shop")),
        (
            {
                "displayName": "Shop",
                "settings": {"echoPostback": True, "conversationRetentionSeconds": 60},
                "metadata": {"plan": "gold", "size": 2, "ratio": 1.5, "new": False},
            },
            AppRequest(
                "Shop",
                {"echoPostback": True, "conversationRetentionSeconds": 60},
                {"plan": "gold", "size": 2, "ratio": 1.5, "new": False},
            ),
        ),
        ({"displayName": "Shop", "settings": {}, "metadata": {}}, AppRequest("Shop")),
        ({"displayName": "Shop", "metadata": None}, AppRequest("Shop")),
        (
            {"displayName": "Shop", "settings": {"echoPostback": None}, "metadata": {"a": None}},
            AppRequest("Shop"),
        ),
    ],
)
def test_a_new_app_is_read(body: object, request_: AppRequest) -> None:
    assert AppCreateBody.model_validate(body).request() == request_


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ({}, AppChange()),
        ({"displayName": "Shop"}, AppChange("Shop")),
        ({"settings": {"echoPostback": None}}, AppChange(settings={"echoPostback": None})),
        ({"metadata": {"a": None, "b": 1}}, AppChange(metadata={"a": None, "b": 1})),
        ({"metadata": {}}, AppChange()),
        ({"metadata": None}, AppChange(clear_metadata=True)),
    ],
)
def test_a_change_to_an_app_is_read(body: object, change: AppChange) -> None:
    assert AppUpdateBody.model_validate(body).change() == change


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"displayName": "Server"}, KeyRequest("Server")),
        (
            {"displayName": "Server", "expiresAt": EXPIRY, "allowedCidrs": CIDRS},
            KeyRequest(
                "Server", limits=KeyLimits(expires_at=EXPIRY_SECONDS, allowed_cidrs=CANONICAL_CIDRS)
            ),
        ),
        (
            {"displayName": "Server", "expiresAt": None, "allowedCidrs": None},
            KeyRequest("Server"),
        ),
        (
            {"displayName": "Server", "allowedCidrs": ["192.0.2.7", "192.0.2.7/32"]},
            KeyRequest("Server", limits=KeyLimits(allowed_cidrs=("192.0.2.7/32",))),
        ),
    ],
)
def test_a_new_key_is_read(body: object, request_: KeyRequest) -> None:
    assert KeyCreateBody.model_validate(body).request() == request_


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ({}, KeyChange()),
        ({"displayName": "New"}, KeyChange("New")),
        (
            {"expiresAt": EXPIRY},
            KeyChange(chosen=frozenset({"expires_at"}), limits=KeyLimits(EXPIRY_SECONDS)),
        ),
        ({"expiresAt": None}, KeyChange(chosen=frozenset({"expires_at"}))),
        (
            {"allowedCidrs": CIDRS},
            KeyChange(
                chosen=frozenset({"allowed_cidrs"}), limits=KeyLimits(allowed_cidrs=CANONICAL_CIDRS)
            ),
        ),
        ({"allowedCidrs": None}, KeyChange(chosen=frozenset({"allowed_cidrs"}))),
        (
            {"disabled": True},
            KeyChange(chosen=frozenset({"disabled_at"}), limits=KeyLimits(disabled_at=NOW)),
        ),
        ({"disabled": False}, KeyChange(chosen=frozenset({"disabled_at"}))),
    ],
)
def test_a_change_to_a_key_is_read(body: object, change: KeyChange) -> None:
    assert KeyUpdateBody.model_validate(body).change(NOW) == change


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({}, 86_400),
        ({"overlapSeconds": 0}, 0),
        ({"overlapSeconds": 60.0}, 60),
        ({"overlapSeconds": 2_592_000}, 2_592_000),
    ],
)
def test_a_rotation_is_read(body: object, seconds: int) -> None:
    assert RotateBody.model_validate(body).overlap_seconds == seconds


def test_v1_1_calls_a_display_name_name() -> None:
    named = {"name": "Shop"}
    assert AppCreateBodyV11.model_validate(named).request() == AppRequest("Shop")
    assert AppUpdateBodyV11.model_validate(named).change() == AppChange("Shop")
    assert KeyCreateBodyV11.model_validate(named).request() == KeyRequest("Shop")
    assert KeyUpdateBodyV11.model_validate(named).change(NOW) == KeyChange("Shop")
    assert ServiceAccountBody.model_validate(named).display_name == "Shop"


@pytest.mark.parametrize(
    ("body", "wrong", "required"),
    [
        (AppCreateBody, "name", "displayName"),
        (AppUpdateBody, "name", None),
        (KeyCreateBody, "name", "displayName"),
        (KeyUpdateBody, "name", None),
        (AppCreateBodyV11, "displayName", "name"),
        (AppUpdateBodyV11, "displayName", None),
        (KeyCreateBodyV11, "displayName", "name"),
        (KeyUpdateBodyV11, "displayName", None),
        (ServiceAccountBody, "displayName", "name"),
        (AppCreateBody, "display_name", "displayName"),
        (KeyCreateBodyV11, "display_name", "name"),
    ],
)
def test_a_name_of_the_other_version_is_unknown(
    body: type[Body], wrong: str, required: str | None
) -> None:
    missing = {} if required is None else {required: "is required"}
    assert faults_of(body, {wrong: "Shop"}) == {wrong: "is unknown", **missing}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("value", [5, "x", True, ["x"], [], None], ids=ascii)
def test_a_body_is_an_object(body: type[Body], value: object) -> None:
    assert faults_of(body, value) == {"": "must be an object"}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "name", ["secret", "id", "_id", "scope", "revokedAt", "", "__proto__", "DisplayName", "a.b"]
)
def test_other_members_are_unknown(body: type[Body], name: str) -> None:
    assert faults_of(body, {name: 1})[name] == "is unknown"


STRING_TITLE: Final = "must be a valid string"
BOOLEAN_TITLE: Final = "must be a valid boolean"
INTEGER_TITLE: Final = "must be a valid integer"
TIME_TITLE: Final = "must be an RFC 3339 time with a time zone, such as 2030-01-31T12:00:00Z"
CIDR_TITLE: Final = "must be a network such as 192.0.2.0/24 or 2001:db8::/32, without host bits"
CIDRS_TITLE: Final = "must be a list of 1 to 8 CIDRs"


@pytest.mark.parametrize(
    ("body", "member", "value", "field", "title"),
    [
        (AppCreateBody, "displayName", None, "displayName", STRING_TITLE),
        (AppCreateBody, "displayName", 5, "displayName", STRING_TITLE),
        (AppCreateBody, "displayName", ["x"], "displayName", STRING_TITLE),
        (AppCreateBody, "displayName", "", "displayName", NAME_TITLE),
        (AppCreateBody, "displayName", "x" * 101, "displayName", NAME_TITLE),
        (AppCreateBody, "displayName", "a\x00", "displayName", NAME_TITLE),
        (AppUpdateBody, "displayName", None, "displayName", STRING_TITLE),
        (AppUpdateBody, "displayName", "", "displayName", NAME_TITLE),
        (KeyUpdateBody, "displayName", None, "displayName", STRING_TITLE),
        (KeyUpdateBody, "displayName", "", "displayName", NAME_TITLE),
        (ServiceAccountBody, "name", None, "name", STRING_TITLE),
        (AppUpdateBody, "settings", None, "settings", "must be an object"),
        (AppUpdateBody, "settings", [], "settings", "must be an object"),
        (AppUpdateBody, "settings", {"color": 1}, "settings.color", "is unknown"),
        (AppUpdateBody, "settings", {"echo_x": True}, "settings.echo_x", "is unknown"),
        (AppUpdateBody, "settings", {"echoPostback": 1}, "settings.echoPostback", BOOLEAN_TITLE),
        (AppUpdateBody, "settings", {"echoPostback": "1"}, "settings.echoPostback", BOOLEAN_TITLE),
        (AppUpdateBody, "metadata", [], "metadata", "must be an object"),
        (AppUpdateBody, "metadata", "x", "metadata", "must be an object"),
        (AppUpdateBody, "metadata", {"a": []}, "metadata.a", SCALAR_TITLE),
        (AppUpdateBody, "metadata", {"a": {}}, "metadata.a", SCALAR_TITLE),
        (AppUpdateBody, "metadata", {"a": float("inf")}, "metadata.a", SCALAR_TITLE),
        (AppUpdateBody, "metadata", {"a": float("nan")}, "metadata.a", SCALAR_TITLE),
        (KeyUpdateBody, "expiresAt", "tomorrow", "expiresAt", TIME_TITLE),
        (KeyUpdateBody, "expiresAt", 4_070_908_800, "expiresAt", TIME_TITLE),
        (KeyUpdateBody, "expiresAt", "2020-01-01T00:00:00Z", "expiresAt", "must be in the future"),
        (KeyCreateBody, "expiresAt", "9999-12-31T23:59:59-01:00", "expiresAt", TIME_TITLE),
        (KeyUpdateBody, "allowedCidrs", [], "allowedCidrs", CIDRS_TITLE),
        (KeyUpdateBody, "allowedCidrs", ["::/0"] * 9, "allowedCidrs", CIDRS_TITLE),
        (KeyUpdateBody, "allowedCidrs", "::/0", "allowedCidrs", "must be a valid list"),
        (KeyUpdateBody, "allowedCidrs", ["x"], "allowedCidrs[0]", CIDR_TITLE),
        (KeyUpdateBody, "allowedCidrs", [5], "allowedCidrs[0]", STRING_TITLE),
        (KeyUpdateBody, "allowedCidrs", ["::/0", None], "allowedCidrs[1]", STRING_TITLE),
        (KeyCreateBody, "allowedCidrs", ["fe80::1%eth0"], "allowedCidrs[0]", CIDR_TITLE),
        (KeyUpdateBody, "disabled", None, "disabled", BOOLEAN_TITLE),
        (KeyUpdateBody, "disabled", 1, "disabled", BOOLEAN_TITLE),
        (KeyUpdateBody, "disabled", "true", "disabled", BOOLEAN_TITLE),
        (RotateBody, "overlapSeconds", None, "overlapSeconds", INTEGER_TITLE),
        (RotateBody, "overlapSeconds", True, "overlapSeconds", INTEGER_TITLE),
        (RotateBody, "overlapSeconds", "60", "overlapSeconds", INTEGER_TITLE),
        (RotateBody, "overlapSeconds", 60.5, "overlapSeconds", INTEGER_TITLE),
        (RotateBody, "overlapSeconds", float("inf"), "overlapSeconds", INTEGER_TITLE),
    ],
)  # fmt: skip
def test_a_member_of_the_wrong_kind_is_refused(
    body: type[Body], member: str, value: object, field: str, title: str
) -> None:
    named = {"displayName": "x"} if body in {AppCreateBody, KeyCreateBody} else {}
    assert faults_of(body, {**named, member: value}) == {field: title}


@pytest.mark.parametrize(
    ("name", "least", "most", "body"),
    [
        ("overlapSeconds", 0, 2_592_000, lambda value: (RotateBody, {"overlapSeconds": value})),
        (
            "settings.conversationRetentionSeconds",
            0,
            2**53 - 1,
            lambda value: (
                AppUpdateBody,
                {"settings": {"conversationRetentionSeconds": value}},
            ),
        ),
    ],
)
def test_numbers_are_whole_and_in_bounds(name: str, least: int, most: int, body: Any) -> None:  # noqa: ANN401 - makes pairs
    assert faults_of(*body(least)) == {}
    assert faults_of(*body(most)) == {}
    assert faults_of(*body(least - 1)) == {name: f"must be greater than or equal to {least}"}
    for beyond in (most + 1, 10**4_000, 1e308):
        assert faults_of(*body(beyond)) == {name: f"must be less than or equal to {most}"}


@pytest.mark.parametrize("character", ["x", "é", "🙂"])
def test_metadata_take_4096_bytes_of_utf_8(character: str) -> None:
    size = (MAX_METADATA_BYTES - len('{"m":""}')) // len(character.encode())
    too_large = {"metadata": "must be at most 4096 bytes as JSON"}
    for body, more in ((AppCreateBody, {"displayName": "Shop"}), (AppUpdateBody, {})):
        assert faults_of(body, {**more, "metadata": {"m": character * size}}) == {}
        assert faults_of(body, {**more, "metadata": {"m": character * (size + 1)}}) == too_large


@pytest.mark.parametrize(
    "metadata", [{"\ud800": "x"}, {"x": "\udfff"}, {"x": "a\ud83db"}], ids=ascii
)
def test_metadata_are_text_that_utf_8_can_hold(metadata: object) -> None:
    title = "must be valid Unicode text, without unpaired surrogates"
    assert faults_of(AppUpdateBody, {"metadata": metadata}) == {"metadata": title}


def test_every_fault_is_told_at_once() -> None:
    body = {
        "displayName": " ",
        "settings": {"echoPostback": 1, "color": "red"},
        "metadata": {"a": [], "b": {}},
        "secret": "x",
    }
    assert faults_of(AppCreateBody, body) == {
        "displayName": NAME_TITLE,
        "settings.echoPostback": BOOLEAN_TITLE,
        "settings.color": "is unknown",
        "metadata.a": SCALAR_TITLE,
        "metadata.b": SCALAR_TITLE,
        "secret": "is unknown",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    [
        "displayName",
        "name",
        "settings",
        "metadata",
        "expiresAt",
        "allowedCidrs",
        "disabled",
        "overlapSeconds",
        "x",
    ]
)


@pytest.mark.parametrize("body", BODIES)
@settings(deadline=None)
@given(members=st.dictionaries(MEMBERS, JSON, max_size=4))
def test_any_object_is_taken_or_told_its_faults_in_words(
    body: type[Body], members: dict[str, object]
) -> None:
    for field, title in faults_of(body, members).items():
        assert title.startswith(("must ", "is "))
        assert json.dumps({field: title})


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters()), JSON, max_size=4))
def test_metadata_that_are_taken_come_back_as_they_were_sent(metadata: dict[str, Any]) -> None:
    if faults_of(AppUpdateBody, {"metadata": metadata}):
        return
    taken = AppUpdateBody.model_validate({"metadata": metadata}).change().metadata
    assert taken == metadata
    assert read_json(json.dumps(dict(taken), ensure_ascii=False).encode().decode()) == metadata


def test_a_fault_repeats_nothing_of_a_value() -> None:
    body = {"displayName": ["hush"], "metadata": {"a": ["hush"]}, "settings": {"x": "hush"}}
    assert "hush" not in str(faults_of(AppCreateBody, body))
