import pytest

from local.api_definition import FunctionIntegration, Route
from local.route_table import find_route


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


def found(method: str, path: str) -> str | None:
    route = find_route(TABLE, method, path)
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
    assert find_route(routes("GET /apps"), "POST", "/apps") is None


def test_the_placeholders_values_are_told() -> None:
    route = find_route(TABLE, "POST", "/apps/a1/users/u%201")
    assert route is not None
    assert route[1].path_parameters == {"appId": "a1", "userId": "u%201"}


def test_a_greedy_placeholder_holds_the_rest() -> None:
    route = find_route(TABLE, "GET", "/x/y/z/")
    assert route is not None
    assert route[1].path_parameters == {"proxy": "x/y/z/"}


def test_a_dot_in_a_template_is_literal() -> None:
    assert find_route(routes("GET /v1.1/apps"), "GET", "/v1x1/apps") is None
