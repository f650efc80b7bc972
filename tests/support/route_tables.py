"""The rows of both Sunshine tables: each route, and whom the API lets use it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VECTORS: Final = Path(__file__).parents[1] / "vectors"

V2, V1_1, V1_1_SHORT = "v2", "v1.1", "v1.1-short"
FILES: Final = {V2: "sunshine_scopes_v2.json", V1_1: "sunshine_scopes_v1_1.json"}
ACCOUNT_TAKES_ALL_METHODS: Final = "Webhooks"
"""The rows of this tag leave the account scope out, though the API's text gives it all methods."""
ONE_USER: Final = re.compile(r"/v2/apps/\{appId\}/users/\{(userIdOrExternalId|zendeskId)\}(/.*)?")
"""What an appUser reaches in v2, whose rows do not name the scope: the one user and its subtree."""
DELETE_THE_USER: Final = ("DELETE", "/v2/apps/{appId}/users/{userIdOrExternalId}")


@dataclass(frozen=True)
class Row:
    """A row of a table: a route and whom the API lets use it."""

    route_set: str
    method: str
    path: str
    scopes: frozenset[str]
    key_types: frozenset[str]

    def filled(self, ids: Mapping[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "x1"), self.path)

    def lets(self, kind: str) -> bool:
        is_v2_user = self.route_set == V2 and ONE_USER.fullmatch(self.path) is not None
        lets = {
            "appUser": "appUser" in self.scopes
            or (is_v2_user and (self.method, self.path) != DELETE_THE_USER),
            "app": "app" in self.scopes,
            "account": "account" in self.scopes,
            "service account": "account" in self.scopes and "svc" in self.key_types,
        }
        return lets[kind]


def read_rows(route_set: str) -> Iterator[Row]:
    for row in json.loads((VECTORS / FILES[route_set]).read_text("utf-8")):
        scopes = frozenset(row["scopes"])
        if row.get("tag") == ACCOUNT_TAKES_ALL_METHODS:
            scopes |= {"account"}
        # The rows of v2 say in their notes alone that both kinds of account key may be used.
        key_types = frozenset(row.get("key_types", ["act", "svc", "app"]))
        yield Row(route_set, row["method"], row["path"], scopes, key_types)


ROWS_BY_SET: Final = {route_set: list(read_rows(route_set)) for route_set in FILES}
ROWS: Final = [row for rows in ROWS_BY_SET.values() for row in rows]
