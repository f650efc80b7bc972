"""The file through which `--local` finds the Keyscope that `keyscope up` serves.

The command line sends credentials to the addresses in the file. So it reads the file only if it
belongs to the current user and every address is on this machine.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from keyscope_cli.credential_input import HeldKey
from keyscope_cli.failures import ExitStatus, Failure

_NOT_A_SESSION: Final = "it is not a session file"
_START_ANEW: Final = (
    "Stop the local stack and start it again with `keyscope up`, or use --session FILE with the"
    " session file that it names."
)
_URL: Final = re.compile(
    r"https?://(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9.]+))(?::\d{1,5})?/?"
)
"""URLs that can be read in only one way: no user, query, fragment, or anything else on which URL
parsers differ."""
_ENDPOINT: Final = "AWS_ENDPOINT_URL"
_NEEDED: Final = (_ENDPOINT, "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""Without these, a client would use the user's own credentials, or connect to the real AWS."""
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class LocalSession:
    """What `keyscope up` wrote about itself, including working credentials of the local store."""

    path: Path
    members: Mapping[str, Any]

    @property
    def stack(self) -> Mapping[str, Any]:
        """The stack's outputs, parameters and settings."""
        found: Mapping[str, Any] = self.members["stack"]
        return found

    @property
    def placeholders(self) -> Mapping[str, str]:
        """The values of the sample events' placeholders in this run."""
        found: Mapping[str, str] = self.members["placeholders"]
        return found

    def key(self, name: str) -> HeldKey:
        """Return one of the run's keys, such as `account_key`."""
        key = self.members[name]
        return HeldKey(key["key_id"], key["secret"], str(self.path))


def read_session(path: Path) -> LocalSession:
    """Read a session file.

    Raises:
        Failure: the file is missing or malformed, is not a regular file, belongs to another user,
            is writable by others, or contains an address that is not a loopback address.
    """
    text = _text_of(path)
    try:
        session = LocalSession(path, json.loads(text))
        endpoints = session.stack["endpoints"]
        whole = all(isinstance(endpoints[name], str) for name in _NEEDED)
        addresses = list(_addresses(session))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _refused(path, _NOT_A_SESSION) from None
    if not whole:
        raise _refused(path, _NOT_A_SESSION)
    for name, url in addresses:
        if not _is_loopback(url):
            raise _refused(path, f"{name} is not a loopback address")
    return session


def _text_of(path: Path) -> str:
    try:
        # If the file is a pipe, do not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, encoding="utf-8") as file:
            _check_owner(path, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        advice = (
            "Start the local stack with `keyscope up` in another terminal. If it is running, use"
            " --session FILE with the session file that it names."
        )
        message = f"The session file {path} does not exist."
        raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _refused(path, reason or "it cannot be read") from None


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "it is not a regular file")
    if found.st_uid != os.geteuid():
        raise _refused(path, "it belongs to another user")
    if found.st_mode & _WRITABLE_BY_OTHERS:
        advice = f"Check its content, then run `chmod go-w {path}`."
        raise _refused(path, "it is writable by others", advice)


def _addresses(session: LocalSession) -> Iterator[tuple[str, object]]:
    yield "rest_api", session.members["rest_api"]
    if "http_api" in session.members:
        yield "http_api", session.members["http_api"]
    for variables in (session.stack["authorizer_environment"], session.stack["endpoints"]):
        for name, value in variables.items():
            if name.startswith(_ENDPOINT):
                yield name, value


def _is_loopback(url: object) -> bool:
    found = _URL.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        return False
    host = found["v6"] or found["host"]
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(path: Path, reason: str, advice: str = _START_ANEW) -> Failure:
    return Failure(ExitStatus.UNAVAILABLE, f"Cannot use {path}: {reason}.", advice)
