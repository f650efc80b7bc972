"""The check in JavaScript gives what the one in Python gives, which the other tests describe."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from app import PATHS
from authorized import NotAuthorized, authorized
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples.conftest import EXAMPLES
from tests.examples.test_backend import (
    ACCOUNT,
    APP,
    CUT_CONTEXTS,
    EXTERNAL_PATHS,
    EXTERNAL_ROWS,
    HOSTILE,
    KINDS,
    MEMBER,
    NEIGHBOR,
    ODD_SEGMENTS,
    OVERRIDES,
    WEBSOCKET,
    event,
    event_of,
    fill,
    named_event,
    principal,
)
from tests.support.tenants import TENANTS, hostile_paths, pairs

ALL_PATHS: Final = (
    *(*PATHS, "/ping", "/accounts/{serviceAccountId}", "/as/{scope}", "/{toString}"),
    "/v1.1/appusers/{userId}",
    *EXTERNAL_PATHS,
)
PROGRAM: Final = """
import { readFileSync } from "node:fs";
import { authorized, NotAuthorized } from "./authorized.mjs";
const { events, paths } = JSON.parse(readFileSync(0, "utf-8"));
const answers = events.map((event) => {
  try { return authorized(event, ...paths); }
  catch (error) { if (error instanceof NotAuthorized) return null; throw error; }
});
console.log(JSON.stringify(answers));
"""
ROWS: Final = [
    *(named_event(kind, caller, path) for kind in KINDS for caller, path, _ in EXTERNAL_ROWS),
    *(
        event_of(kind, path, each)
        for kind in KINDS
        for path in (MEMBER, "/ping")
        for each in CUT_CONTEXTS.values()
    ),
    *({**event("http", MEMBER, principal("app")), "headers": {name: "PUT"}} for name in OVERRIDES),
    *(
        event(kind, path, principal(caller))
        for kind in KINDS
        for caller in ("appUser", "app", "account", "service account")
        for path in (
            *HOSTILE.values(),
            *(f"/tenants/{ACCOUNT}/projects/{APP}/members/{segment}" for segment in ODD_SEGMENTS),
            *(MEMBER, f"/tenants/{ACCOUNT}/projects", f"/tenants/{ACCOUNT}/projects/{NEIGHBOR}"),
            *(
                f"/accounts/{ACCOUNT}c0de",
                "/accounts/ffff2c3d4e5fc0de",
                "/ping",
                "/as/account",
                "/v1.1/appusers/jane",
                "/x",
            ),
        )
    ),
    {"requestContext": {**WEBSOCKET, "authorizer": principal("app").context()}},
    {"requestContext": {**WEBSOCKET}},
    {},
]

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node")


def in_javascript(events: Sequence[Mapping[str, Any]]) -> list[object]:
    done = subprocess.run(  # noqa: S603 - our own program
        ["node", "--input-type=module", "--eval", PROGRAM],  # noqa: S607
        cwd=EXAMPLES / "backend",
        input=json.dumps({"events": events, "paths": ALL_PATHS}),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[object] = json.loads(done.stdout)
    return answers


def in_python(event: Mapping[str, Any]) -> object:
    try:
        return authorized(event, *ALL_PATHS)
    except NotAuthorized:
        return None


@needs_node
def test_both_languages_agree_on_every_row() -> None:
    assert in_javascript(ROWS) == [in_python(row) for row in ROWS]


@needs_node
def test_the_rows_hold_what_is_authorized_and_what_is_refused() -> None:
    answers = [in_python(row) for row in ROWS]
    assert answers.count(None) > 100
    assert len(answers) - answers.count(None) > 20


@st.composite
def events(draw: st.DrawFn) -> Mapping[str, Any]:
    one, other = draw(pairs(TENANTS))
    own, others = (fill(draw(st.sampled_from(PATHS)), each, each.user_id) for each in (one, other))
    path = draw(st.one_of(st.just(own), st.just(others), hostile_paths(own, others)))
    return event(draw(st.sampled_from(KINDS)), path, one.principal)


@needs_node
@given(st.lists(events(), min_size=10, max_size=20))
@settings(max_examples=20, deadline=None)
def test_both_languages_agree_on_hostile_paths(drawn: list[Mapping[str, Any]]) -> None:
    assert in_javascript(drawn) == [in_python(each) for each in drawn]


def test_the_check_in_javascript_takes_at_most_50_lines() -> None:
    source = (EXAMPLES / "backend" / "authorized.mjs").read_text("utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) <= 50
