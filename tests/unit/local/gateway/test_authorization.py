"""How the gateway authorizes: identity sources, cache, the authorizer's answers, the policy."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from keyscope_local.gateway.gateway import Gateway
from tests.support.local_gateway import (
    AUTHORIZATION,
    HTTP_AUTHORIZER,
    NOW,
    REQUEST_AUTHORIZER,
    Served,
    answer,
    arn_of,
    policy,
    raising,
    served,
    small_stack,
)

ANOTHER = ("authorization", "Basic two")
UNRELATED = ("accept", "*/*")
UNCACHED = REQUEST_AUTHORIZER.replace("60", "0")
TOKEN = (
    "{FunctionArn: !GetAtt Guard.Arn, FunctionPayloadType: TOKEN,"
    ' Identity: {Header: Authorization, ValidationExpression: "Basic .*", ReauthorizeEvery: 60}}'
)


@pytest.fixture(params=["Rest", "Http"])
def api(request: pytest.FixtureRequest) -> Served:
    return served(small_stack(), request.param)


@pytest.fixture
def uncached() -> Served:
    return served(small_stack(UNCACHED))


@pytest.fixture
def by_token() -> Served:
    return served(small_stack(TOKEN))


def allow(api: Served, *requests: str, condition: Mapping[str, object] | None = None) -> None:
    resources = [arn_of(api.gateway, request) for request in requests]
    document = policy(*resources, condition=condition)
    api.guard.respond = lambda _: answer(document)


def test_an_allowed_request_reaches_the_backend(api: Served) -> None:
    assert api.status() == 200
    assert len(api.backend.events) == 1


def test_a_request_outside_the_policy_is_403_and_does_not_reach_the_backend(api: Served) -> None:
    allow(api, "GET/other")
    assert api.status() == 403
    assert api.backend.events == []


def test_an_explicit_deny_is_403(api: Served) -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": arn_of(api.gateway, "GET/v2/apps")}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything, deny]}
    api.guard.respond = lambda _: answer(document)
    assert (api.status("/v2/apps"), api.status("/v2/other")) == (403, 200)


@pytest.mark.parametrize("headers", [(UNRELATED,), (("authorization", ""),)])
def test_a_missing_or_empty_identity_source_is_401_without_an_invocation(
    headers: tuple[tuple[str, str]], api: Served
) -> None:
    assert api.status("/v2/apps", *headers) == 401
    assert api.guard.events == []


def test_of_several_identity_sources_none_may_be_missing() -> None:
    authorizer = REQUEST_AUTHORIZER.replace("[Authorization]", "[Authorization, X-Tenant]")
    api = served(small_stack(authorizer))
    tenant = ("x-tenant", "t")
    assert [api.status("/x", *headers) for headers in ([AUTHORIZATION], [tenant])] == [401, 401]
    assert api.guard.events == []
    assert api.status("/x", AUTHORIZATION, tenant) == 200


def test_an_http_api_needs_its_identity_sources_without_caching_too() -> None:
    uncached = HTTP_AUTHORIZER.replace("60", "0")
    api = served(small_stack(http_authorizer=uncached), "Http")
    assert (api.status("/x", UNRELATED), api.guard.events) == (401, [])
    assert (api.status("/x"), len(api.guard.events)) == (200, 1)


def test_an_http_api_without_identity_sources_always_asks() -> None:
    sourceless = HTTP_AUTHORIZER.replace(
        "Identity: {Headers: [Authorization], ReauthorizeEvery: 60}", "Identity: {}"
    )
    api = served(small_stack(http_authorizer=sourceless), "Http")
    assert [api.status("/x", UNRELATED), api.status("/x", UNRELATED)] == [200, 200]
    assert [event["identitySource"] for event in api.guard.events] == [[], []]


def test_a_token_authorizer_needs_its_token_without_caching_too() -> None:
    api = served(
        small_stack(
            UNCACHED.replace("REQUEST", "TOKEN").replace(
                "Headers: [Authorization]", "Header: Authorization"
            ),
        )
    )
    assert (api.status("/x", UNRELATED), api.guard.events) == (401, [])


def test_the_answer_to_a_missing_identity_source_is_not_cached(api: Served) -> None:
    assert [api.get("/x", UNRELATED).cache, api.get("/x", UNRELATED).cache] == ["none", "none"]


def test_without_caching_a_rest_request_authorizer_is_asked_all_the_same(uncached: Served) -> None:
    assert uncached.status("/v2/apps", UNRELATED) == 200
    assert len(uncached.guard.events) == 1


def test_a_result_is_used_again_for_the_same_credential_on_any_path(api: Served) -> None:
    answers = [api.get("/v2/apps"), api.get("/v2/users", method="POST")]
    assert [each.cache for each in answers] == ["miss", "hit"]
    assert len(api.guard.events) == 1


def test_a_cached_policy_is_applied_to_the_path_that_is_asked_for(api: Served) -> None:
    allow(api, "GET/one")
    assert [api.status("/one"), api.status("/two"), api.status("/one")] == [200, 403, 200]
    assert len(api.guard.events) == 1


def test_another_credential_is_another_result(api: Served) -> None:
    assert [api.get("/", AUTHORIZATION).cache, api.get("/x", ANOTHER).cache] == ["none", "miss"]
    assert api.get("/x", ANOTHER).cache == "hit"


def test_a_result_that_denies_is_cached_too(api: Served) -> None:
    allow(api, "GET/other")
    assert [api.get().cache, api.get().cache] == ["miss", "hit"]


@pytest.mark.parametrize("message", ["Unauthorized", "anything else"])
def test_an_error_is_not_cached(message: str, api: Served) -> None:
    api.guard.respond = raising(message)
    assert [api.get().cache, api.get().cache] == ["miss", "miss"]
    assert len(api.guard.events) == 2


def test_a_policy_that_is_not_understood_is_not_cached(api: Served) -> None:
    api.guard.respond = lambda _: answer(policy("arn:aws:execute-api:*", effect="allow"))
    assert [api.get().cache, api.get().cache] == ["miss", "miss"]


def test_a_result_is_forgotten_when_its_time_is_over(api: Served) -> None:
    api.get()
    api.clock.now += 60
    assert api.get().cache == "miss"


def test_a_hit_does_not_lengthen_the_time(api: Served) -> None:
    api.get()
    api.clock.now += 59
    assert api.get().cache == "hit"
    api.clock.now += 1
    assert api.get().cache == "miss"


def test_the_context_of_a_cached_result_is_that_of_its_invocation(api: Served) -> None:
    api.guard.respond = lambda _: answer(context={"count": len(api.guard.events)})
    assert [b'"count": "1"' in api.get(path).body for path in ("/one", "/two")] == [True, True]


def test_a_result_is_that_of_its_authorizer_only() -> None:
    one = served(small_stack())
    definition = one.gateway.api
    guard, (route, *_) = definition.authorizers["Guard"], definition.routes[1:]
    both = replace(
        definition,
        authorizers={"Guard": guard, "Second": replace(guard, name="Second")},
        routes=[route, replace(route, template="/second", authorizer="Second")],
    )
    api = replace(one, gateway=Gateway(both, one.gateway.functions, one.clock))
    assert [api.get(path).cache for path in ("/first", "/second", "/second")] == [
        "miss",
        "miss",
        "hit",
    ]


def test_without_caching_every_request_is_asked_about(uncached: Served) -> None:
    assert [uncached.get().cache, uncached.get().cache] == ["none", "none"]
    assert len(uncached.guard.events) == 2


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Unauthorized", 401),
        ("unauthorized", 500),
        ("Unauthorized ", 500),
        ("[401] Unauthorized", 500),
        ("", 500),
    ],
)
def test_only_the_exact_message_makes_a_401(message: str, status: int, api: Served) -> None:
    api.guard.respond = raising(message)
    assert api.status() == status


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        [],
        "Allow",
        {},
        {"principalId": "a"},
        {"policyDocument": policy("arn:aws:execute-api:*")},
        {**answer(), "principalId": 1},
        {**answer(), "policyDocument": {}},
        {**answer(), "policyDocument": policy("arn:aws:execute-api:*", effect="allow")},
        {**answer(), "context": {"nested": {}}},
        {**answer(), "context": {"list": []}},
        {**answer(), "context": {"null": None}},
        {**answer(), "context": []},
        {"isAuthorized": True},
    ],
)
def test_an_answer_that_is_none_is_500(malformed: object, api: Served) -> None:
    api.guard.respond = lambda _: malformed
    assert api.status() == 500
    assert api.backend.events == []


def test_a_time_limit_in_the_policy_holds_while_it_is_cached(api: Served) -> None:
    end = datetime.fromtimestamp(NOW + 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    allow(api, "GET/v2/apps", condition={"DateLessThan": {"aws:CurrentTime": end}})
    assert api.status() == 200
    api.clock.now += 30
    assert (api.get().status, api.get().cache) == (403, "hit")


def test_an_address_limit_in_the_policy_holds_while_it_is_cached(api: Served) -> None:
    allow(api, "GET/v2/apps", condition={"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}})
    assert api.status(source_address="192.0.2.9") == 200
    elsewhere = api.get(source_address="198.51.100.1")
    assert (elsewhere.status, elsewhere.cache) == (403, "hit")


def test_a_token_authorizer_gets_the_token(by_token: Served) -> None:
    assert by_token.status() == 200
    assert by_token.guard.events == [
        {
            "type": "TOKEN",
            "methodArn": arn_of(by_token.gateway, "GET/v2/apps"),
            "authorizationToken": "Basic one",
        }
    ]


@pytest.mark.parametrize("token", ["Bearer one", "A Basic one", "basic one"])
def test_a_token_that_does_not_match_is_401_without_an_invocation(
    token: str, by_token: Served
) -> None:
    assert by_token.status("/v2/apps", ("authorization", token)) == 401
    assert by_token.guard.events == []


def test_the_source_address_can_be_part_of_the_cache_key() -> None:
    authorizer = REQUEST_AUTHORIZER.replace(
        "Headers: [Authorization]", "Headers: [Authorization], Context: [identity.sourceIp]"
    )
    api = served(small_stack(authorizer))
    caches = [api.get(source_address=address).cache for address in ("192.0.2.1", "192.0.2.2")]
    assert caches == ["miss", "miss"]
    assert api.get(source_address="192.0.2.1").cache == "hit"


def test_a_query_parameter_can_be_the_identity_source() -> None:
    authorizer = REQUEST_AUTHORIZER.replace("Headers: [Authorization]", "QueryStrings: [token]")
    api = served(small_stack(authorizer))
    assert [api.status(query="token=a%20b"), api.status(query="other=1")] == [200, 401]


def test_a_header_that_is_sent_twice_is_another_identity(api: Served) -> None:
    api.get()
    assert api.get("/v2/apps", AUTHORIZATION, ANOTHER).cache == "miss"
