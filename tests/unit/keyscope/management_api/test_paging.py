"""Which page is asked for: a query, or everything that is wrong with it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.errors import InvalidInput
from keyscope.lifecycle.directory import After, Before, Offset, Owner, Page, Position
from keyscope.management_api.paging import (
    AppsQuery,
    links_of,
    meta_of,
    read_apps_offset_query,
    read_apps_query,
    read_offset_query,
)
from keyscope.model.ids import OwnerType
from tests.support.builders import (
    ACCOUNT,
    APP,
    APP_OF_SERVICE_ACCOUNT,
    NOW,
    OTHER_ACCOUNT,
    OTHER_APP,
    SERVICE_ACCOUNT,
)

if TYPE_CHECKING:
    from keyscope.management_api.responses import Meta

Query = Mapping[str, str]
PEER: Final = ACCOUNT + "beef"
URL: Final = "https://api.example/prod/v2/apps"

CURSOR_TITLE: Final = "must be a cursor from a page of the same list"
SIZE_TITLE: Final = "must be a whole number from 1 to 100"
CREATOR_TITLE: Final = "must be the id of a service account"
OBJECT_TITLE: Final = "must be a JSON object, or separate parameters"
KNOWN_OF_PAGE: Final = "is unknown; known: after, before, size"
KNOWN_OF_FILTER: Final = "is unknown; known: serviceAccountId"
KNOWN: Final = "is unknown; known: page, filter"


def faults_of(query: Query, own: str = ACCOUNT) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as invalid:
        read_apps_query(query, own)
    assert {fault.code for fault in invalid.value.faults} == {"bad_request"}
    return [(fault.field, fault.title) for fault in invalid.value.faults]


@pytest.mark.parametrize(
    ("page", "criteria", "found"),
    [
        ({}, {}, AppsQuery(After(), 25, None)),
        ({"size": "1"}, {}, AppsQuery(After(), 1, None)),
        ({"size": "100"}, {}, AppsQuery(After(), 100, None)),
        ({"size": "007"}, {}, AppsQuery(After(), 7, None)),
        ({"after": APP}, {}, AppsQuery(After(APP), 25, None)),
        ({"before": APP, "size": "2"}, {}, AppsQuery(Before(APP), 2, None)),
        ({}, {"serviceAccountId": PEER}, AppsQuery(After(), 25, PEER)),
        (
            {"after": APP_OF_SERVICE_ACCOUNT},
            {"serviceAccountId": SERVICE_ACCOUNT},
            AppsQuery(After(APP_OF_SERVICE_ACCOUNT), 25, SERVICE_ACCOUNT),
        ),
    ],
)
def test_both_forms_of_a_query_say_the_same(page: Query, criteria: Query, found: AppsQuery) -> None:
    members = {f"page[{name}]": value for name, value in page.items()}
    members |= {f"filter[{name}]": value for name, value in criteria.items()}
    assert read_apps_query(members, ACCOUNT) == found
    objects = {"page": json.dumps(page), "filter": json.dumps(criteria)}
    assert read_apps_query(objects, ACCOUNT) == found


@pytest.mark.parametrize("size", ["10", "10.0", "1e1"])
def test_a_size_may_be_a_number_in_json(size: str) -> None:
    assert read_apps_query({"page": f'{{"size":{size}}}'}, ACCOUNT).size == 10


def test_a_member_that_is_also_in_the_object_is_refused() -> None:
    query = {"page": '{"size": 1}', "page[size]": "2"}
    assert faults_of(query) == [("page[size]", "must not be repeated")]


@pytest.mark.parametrize(
    ("query", "field", "title"),
    [
        ({"page[size]": "0"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "101"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "-1"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "+1"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "1.0"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "1e1"}, "page[size]", SIZE_TITLE),
        ({"page[size]": " 1"}, "page[size]", SIZE_TITLE),
        ({"page[size]": ""}, "page[size]", SIZE_TITLE),
        ({"page[size]": "\u0663"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "\u00b2"}, "page[size]", SIZE_TITLE),
        ({"page[size]": "9" * 5_000}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":0}'}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":true}'}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":null}'}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":10.5}'}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":1e999}'}, "page[size]", SIZE_TITLE),
        ({"page": '{"size":[10]}'}, "page[size]", SIZE_TITLE),
        ({"page": f'{{"size":{"9" * 4_000}}}'}, "page[size]", SIZE_TITLE),
        ({"page[after]": ""}, "page[after]", CURSOR_TITLE),
        ({"page[after]": "x"}, "page[after]", CURSOR_TITLE),
        ({"page[after]": ACCOUNT}, "page[after]", CURSOR_TITLE),
        ({"page[after]": SERVICE_ACCOUNT}, "page[after]", CURSOR_TITLE),
        ({"page[after]": OTHER_APP}, "page[after]", CURSOR_TITLE),
        ({"page[after]": APP.upper()}, "page[after]", CURSOR_TITLE),
        ({"page[after]": APP + "\n"}, "page[after]", CURSOR_TITLE),
        ({"page[before]": OTHER_APP}, "page[before]", CURSOR_TITLE),
        ({"page": '{"after":null}'}, "page[after]", CURSOR_TITLE),
        ({"page": '{"before":5}'}, "page[before]", CURSOR_TITLE),
        (
            {"page[after]": APP, "page[before]": APP},
            "page",
            "must have only one of after and before",
        ),
        ({"filter[serviceAccountId]": ""}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"filter[serviceAccountId]": ACCOUNT}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"filter[serviceAccountId]": APP}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"filter[serviceAccountId]": ACCOUNT + "0000"}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"filter": '{"serviceAccountId":5}'}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"filter": '{"serviceAccountId":null}'}, "filter[serviceAccountId]", CREATOR_TITLE),
        ({"page": ""}, "page", OBJECT_TITLE),
        ({"page": "x"}, "page", OBJECT_TITLE),
        ({"page": "null"}, "page", OBJECT_TITLE),
        ({"page": "[]"}, "page", OBJECT_TITLE),
        ({"page": "5"}, "page", OBJECT_TITLE),
        ({"page": "9" * 5_000}, "page", OBJECT_TITLE),
        ({"page": "[" * 100_000}, "page", OBJECT_TITLE),
        ({"page": '{"size":NaN}'}, "page", OBJECT_TITLE),
        ({"page": '{"size":1,"size":2}'}, "page", OBJECT_TITLE),
        ({"filter": "x"}, "filter", OBJECT_TITLE),
        ({"page": '{"limit":1}'}, "page[limit]", KNOWN_OF_PAGE),
        ({"page[limit]": "1"}, "page[limit]", KNOWN_OF_PAGE),
        ({"page[]": "1"}, "page[]", KNOWN_OF_PAGE),
        ({"page[size][x]": "1"}, "page[size][x]", KNOWN_OF_PAGE),
        ({"page[\n]": "1"}, "page[\n]", KNOWN_OF_PAGE),
        ({"filter[accountId]": ACCOUNT}, "filter[accountId]", KNOWN_OF_FILTER),
        ({"limit": "1"}, "limit", KNOWN),
        ({"page[size": "1"}, "page[size", KNOWN),
        ({"page]": "1"}, "page]", KNOWN),
        ({"pages[size]": "1"}, "pages[size]", KNOWN),
        ({"filter[serviceAccountId": PEER}, "filter[serviceAccountId", KNOWN),
        ({"Page[size]": "1"}, "Page[size]", KNOWN),
        ({"": "1"}, "", KNOWN),
    ],
    ids=lambda value: ascii(value)[:60],
)  # fmt: skip
def test_a_fault_is_named_by_its_parameter(query: Query, field: str, title: str) -> None:
    assert faults_of(query) == [(field, title)]


def test_every_fault_is_told_at_once_and_in_the_same_order() -> None:
    query = {
        "color": "red",
        "page": '{"size":0,"z":1,"a":1,"m":1}',
        "page[after]": "x",
        "filter[serviceAccountId]": "x",
    }
    assert faults_of(query) == [
        ("color", KNOWN),
        ("page[a]", KNOWN_OF_PAGE),
        ("page[m]", KNOWN_OF_PAGE),
        ("page[z]", KNOWN_OF_PAGE),
        ("filter[serviceAccountId]", CREATOR_TITLE),
        ("page[after]", CURSOR_TITLE),
        ("page[size]", SIZE_TITLE),
    ]


@pytest.mark.parametrize(
    ("own", "creator_id", "cursor"),
    [
        (ACCOUNT, None, OTHER_APP),
        (SERVICE_ACCOUNT, None, APP),
        (SERVICE_ACCOUNT, None, PEER + "12345678"),
        (ACCOUNT, SERVICE_ACCOUNT, APP),
        (ACCOUNT, SERVICE_ACCOUNT, PEER + "12345678"),
    ],
)
def test_a_cursor_of_another_list_is_refused(own: str, creator_id: str, cursor: str) -> None:
    query = {"page[after]": cursor}
    if creator_id is not None:
        query["filter[serviceAccountId]"] = creator_id
    assert faults_of(query, own) == [("page[after]", CURSOR_TITLE)]


TEXT = st.text(st.characters())
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from([APP, PEER]),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(["size", "after", "before", "serviceAccountId"]) | TEXT,
            values,
            max_size=3,
        )
    ),
    max_leaves=6,
).map(json.dumps)
VALUES = st.one_of(
    TEXT,
    JSON_TEXT,
    st.sampled_from([APP, APP_OF_SERVICE_ACCOUNT, OTHER_APP, SERVICE_ACCOUNT, PEER, "1", "100"]),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "page",
            "filter",
            "page[size]",
            "page[after]",
            "page[before]",
            "filter[serviceAccountId]",
            "limit",
            "offset",
        ]
    ),
    TEXT,
)


@given(
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sampled_from([ACCOUNT, SERVICE_ACCOUNT, OTHER_ACCOUNT]),
)
def test_any_text_is_a_query_within_the_callers_list_or_invalid(query: Query, own: str) -> None:
    try:
        found = read_apps_query(query, own)
    except InvalidInput:
        return
    assert 1 <= found.size <= 100
    cursor = found.position.owner_id if not isinstance(found.position, Offset) else None
    assert cursor is None or cursor.startswith(found.creator_id or own)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_any_text_is_an_offset_and_a_limit_or_invalid(query: Query) -> None:
    try:
        position, limit = read_offset_query(query)
    except InvalidInput:
        return
    assert 0 <= position.skipped <= 10_000
    assert 1 <= limit <= 100


@pytest.mark.parametrize(
    ("query", "position", "limit"),
    [
        ({}, 0, 25),
        ({"limit": "1"}, 0, 1),
        ({"limit": "100", "offset": "10000"}, 10_000, 100),
    ],
)
def test_v1_1_pages_by_offset_and_limit(query: Query, position: int, limit: int) -> None:
    assert read_offset_query(query) == (Offset(position), limit)


@pytest.mark.parametrize("creator_id", [None, ACCOUNT + "0001"])
def test_a_v1_1_list_of_apps_can_be_limited_to_a_service_account(creator_id: str | None) -> None:
    query = {} if creator_id is None else {"serviceAccountId": creator_id}
    assert read_apps_offset_query(query) == (Offset(0), 25, creator_id)


@pytest.mark.parametrize("creator_id", ["", ACCOUNT, ACCOUNT + "0000", "x" * 16])
def test_what_is_no_service_accounts_id_limits_no_v1_1_list(creator_id: str) -> None:
    with pytest.raises(InvalidInput) as invalid:
        read_apps_offset_query({"serviceAccountId": creator_id, "limit": "0"})
    assert [fault.field for fault in invalid.value.faults] == ["limit", "serviceAccountId"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"limit": "0"}, ["limit"]),
        ({"limit": "101"}, ["limit"]),
        ({"offset": "-1"}, ["offset"]),
        ({"offset": "10001"}, ["offset"]),
        ({"offset": "9" * 5_000}, ["offset"]),
        ({"offset": ""}, ["offset"]),
        ({"limit": "x", "offset": "x"}, ["offset", "limit"]),
        ({"limit[x]": "1"}, ["limit[x]"]),
        ({"page[size]": "1"}, ["page[size]"]),
        ({"page": "{}", "limit": "x"}, ["page", "limit"]),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_other_offsets_and_limits_are_refused(query: Query, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as invalid:
        read_offset_query(query)
    assert [fault.field for fault in invalid.value.faults] == fields


FIRST: Final = ACCOUNT + "0000" + "00000001"
LAST: Final = ACCOUNT + "0000" + "00000002"


OWNERS: Final = [Owner(OwnerType.APP, owner_id, "Shop", NOW) for owner_id in (FIRST, LAST)]
FINAL_PAGE: Final = Page(OWNERS, has_more=False)
PAGE: Final = Page(OWNERS, has_more=True)


@pytest.mark.parametrize(
    ("position", "page", "cursors"),
    [
        pytest.param(After(), FINAL_PAGE, {}, id="the only page"),
        pytest.param(After(), PAGE, {"afterCursor": LAST}, id="the first page"),
        pytest.param(
            After(APP), PAGE, {"afterCursor": LAST, "beforeCursor": FIRST}, id="between, forwards"
        ),
        pytest.param(After(APP), FINAL_PAGE, {"beforeCursor": FIRST}, id="the last page"),
        pytest.param(
            Before(APP), PAGE, {"afterCursor": LAST, "beforeCursor": FIRST}, id="between, backwards"
        ),
        pytest.param(
            Before(APP), FINAL_PAGE, {"afterCursor": LAST}, id="the first page, backwards"
        ),
    ],
)
def test_cursors_lead_to_where_there_may_be_more(
    position: Position, page: Page, cursors: Query
) -> None:
    assert meta_of(page, position) == {"hasMore": page.has_more, **cursors}


@pytest.mark.parametrize("position", [After(), After(APP), Before(APP)])
def test_an_empty_page_has_no_cursors(position: Position) -> None:
    assert meta_of(Page((), has_more=False), position) == {"hasMore": False}


def read_link(link: str, own: str = ACCOUNT) -> AppsQuery:
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == URL
    return read_apps_query(dict(parse_qsl(parts.query, strict_parsing=True)), own)


@pytest.mark.parametrize("creator_id", [None, SERVICE_ACCOUNT])
def test_links_ask_for_the_pages_beside_with_the_same_size_and_filter(
    creator_id: str | None,
) -> None:
    first, last = APP_OF_SERVICE_ACCOUNT, APP_OF_SERVICE_ACCOUNT[:-1] + "9"
    meta: Meta = {"hasMore": True, "afterCursor": last, "beforeCursor": first}
    links = links_of(meta, URL, AppsQuery(After(), 7, creator_id))
    assert read_link(links["next"]) == AppsQuery(After(last), 7, creator_id)
    assert read_link(links["prev"]) == AppsQuery(Before(first), 7, creator_id)


def test_there_is_no_link_without_its_cursor() -> None:
    query = AppsQuery(After(), 7, None)
    assert links_of({"hasMore": False}, URL, query) == {}
    assert list(links_of({"hasMore": True, "afterCursor": LAST}, URL, query)) == ["next"]
    assert list(links_of({"hasMore": False, "beforeCursor": FIRST}, URL, query)) == ["prev"]
