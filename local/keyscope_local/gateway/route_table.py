"""From a method and a path to the route that API Gateway selects."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from keyscope_local.gateway.api_definition import ANY_METHOD, ApiKind, Route
from keyscope_local.gateway.request import MatchedRoute

_PARAMETER = re.compile(r"\{([A-Za-z0-9._-]+)(\+?)\}")
_LITERAL, _NAMED, _GREEDY = range(3)
_SEGMENT: Final = {"": "([^/]+)", "+": "(.+)"}


def find_route(
    routes: Sequence[Route], kind: ApiKind, method: str, path: str
) -> tuple[Route, MatchedRoute] | None:
    """Return the most specific route for a request, or `None`.

    A literal segment takes precedence over a placeholder, a placeholder over a greedy one, and a
    method over `ANY` ("Working with routes for HTTP APIs"). REST APIs choose in the same way, and
    by path and method together. Only a REST API accepts `/apps/` for `/apps`.
    """
    paths = [path]
    if kind is ApiKind.REST and path.endswith("/"):
        paths.append(path[:-1])
    candidates = [
        (_rank(route), route, found)
        for route in routes
        if route.method in (method, ANY_METHOD) and (found := _match(route.template, paths))
    ]
    if not candidates:
        return None
    _, route, found = min(candidates, key=lambda candidate: candidate[0])
    names = [name for name, _ in _PARAMETER.findall(route.template)]
    values = dict(zip(names, found.groups(), strict=True))
    return route, MatchedRoute(route.method, route.template, values)


def _match(template: str, paths: Sequence[str]) -> re.Match[str] | None:
    expression = _expression(template)
    return next((found for path in paths if (found := expression.fullmatch(path))), None)


def _expression(template: str) -> re.Pattern[str]:
    literals = _PARAMETER.split(template)[::3]
    greedy = [plus for _, plus in _PARAMETER.findall(template)]
    parts = [re.escape(literals[0])]
    for plus, literal in zip(greedy, literals[1:], strict=True):
        parts += [_SEGMENT[plus], re.escape(literal)]
    return re.compile("".join(parts), re.DOTALL)


def _rank(route: Route) -> tuple[tuple[int, ...], bool]:
    return tuple(_segment_ranks(route.template)), route.method == ANY_METHOD


def _segment_ranks(template: str) -> Iterator[int]:
    for segment in template.split("/"):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            yield _LITERAL
        else:
            yield _GREEDY if found[2] else _NAMED
