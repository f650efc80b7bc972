"""The rows of both Sunshine tables: each route, and whom the API lets use it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

VECTORS: Final = Path(__file__).parents[1] / "vectors"

V2, V1_1, V1_1_SHORT = "v2", "v1.1", "v1.1-short"
FILES: Final = {V2: "sunshine_scopes_v2.json", V1_1: "sunshine_scopes_v1_1.json"}
SERVED: Final = (V2, V1_1_SHORT)
"""The route sets that a stack serves by default."""


class Kind(NamedTuple):
    """What a table calls a kind of principal: its scope, and the prefix of its keys."""

    scope: str
    key_type: str


KINDS: Final[Mapping[str, Kind]] = {
    "appUser": Kind("appUser", "app"),
    "app": Kind("app", "app"),
    "integration": Kind("integration", "app"),
    "account": Kind("account", "act"),
    "service account": Kind("account", "svc"),
}


class Difference(NamedTuple):
    """Routes that Keyscope also opens to some kinds of principals, and why. None are closed."""

    kinds: frozenset[str]
    routes: frozenset[str]
    reason: str


_WEBHOOKS: Final = "/v2/apps/{appId}/integrations/{integrationId}/webhooks"
_USER: Final = "/v2/apps/{appId}/users/{userIdOrExternalId}"
DIFFERENCES: Final = (
    Difference(
        frozenset({"account", "service account"}),
        frozenset(
            {
                f"POST {_WEBHOOKS}",
                f"GET {_WEBHOOKS}",
                f"GET {_WEBHOOKS}/{{webhookId}}",
                f"PATCH {_WEBHOOKS}/{{webhookId}}",
                f"DELETE {_WEBHOOKS}/{{webhookId}}",
            }
        ),
        "The table omits the scope; the API's text gives it all methods",
    ),
    Difference(
        frozenset({"appUser"}),
        frozenset(
            {
                f"GET {_USER}",
                f"PATCH {_USER}",
                f"GET {_USER}/clients",
                f"POST {_USER}/clients",
                f"DELETE {_USER}/clients/{{clientId}}",
                f"GET {_USER}/devices",
                f"GET {_USER}/devices/{{deviceId}}",
                f"DELETE {_USER}/personalinformation",
            }
        ),
        "The table does not know the scope",
    ),
)
"""Every exception from the published tables."""


@dataclass(frozen=True)
class Row:
    """A row of a table: a route, and the scopes and the types of keys that may use it."""

    route_set: str
    method: str
    path: str
    scopes: frozenset[str]
    key_types: frozenset[str]

    def filled(self, ids: Mapping[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "x1"), self.path)

    def is_published_for(self, kind: str) -> bool:
        scope, key_type = KINDS[kind]
        # One route of v2's table is for OAuth tokens alone, which are not Keyscope's.
        is_of_keys = not self.path.startswith("/oauth/")
        return scope in self.scopes and key_type in self.key_types and is_of_keys

    def lets(self, kind: str) -> bool:
        route = f"{self.method} {self.path}"
        return self.is_published_for(kind) or any(
            kind in each.kinds and route in each.routes for each in DIFFERENCES
        )


def read_rows(route_set: str) -> Iterator[Row]:
    for row in json.loads((VECTORS / FILES[route_set]).read_text("utf-8")):
        # The rows of v2 say in their notes alone that both kinds of account key may be used.
        key_types = frozenset(row.get("key_types", ["act", "svc", "app"]))
        yield Row(route_set, row["method"], row["path"], frozenset(row["scopes"]), key_types)


_NOTIFICATIONS: Final = "/v1.1/apps/{appId}/notifications"
_BESIDE_THE_TABLE: Final = Row(
    V1_1, "POST", _NOTIFICATIONS, frozenset({"account"}), frozenset({"act", "svc"})
)
"""The table has notifications in v1 only; an account's keys reach everything below its apps."""


def shortened(row: Row) -> Iterator[Row]:
    """Yield a row of v1.1 with its short path for keys of apps and its long one for the others.

    As smooch-core 8.11.4 sends them: it names the app of integrations and of notifications, which
    it asks for in v1.1, but not of what is below an integration.
    """
    row = replace(row, route_set=V1_1_SHORT)
    head, _, rest = row.path.partition("/apps/{appId}/")
    if not rest:
        yield row
        return
    of_apps = row.scopes & {"appUser", "app"}
    names_app = rest.startswith("integrations")
    yield row if names_app else replace(row, scopes=row.scopes - of_apps)
    if rest == "notifications":
        yield replace(row, path=_NOTIFICATIONS)
    is_never_short = rest in {"integrations", "notifications"}
    yield replace(row, path=f"{head}/{rest}", scopes=frozenset() if is_never_short else of_apps)


ROWS_BY_SET: Final = {
    V2: list(read_rows(V2)),
    V1_1: [*read_rows(V1_1), _BESIDE_THE_TABLE],
    V1_1_SHORT: [each for row in read_rows(V1_1) for each in shortened(row)],
}
ROWS: Final = [row for route_set in SERVED for row in ROWS_BY_SET[route_set]]
"""The rows of the route sets that a stack serves by default."""
ROUTES: Final = list(
    {(row.method, row.path): row for rows in ROWS_BY_SET.values() for row in rows}.values()
)
"""Each method and path of all sets, once."""


@cache
def kinds_by_route(route_sets: Sequence[str]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return the kinds of principals that reach each route of some sets."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for row in (row for route_set in route_sets for row in ROWS_BY_SET[route_set]):
        kinds = frozenset(kind for kind in KINDS if row.lets(kind))
        found[row.method, row.path] = found.get((row.method, row.path), frozenset()) | kinds
    return found
