"""Which page of a list a request asks for.

v2 accepts `page[size]`, `page[after]` or `page[before]`, and `filter[serviceAccountId]`. The
Sunshine API's own clients send the same as JSON in `page` and `filter`. v1.1 accepts `limit`,
`offset` and, for apps, `serviceAccountId`. A cursor is the id of an
app that the caller has seen. It grants nothing, because a page contains only what the caller may
list.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from keyscope.errors import Fault, InvalidInput
from keyscope.lifecycle.directory import After, Before, Offset, Page, Position
from keyscope.management_api.requests import read_json
from keyscope.management_api.responses import Links, Meta
from keyscope.model.ids import is_app_id, is_service_account_id

MAX_SIZE = 100
DEFAULT_SIZE = 25
MAX_OFFSET = 10_000
"""The largest number of records that a v1.1 list may skip, since each of them is read."""

_MAX_DIGITS = 9
_KNOWN = {"page": {"size", "after", "before"}, "filter": {"serviceAccountId"}}
_MEMBER = re.compile(rf"({'|'.join(_KNOWN)})\[.*\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AppsQuery:
    """Which apps a request asks for. `creator_id` limits them to those of one service account."""

    position: Position
    size: int
    creator_id: str | None


def read_apps_query(query: Mapping[str, str], own: str) -> AppsQuery:
    """Read the query of a v2 list of apps; `own` is the prefix of the ids of the caller's apps.

    Raises:
        InvalidInput: with every fault in the query.
    """
    reader = _Reader()
    reader.refuse_unknown([name for name in query if not _MEMBER.fullmatch(name)], *_KNOWN)
    page, criteria = reader.members(query, "page"), reader.members(query, "filter")
    creator_id = reader.creator(criteria, "filter[serviceAccountId]")
    found = AppsQuery(
        position=reader.position(page, creator_id or own),
        size=reader.number(page.get("size", DEFAULT_SIZE), "page[size]", range(1, MAX_SIZE + 1)),
        creator_id=creator_id,
    )
    reader.finish()
    return found


def read_offset_query(query: Mapping[str, str]) -> tuple[Offset, int]:
    """Read the `offset` and `limit` of a v1.1 list.

    Raises:
        InvalidInput: with every fault in the query.
    """
    reader = _Reader()
    reader.refuse_unknown(query, "limit", "offset")
    found = reader.offset_and_limit(query)
    reader.finish()
    return found


def read_apps_offset_query(query: Mapping[str, str]) -> tuple[Offset, int, str | None]:
    """Read the query of a v1.1 list of apps; the third value is its `serviceAccountId`.

    Raises:
        InvalidInput: with every fault in the query.
    """
    reader = _Reader()
    reader.refuse_unknown(query, "limit", "offset", "serviceAccountId")
    found = *reader.offset_and_limit(query), reader.creator(query, "serviceAccountId")
    reader.finish()
    return found


def meta_of(page: Page, position: Position) -> Meta:
    """Return the position of a page, with a cursor for each direction that may have a page."""
    meta: Meta = {"hasMore": page.has_more}
    if not page.owners:
        return meta
    backwards = isinstance(position, Before)
    if page.has_more or backwards:
        meta["afterCursor"] = page.owners[-1].owner_id
    if page.has_more if backwards else position != After():
        meta["beforeCursor"] = page.owners[0].owner_id
    return meta


def links_of(meta: Meta, url: str, query: AppsQuery) -> Links:
    """Return the URLs of the pages before and after this one; `url` is the URL of the list."""
    others = {"page[size]": str(query.size)}
    if query.creator_id is not None:
        others["filter[serviceAccountId]"] = query.creator_id
    links: Links = {}
    if "beforeCursor" in meta:
        links["prev"] = f"{url}?{urlencode({'page[before]': meta['beforeCursor'], **others})}"
    if "afterCursor" in meta:
        links["next"] = f"{url}?{urlencode({'page[after]': meta['afterCursor'], **others})}"
    return links


class _Reader:
    """Reads the parameters of a query and collects every fault."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def refuse_unknown(self, names: Iterable[str], *known: str) -> None:
        for name in names:
            if name not in known:
                self._fault(name, f"is unknown; known: {', '.join(known)}")

    def members(self, query: Mapping[str, str], name: str) -> dict[str, object]:
        """Return the members of `name[...]` and of the JSON object `name`."""
        bracketed = {
            parameter.removeprefix(f"{name}[").removesuffix("]"): value
            for parameter, value in query.items()
            if parameter.startswith(f"{name}[") and parameter.endswith("]")
        }
        object_members = self._object(query.get(name), name)
        for member in sorted(object_members.keys() & bracketed.keys()):
            self._fault(f"{name}[{member}]", "must not be repeated")
        members = {**object_members, **bracketed}
        for member in sorted(members.keys() - _KNOWN[name]):
            self._fault(
                f"{name}[{member}]", f"is unknown; known: {', '.join(sorted(_KNOWN[name]))}"
            )
        return members

    def position(self, page: Mapping[str, object], own: str) -> Position:
        if "after" in page and "before" in page:
            self._fault("page", "must have only one of after and before")
        if "before" in page:
            return Before(self._cursor(page["before"], "page[before]", own))
        if "after" in page:
            return After(self._cursor(page["after"], "page[after]", own))
        return After()

    def offset_and_limit(self, query: Mapping[str, str]) -> tuple[Offset, int]:
        offset = self.number(query.get("offset", "0"), "offset", range(MAX_OFFSET + 1))
        limit = self.number(query.get("limit", str(DEFAULT_SIZE)), "limit", range(1, MAX_SIZE + 1))
        return Offset(offset), limit

    def creator(self, criteria: Mapping[str, object], field: str) -> str | None:
        if "serviceAccountId" not in criteria:
            return None
        value = criteria["serviceAccountId"]
        if isinstance(value, str) and is_service_account_id(value):
            return value
        self._fault(field, "must be the id of a service account")
        return None

    def number(self, value: object, field: str, allowed: range) -> int:
        """Read a whole number, from text or from JSON."""
        # JSON has one number type: 10.0 is 10 (JSON Schema 2020-12, section 4.2.3).
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        text = str(whole) if isinstance(whole, str | int) else ""
        if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) in allowed:
            return int(text)
        self._fault(field, f"must be a whole number from {allowed[0]} to {allowed[-1]}")
        return allowed[0]

    def finish(self) -> None:
        if self._faults:
            raise InvalidInput(self._faults)

    def _cursor(self, value: object, field: str, own: str) -> str:
        if isinstance(value, str) and is_app_id(value) and value.startswith(own):
            return value
        self._fault(field, "must be a cursor from a page of the same list")
        return ""

    def _object(self, text: str | None, name: str) -> dict[str, object]:
        if text is None:
            return {}
        try:
            value = read_json(text)
        except json.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            return value
        self._fault(name, "must be a JSON object, or separate parameters")
        return {}

    def _fault(self, field: str, title: str) -> None:
        self._faults.append(Fault("bad_request", field, title))
