"""The OpenAPI document against the code: what one of them refuses, the other refuses, too.

Some rules have no words in JSON Schema. Where the code alone refuses a value, the member's
description names the rule.
"""

import json
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_network
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keyscope.errors import InvalidInput
from keyscope.management_api.body import Body
from keyscope.management_api.error_responses import faults_of_schema
from keyscope.management_api.explanations import ExplainBody
from keyscope.management_api.paging import read_apps_query, read_offset_query
from keyscope.management_api.request_bodies import (
    AppCreateBody,
    AppCreateBodyV11,
    AppKeyCreateBody,
    AppUpdateBody,
    AppUpdateBodyV11,
    KeyCreateBody,
    KeyCreateBodyV11,
    KeyUpdateBody,
    KeyUpdateBodyV11,
    RotateBody,
    ServiceAccountBody,
)
from tests.support.builders import ACCOUNT, APP, OTHER_APP, SERVICE_ACCOUNT
from tools.openapi_document import openapi_document

DOCUMENT: Final = openapi_document()
SCHEMAS: Final = DOCUMENT["components"]["schemas"]
BODIES: Final[list[type[Body]]] = [
    AppCreateBody,
    AppUpdateBody,
    KeyCreateBody,
    AppKeyCreateBody,
    KeyUpdateBody,
    AppCreateBodyV11,
    AppUpdateBodyV11,
    KeyCreateBodyV11,
    KeyUpdateBodyV11,
    RotateBody,
    ServiceAccountBody,
    ExplainBody,
]
IN_WORDS: Final = {
    "must be a network such as 192.0.2.0/24 or 2001:db8::/32, without host bits": "without"
    " host bits",
    "must be an IPv4 network such as 192.0.2.0/24. An IPv4-mapped IPv6 network requires a prefix"
    " of /96 or longer": "requires a prefix of at least /96",
    "must be an RFC 3339 time with a time zone, such as 2030-01-31T12:00:00Z": "RFC 3339",
    "must be in the future": "a future",
    "must be at most 4096 bytes as JSON": "up to 4096 bytes",
    "must be an IPv4 or IPv6 address": "An IPv4 or IPv6 address",
    "must be a cursor from a page of the same list": "from a page of the same list",
}
"""How descriptions name the rules that JSON Schema has no words for, by the title of the fault."""


def takes(schema: Mapping[str, Any], value: object) -> bool:
    """Tell whether a schema of the document takes a value."""
    return _validator_of(json.dumps(schema)).is_valid(value)


@cache
def _validator_of(schema: str) -> jsonschema_rs.Validator:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(whole, validate_formats=True)


def faults_of(body: type[Body], value: object) -> dict[str, str]:
    try:
        body.model_validate(value)
    except ValidationError as invalid:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in invalid.errors()]
        return {fault.field: fault.title for fault in faults_of_schema(errors)}
    return {}


def check_agreement(schema: Mapping[str, Any], value: object, faults: Mapping[str, str]) -> None:
    """Accept two answers that are the same, and a refusal for what only the description says."""
    if takes(schema, value):
        described = json.dumps(schema)
        untold = {name: title for name, title in faults.items() if title not in IN_WORDS}
        assert untold == {}
        assert [title for title in faults.values() if IN_WORDS[title] not in described] == []
    else:
        assert faults != {}


ADDRESSES: Final = st.ip_addresses().map(str)
SOURCES: Final = ADDRESSES.flatmap(
    lambda text: st.sampled_from(
        [text, f"[{text}]", f"{text}:443", f"[{text}]:65536", f"::ffff:{text}", f"{text}%eth0"]
    )
)
NETWORKS: Final = st.builds("{}/{}".format, ADDRESSES | st.just("::"), st.integers(0, 130)) | (
    st.ip_addresses(v=4).map(lambda address: str(ip_network(f"{address}/24", strict=False)))
)
TIMES: Final = st.builds(
    "{}{}{}{}".format,
    st.dates().map(str) | st.sampled_from(["2100-02-30", "0000-01-01", "99-01-01", "10000-01-01"]),
    st.sampled_from(["T", "t", " "]),
    st.sampled_from(["12:00:00", "23:59:60", "24:00:00", "12:00", "12:00:00.5", "12:00:00,5"]),
    st.sampled_from(["Z", "z", "", "+01:00", "+0100", "-99:00", "+23:59:59"]),
)
NUMBERS: Final = st.integers() | st.integers(0, 100) | st.sampled_from([1.0, 1.5, 2**53, 1e30])
TEXTS: Final = (
    st.text()
    | ADDRESSES
    | SOURCES
    | NETWORKS
    | TIMES
    | st.sampled_from(
        [
            "x" * 100,
            "x" * 101,
            "/" + "x" * 2_047,
            "/" + "x" * 2_048,
            "x" * 8_193,
            "GET",
            "rest",
            "/\n",
        ]
    )
)
VALUES: Final = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=9)
MEMBERS: Final = st.dictionaries(
    st.text(max_size=3) | st.sampled_from(["echoPostback", "conversationRetentionSeconds", "a"]),
    VALUES | st.dictionaries(st.text(), VALUES, max_size=1) | st.sampled_from(["x" * 4_096]),
    max_size=3,
)


LIKELY: Final[Mapping[str, st.SearchStrategy[object]]] = {
    "displayName": st.just("Shop"),
    "name": st.just("Shop"),
    "settings": MEMBERS,
    "metadata": MEMBERS,
    "expiresAt": TIMES,
    "allowedCidrs": st.lists(NETWORKS, max_size=9),
    "disabled": st.booleans(),
    "overlapSeconds": NUMBERS,
    "credential": TEXTS,
    "method": st.just("GET"),
    "path": st.just("/v2/apps"),
    "sourceAddress": SOURCES,
    "apiKind": st.just("http"),
}


@st.composite
def bodies_like(draw: st.DrawFn, body: type[Body]) -> dict[str, object]:
    """Return an object with likely members of a body, and often one that is anything."""
    names = {field.alias or name: field for name, field in body.model_fields.items()}
    likely = {name: LIKELY.get(name, VALUES) for name in names}
    required = {name: likely[name] for name, field in names.items() if field.is_required()}
    optional = {name: likely[name] for name in names.keys() - required.keys()}
    members = draw(st.fixed_dictionaries(required, optional=dict(sorted(optional.items()))))
    strange = draw(st.none() | st.sampled_from([*names, "x"]))
    return members if strange is None else {**members, strange: draw(VALUES)}


@pytest.mark.parametrize("body", BODIES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_body_is_taken_by_the_document_as_by_the_code(
    body: type[Body], data: st.DataObject
) -> None:
    value = data.draw(bodies_like(body))
    check_agreement(SCHEMAS[body.__name__], value, faults_of(body, value))


def test_every_body_of_the_document_is_tried() -> None:
    refs = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    }
    assert refs == {body.__name__ for body in BODIES}


@pytest.mark.parametrize(
    "network",
    ["fe80::1%eth0", "192.0.2.0/255.255.255.0", "192.0.2.0/1234", " ::/0", "here", "", "::/0\n"],
)
def test_the_document_says_how_a_network_is_written(network: str) -> None:
    for name in ("KeyCreateBody", "KeyUpdateBody", "KeyCreateBodyV11", "KeyUpdateBodyV11"):
        cidrs = SCHEMAS[name]["properties"]["allowedCidrs"]
        assert not takes(cidrs, [network])
        assert takes(cidrs, ["192.0.2.0/24", "192.0.2.7", "2001:DB8::/32", "::ffff:0:0/96"])


@pytest.mark.parametrize(
    "expiry",
    [
        "2100-01-01t00:00:00Z",
        "2100-01-01 00:00:00Z",
        "2100-01-01T00:00:00z",
        "2100-06-30T23:59:60Z",
        "2100-01-01T00:00:00",
        "2100-01-01",
    ],
)
def test_the_document_says_how_a_time_is_written(expiry: str) -> None:
    for name in ("KeyCreateBody", "KeyUpdateBody", "KeyCreateBodyV11", "KeyUpdateBodyV11"):
        times = SCHEMAS[name]["properties"]["expiresAt"]
        assert not takes(times, expiry)
        assert takes(times, "2100-01-01T00:00:00.25+02:00")


@pytest.mark.parametrize(
    "address",
    ["192.0.2.7", "192.0.2.7:39870", "2001:db8::1", "[2001:db8::1]:443", "::ffff:192.0.2.7"],
)
def test_the_document_takes_every_form_of_a_source_address(address: str) -> None:
    addresses = SCHEMAS["ExplainBody"]["properties"]["sourceAddress"]
    assert takes(addresses, address)
    for wrong in (f" {address}", f"{address}%eth0", f"{address}, {address}", f"[{address}", "here"):
        assert not takes(addresses, wrong)


def parameters_of(path: str) -> dict[str, Any]:
    parameters = DOCUMENT["paths"][path]["get"]["parameters"]
    return {parameter["name"]: parameter["schema"] for parameter in parameters}


CURSORS: Final = st.sampled_from(
    [APP, OTHER_APP, APP.upper(), APP + "\n", ACCOUNT, SERVICE_ACCOUNT, "", "x"]
)
CREATORS: Final = st.sampled_from([SERVICE_ACCOUNT, ACCOUNT + "0000", ACCOUNT, "x"])
SIZES: Final = st.none() | st.booleans() | st.integers(-1, 101) | NUMBERS
"""Without text: in a query, whose members have no types, a number may be text."""


@settings(deadline=None)
@given(
    page=st.fixed_dictionaries(
        {},
        optional={
            "size": SIZES,
            "after": CURSORS | VALUES,
            "before": CURSORS | VALUES,
            "x": VALUES,
        },
    )
)
@example(page={"size": 10.0})
@example(page={"after": APP, "before": APP})
@example(page={"after": OTHER_APP})
def test_a_page_is_taken_by_the_document_as_by_the_code(page: dict[str, object]) -> None:
    faults = query_faults({"page": json.dumps(page)})
    check_agreement(parameters_of("/v2/apps")["page"], page, faults)


@settings(deadline=None)
@given(
    st.fixed_dictionaries({}, optional={"serviceAccountId": CREATORS | VALUES, "x": VALUES}),
)
def test_a_filter_is_taken_by_the_document_as_by_the_code(criteria: dict[str, object]) -> None:
    faults = query_faults({"filter": json.dumps(criteria)})
    check_agreement(parameters_of("/v2/apps")["filter"], criteria, faults)


def query_faults(query: Mapping[str, str]) -> dict[str, str]:
    try:
        read_apps_query(query, ACCOUNT)
    except InvalidInput as invalid:
        return {fault.field: fault.title for fault in invalid.faults}
    return {}


@pytest.mark.parametrize("path", ["/v1.1/apps", "/v1.1/serviceaccounts"])
@pytest.mark.parametrize("name", ["limit", "offset"])
@given(number=st.integers(-1, 102) | st.integers(9_998, 10_002) | st.integers())
def test_an_offset_and_a_limit_have_the_bounds_that_the_document_says(
    path: str, name: str, number: int
) -> None:
    try:
        read_offset_query({name: str(number)})
    except InvalidInput as invalid:
        faults = {fault.field: fault.title for fault in invalid.faults}
    else:
        faults = {}
    check_agreement(parameters_of(path)[name], number, faults)
