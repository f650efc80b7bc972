"""The file of tenants: JSON Lines, each with an account and its apps.

The whole file is checked before the first request, by the rules of the provisioning function.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyscope.errors import InvalidInput
from keyscope.lifecycle.provisioning_request import read_operation
from keyscope.model.external_ids import folded
from keyscope.model.ids import OWNERS, OwnerType
from keyscope.model.strict_json import RepeatedMemberError, read_strict_json
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import counted, first_lines

_SOME_ACCOUNT: Final = "0" * 12
"""Stands for the account of an app until the account exists."""
_KEY_MEMBERS: Final = {"displayName", "externalId", "key"}
_MEMBERS: Final[Mapping[OwnerType, set[str]]] = {
    OwnerType.ACCOUNT: {"apps", *_KEY_MEMBERS},
    OwnerType.APP: _KEY_MEMBERS,
}
"""The members of each kind of object in the file."""


@dataclass(frozen=True, slots=True)
class Creation:
    """An account or an app to create; `members` are those of the request that creates it."""

    owner_type: OwnerType
    external_id: str
    members: Mapping[str, object]

    @property
    def place(self) -> tuple[OwnerType, str]:
        """What identifies it: external ids are unique in any case of their letters."""
        return self.owner_type, folded(self.external_id)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account and its apps; `line` counts from 1."""

    line: int
    account: Creation
    apps: tuple[Creation, ...]

    @property
    def creations(self) -> tuple[Creation, ...]:
        """The account and the apps, in the order in which they are created."""
        return (self.account, *self.apps)


def read_tenants(file: Path, now: float) -> list[Tenant]:
    """Read a file of tenants. `now` is in seconds since the epoch.

    Raises:
        Failure: with each wrong line, and what is wrong with it.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure(ExitStatus.USAGE, f"Cannot read {file}: {reason}.") from None
    reader = _Reader(now)
    # Not `splitlines`, which also breaks lines at characters that JSON strings may contain.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            reader.read(number, line)
    if reader.errors:
        message = f"{file} has {counted(len(reader.errors), 'error', 'errors')}."
        advice = "Nothing was created. Correct the file, then run the command again."
        raise Failure(ExitStatus.USAGE, message, advice, first_lines(reader.errors))
    if not reader.tenants:
        raise Failure(ExitStatus.USAGE, f"{file} is empty.", "Add a line for each account.")
    return reader.tenants


def _similar(name: str, known: Collection[str]) -> str:
    similar = difflib.get_close_matches(name, known, 1)
    return f"Did you mean `{similar[0]}`?" if similar else f"Use {', '.join(sorted(known))}."


class _Reader:
    """Reads lines and collects every error."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._lines: dict[tuple[OwnerType, str], int] = {}
        self.tenants: list[Tenant] = []
        self.errors: list[str] = []

    def read(self, number: int, line: str) -> None:
        try:
            members = read_strict_json(line)
        except RepeatedMemberError:
            self._report(number, "repeats a member")
            return
        except ValueError:
            self._report(number, "is not JSON")
            return
        if not isinstance(members, dict):
            self._report(number, "is not a JSON object")
            return
        listed = members.pop("apps", [])
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            self._report(number, "`apps` must be a list of objects")
            return
        found = [
            *self._creation(number, "", OwnerType.ACCOUNT, members),
            *(
                creation
                for place, each in enumerate(listed, 1)
                for creation in self._creation(number, f"app {place}: ", OwnerType.APP, each)
            ),
        ]
        if len(found) == 1 + len(listed):
            self.tenants.append(Tenant(number, found[0], tuple(found[1:])))

    def _creation(
        self, number: int, place: str, owner_type: OwnerType, members: Mapping[str, object]
    ) -> Iterator[Creation]:
        """Yield what one object creates, unless it is wrong."""
        is_app = owner_type is OwnerType.APP
        operation = {"operation": "createApp" if is_app else "createAccount"}
        known = _MEMBERS[owner_type]
        title = OWNERS[owner_type].title.split()[-1]
        faults = [
            f"`{name}` is not a member of an {title}. {_similar(name, known)}"
            for name in sorted(members.keys() - known)
        ]
        members = {name: value for name, value in members.items() if name in known}
        account = {"accountId": _SOME_ACCOUNT} if is_app else {}
        try:
            read_operation({**members, **operation, **account}, self._now)
        except InvalidInput as invalid:
            faults += [f"`{fault.field}` {fault.title}" for fault in invalid.faults]
        external_id = members.get("externalId")
        if external_id is None:
            faults.append("`externalId` is required")
        for fault in faults:
            self._report(number, place + fault)
        if faults or not isinstance(external_id, str):
            return
        creation = Creation(owner_type, external_id, {**members, **operation})
        if creation.place in self._lines:
            first = self._lines[creation.place]
            self._report(number, f"{place}`externalId` is the same as on line {first}")
            return
        self._lines[creation.place] = number
        yield creation

    def _report(self, number: int, error: str) -> None:
        self.errors.append(f"line {number}: {error}")
