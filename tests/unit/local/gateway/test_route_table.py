"""Which route a request takes.

Sources: "Create routes for HTTP APIs in API Gateway" in the Amazon API Gateway developer guide; for
REST APIs, measurements against AWS itself in ministackorg/ministack pull request 1423 (path and
method together) and aws-powertools/powertools-lambda-python pull request 1609 (trailing slash).
"""

from itertools import permutations

import pytest

from keyscope_local.gateway.api_definition import ApiKind, FunctionIntegration, Route
from keyscope_local.gateway.request import MatchedRoute
from keyscope_local.gateway.route_table import find_route


def routes(*lines: str) -> list[Route]:
    pairs = [line.split(" ") for line in lines]
    return [Route(method, path, FunctionIntegration("F"), None) for method, path in pairs]


TABLE = routes(
    "GET /apps",
    "ANY /apps",
    "GET /apps/{appId}",
    "GET /apps/new",
    "ANY /apps/{proxy+}",
    "POST /apps/{appId}/users/{userId}",
    "ANY /{proxy+}",
)


KIND = ApiKind.HTTP


def found(method: str, path: str) -> str | None:
    return found_in(TABLE, method, path)


def found_in(table: list[Route], method: str, path: str, kind: ApiKind = KIND) -> str | None:
    route = find_route(table, kind, method, path)
    return f"{route[0].method} {route[0].template}" if route else None


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        pytest.param("GET", "/apps", "GET /apps", id="a method before ANY"),
        pytest.param("PUT", "/apps", "ANY /apps", id="ANY for the other methods"),
        pytest.param("GET", "/apps/new", "GET /apps/new", id="a literal before a placeholder"),
        pytest.param("GET", "/apps/a", "GET /apps/{appId}", id="a placeholder before greedy"),
        pytest.param("PUT", "/apps/a", "ANY /apps/{proxy+}", id="greedy for other methods"),
        pytest.param("GET", "/apps/a/x", "ANY /apps/{proxy+}", id="greedy crosses slashes"),
        pytest.param(
            "POST",
            "/apps/a/users/u",
            "POST /apps/{appId}/users/{userId}",
            id="several placeholders",
        ),
        pytest.param("GET", "/apps/", "ANY /{proxy+}", id="a trailing slash"),
        pytest.param("GET", "//", "ANY /{proxy+}", id="a double slash"),
        pytest.param("GET", "/a%2Fb", "ANY /{proxy+}", id="an encoded slash"),
        pytest.param("GET", "/a\n", "ANY /{proxy+}", id="a newline"),
        pytest.param("GET", "/", None, id="greedy needs a character"),
        pytest.param("GET", "", None, id="no path"),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, route: str | None) -> None:
    assert found(method, path) == route


def test_without_a_route_for_the_method_there_is_none() -> None:
    assert found_in(routes("GET /apps"), "POST", "/apps") is None


@pytest.mark.parametrize("kind", ApiKind)
@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        pytest.param("GET", "/pets/dog/1", "GET /pets/dog/1", id="a full match"),
        pytest.param("GET", "/pets/dog/2", "GET /pets/dog/{id}", id="with a placeholder"),
        pytest.param("GET", "/pets/cat/1", "GET /pets/{proxy+}", id="greedy"),
        pytest.param("POST", "/test/5", "ANY /{proxy+}", id="greedy for any method"),
    ],
)
def test_the_guides_own_example_is_routed_as_it_says(
    method: str, path: str, route: str, kind: ApiKind
) -> None:
    lines = ["ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1"]
    assert found_in(routes(*lines), method, path, kind) == route


@pytest.mark.parametrize("further", ["GET /a/{x}", "GET /a/{x+}", "ANY /a/b", "ANY /{x+}"])
def test_the_order_in_the_template_does_not_count(further: str) -> None:
    for lines in permutations(("GET /a/b", further)):
        assert found_in(routes(*lines), "GET", "/a/b") == "GET /a/b"


@pytest.mark.parametrize("path", ["/APPS", "/apps//", "/appsx", "/x/apps", "apps"])
def test_a_literal_is_taken_as_it_is(path: str) -> None:
    assert found_in(routes("GET /apps"), "GET", path) is None


@pytest.mark.parametrize("path", ["/apps/", "/apps/a/b", "/apps//"])
def test_a_placeholder_stands_for_one_segment_that_is_not_empty(path: str) -> None:
    assert found_in(routes("GET /apps/{appId}"), "GET", path) is None


@pytest.mark.parametrize(("kind", "route"), [(ApiKind.REST, "GET /apps"), (ApiKind.HTTP, None)])
def test_a_rest_api_alone_ignores_a_trailing_slash(kind: ApiKind, route: str | None) -> None:
    assert found_in(routes("GET /apps"), "GET", "/apps/", kind) == route


def test_a_rest_api_ignores_one_slash_only() -> None:
    assert found_in(routes("GET /apps"), "GET", "/apps//", ApiKind.REST) is None


def test_the_root_of_a_rest_api_is_a_route_of_its_own() -> None:
    assert found_in(routes("GET /", "GET /{proxy+}"), "GET", "/", ApiKind.REST) == "GET /"


def test_the_placeholders_values_are_told() -> None:
    route = find_route(TABLE, KIND, "POST", "/apps/a1/users/u%201")
    assert route is not None
    assert route[1] == MatchedRoute(
        "POST", "/apps/{appId}/users/{userId}", {"appId": "a1", "userId": "u%201"}
    )


@pytest.mark.parametrize("kind", ApiKind)
def test_a_greedy_placeholder_holds_the_rest(kind: ApiKind) -> None:
    route = find_route(TABLE, kind, "GET", "/x/y/z/")
    assert route is not None
    assert route[1].path_parameters == {"proxy": "x/y/z/"}


def test_a_dot_in_a_template_is_literal() -> None:
    assert found_in(routes("GET /v1.1/apps"), "GET", "/v1x1/apps") is None
