"""The tour: what it plans, and how it tells of what came of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest
from rich.console import Console

from keyscope.model.ids import OwnerType
from keyscope_local.gateway.request import CacheUse
from keyscope_local.gateway.server import serving
from keyscope_local.tour.seed import IssuedKey, SeededStore
from keyscope_local.tour.session import Session
from keyscope_local.tour.stops import Stop, plan
from keyscope_local.tour.visits import Visit, credentials_of, ids_of, surprises, table_of, visit
from tests.support.builders import ACCOUNT, APP, APP_OF_SERVICE_ACCOUNT, OTHER_APP, SERVICE_ACCOUNT
from tests.support.builders import make_key as made_key
from tests.support.local_gateway import Served, small_stack
from tests.support.local_gateway import served as served_gateway

ROUTE_SETS = [["v2"], ["v1.1"], ["v1.1-short"], ["v2", "v1.1"], ["v2", "v1.1-short"]]
STOP = Stop("app Basic", "GET /v2/apps/{app}", 200, "scope app", CacheUse.MISS)


def issued(owner_type: OwnerType = OwnerType.APP) -> IssuedKey:
    key = made_key(owner_type)
    return IssuedKey(key.key_id, key.secret)


@pytest.fixture
def session() -> Session:
    store = SeededStore(
        account_id=ACCOUNT,
        app_id=APP,
        service_account_id=SERVICE_ACCOUNT,
        service_account_app_id=APP_OF_SERVICE_ACCOUNT,
        account_key=issued(OwnerType.ACCOUNT),
        app_key=issued(),
        integration_key=issued(),
        service_account_key=issued(OwnerType.SERVICE_ACCOUNT),
        expired_key=issued(),
        revoked_key=issued(),
        cidr_key=issued(),
        spare_key=issued(OwnerType.ACCOUNT),
    )
    return Session(store, OTHER_APP, "a.b.c")


@pytest.fixture
def served() -> Served:
    return served_gateway(small_stack())


@pytest.fixture
def urls(served: Served) -> Iterator[list[str]]:
    with serving([served.gateway], 0) as urls:
        yield urls


def placeholders_of(stop: Stop) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(stop.request) if name}


@pytest.mark.parametrize("route_sets", ROUTE_SETS)
def test_no_stop_needs_what_none_before_it_gives(route_sets: list[str], session: Session) -> None:
    ids, credentials = {*ids_of(session)}, {*credentials_of(session)}
    for stop in plan(route_sets, caching=True):
        assert placeholders_of(stop) <= ids
        assert stop.credential in credentials
        if stop.gives is not None:
            ids.add(stop.gives)
            kinds = ("Basic", "Bearer secret", "JWT", "JWT, read")
            credentials |= {f"{stop.gives} {kind}" for kind in kinds}


@pytest.mark.parametrize("route_sets", ROUTE_SETS)
def test_only_selected_route_sets_are_answered(route_sets: list[str]) -> None:
    answered = {
        stop.request.split("/")[1]
        for stop in plan(route_sets, caching=True)
        if stop.status not in (401, 403)
    }
    assert answered == {each.removesuffix("-short") for each in route_sets}


@pytest.mark.parametrize("route_sets", ROUTE_SETS)
def test_the_paths_of_a_user_in_v1_1_are_those_of_the_selected_set(route_sets: list[str]) -> None:
    stops = plan(route_sets, caching=True)
    paths = {stop.request.split()[1] for stop in stops if "/appusers/" in stop.request}
    is_short = {path.startswith("/v1.1/appusers/") for path in paths}
    assert is_short == {"v1.1-short" in route_sets}


def test_without_caching_every_stop_is_answered_without_the_cache() -> None:
    stops = plan(["v2", "v1.1"], caching=False)
    assert {stop.cache for stop in stops} == {CacheUse.NONE}


def test_a_stop_without_what_it_needs_is_told_and_not_sent(
    session: Session, tmp_path: Path
) -> None:
    stops = [
        replace(STOP, request="GET /v2/apps/{newApp}"),
        replace(STOP, credential="newKey Basic"),
    ]
    visits = visit(stops, session, ["http://127.0.0.1:1"], tmp_path)
    assert [(one.status, one.reason, one.as_expected) for one in visits] == [
        (0, "without newApp", False),
        (0, "without newKey Basic", False),
    ]


def test_a_patient_stop_is_sent_until_it_is_answered_as_it_must_be(
    urls: list[str], served: Served, session: Session, tmp_path: Path
) -> None:
    def respond(_: object) -> object:
        answered = len(served.backend.events) > 2
        body = json.dumps({"context": {"scope": "app"}} if answered else {"error": {"code": "no"}})
        return {"statusCode": 200 if answered else 404, "body": body}

    served.backend.respond = respond
    patient = replace(STOP, cache=None, patience_seconds=60)
    (seen,) = visit([patient], session, urls, tmp_path)
    assert (seen.status, seen.reason, len(served.backend.events)) == (200, "scope app", 3)
    assert seen.as_expected


def test_a_list_of_keys_is_told_by_their_number_and_how_many_have_a_last_use(
    urls: list[str], served: Served, session: Session, tmp_path: Path
) -> None:
    lists = [[], [{"lastUsedAt": None}, {}], [{"lastUsedAt": "2026-11-28T12:00:00Z"}, {}]]
    answers = iter([{"statusCode": 200, "body": json.dumps({"keys": keys})} for keys in lists])
    served.backend.respond = lambda _: next(answers)
    visits = visit([STOP] * len(lists), session, urls, tmp_path)
    assert [one.reason for one in visits] == ["keys: 0", "keys: 2", "keys: 2, last use of 1"]


def test_an_error_is_told_by_its_code_or_else_by_its_status(
    urls: list[str], served: Served, session: Session, tmp_path: Path
) -> None:
    bodies = [{"errors": [{"code": "a"}]}, {"error": {"code": "b"}}, {"message": "c"}]
    answers = iter([{"statusCode": 404, "body": json.dumps(body)} for body in bodies])
    served.backend.respond = lambda _: next(answers)
    visits = visit([STOP] * len(bodies), session, urls, tmp_path)
    assert [one.reason for one in visits] == ["a", "b", "Not Found"]


@pytest.mark.parametrize(
    ("status", "reason", "cache", "expected"),
    [
        (200, "scope app", "miss", True),
        (403, "scope app", "miss", False),
        (200, "scope account", "miss", False),
        (200, "scope app", "hit", False),
    ],
)
def test_a_row_is_as_expected_when_status_reason_and_cache_are(
    status: int, reason: str, cache: str, *, expected: bool
) -> None:
    seen = Visit(STOP, status, reason, cache, 1)
    assert seen.as_expected is expected
    assert (surprises([seen]) == []) is expected


@pytest.mark.parametrize("cache", ["hit", "miss"])
def test_a_row_whose_cache_may_be_either_says_so(cache: str) -> None:
    console = Console(width=120)
    with console.capture() as printed:
        console.print(table_of([Visit(replace(STOP, cache=None), 200, "scope app", cache, 1)]))
    _, row, *note = printed.get().splitlines()
    assert f" {cache}* " in row
    assert note[0].startswith("* Hit or miss")
