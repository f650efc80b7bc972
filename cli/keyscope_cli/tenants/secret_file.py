"""The file of an import's secrets, with which an interrupted import continues.

It is JSON Lines: first what the import is, then one line for each account and app that the import
created, with its key's secret. A line is on the disk before the import continues, so a crash loses
at most secrets whose lines were never written. The import finds what it created without a line by
the token in the first line, which only this file contains.
"""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import Any, Final

from keyscope.model.ids import OwnerType
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.tenants.tenant_file import Creation

_FORMAT: Final = 1
_OF_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass
class SecretFile:
    """An open file of secrets, for this process alone. Any thread may use it.

    `token` identifies the import. `created` are the ids of the accounts and apps with a line.
    """

    path: Path
    token: str
    created: dict[tuple[OwnerType, str], str]
    _descriptor: int
    _write: Lock = field(default_factory=Lock)
    _sync: Lock = field(default_factory=Lock)
    _is_broken: bool = False
    _written: int = 0
    _synced: int = 0

    def add(self, creation: Creation, owner_id: str, key: Mapping[str, Any] | None) -> None:
        """Write a line, and return when it is on the disk.

        Raises:
            OSError: when it cannot be written.
        """
        line = {
            "type": creation.owner_type.value,
            "externalId": creation.external_id,
            "ownerId": owner_id,
            # As other files of secrets have it.
            **({} if key is None else {"id": key["id"], "secret": key["secret"]}),
        }
        with self._write:
            if self._is_broken:
                raise OSError(EIO, os.strerror(EIO))
            # After part of a line, nothing may follow: the next start cuts it off.
            self._is_broken = True
            _write_line(self._descriptor, line)
            self._is_broken = False
            self._written += 1
            own = self._written
            self.created[creation.place] = owner_id
        # One call serves all lines that other threads wrote in the meantime.
        with self._sync:
            if self._synced < own:
                reached = self._written
                os.fsync(self._descriptor)
                self._synced = reached


@contextmanager
def secret_file(path: Path, stack_id: str) -> Iterator[SecretFile]:
    """Open a file of secrets, or create it with mode 600.

    `stack_id` identifies the stack that the file belongs to.

    Raises:
        Failure: the file is not one of this stack, or not private, or in use.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _refused(path, f"{error.strerror}") from None
    try:
        _check_private(path, descriptor)
        yield _opened(path, descriptor, stack_id)
    finally:
        os.close(descriptor)


def _opened(path: Path, descriptor: int, stack_id: str) -> SecretFile:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise _refused(path, "another import is using it") from None
    lines = _whole_lines(descriptor)
    if not lines:
        token = secrets.token_hex(16)
        _write_line(descriptor, {"import": _FORMAT, "stack": stack_id, "token": token})
        os.fsync(descriptor)
        _sync_folder(path)
        return SecretFile(path, token, {}, descriptor)
    try:
        head, *rest = map(json.loads, lines)
        is_known = head["import"] == _FORMAT
        token, of_stack = str(head["token"]), head["stack"]
        created = {
            Creation(OwnerType(each["type"]), each["externalId"], {}).place: str(each["ownerId"])
            for each in rest
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        # The cause may quote a secret.
        raise _refused(path, "it is not the secret file of an import") from None
    if not is_known:
        raise _refused(path, "another version of keyscope wrote it")
    if of_stack != stack_id:
        raise _refused(path, f"it belongs to another stack ({of_stack})")
    return SecretFile(path, token, created, descriptor)


def _check_private(path: Path, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "it is not a regular file")
    if found.st_uid != os.geteuid():
        raise _refused(path, "it belongs to another user")
    if found.st_mode & _OF_OTHERS:
        raise _refused(path, "other users may read or write it", f"Run `chmod 600 {path}`.")


def _whole_lines(descriptor: int) -> list[str]:
    """Return the lines, and cut off a last one that a crash left unfinished."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        content = file.read()
    whole = content.rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    os.lseek(descriptor, 0, os.SEEK_END)
    return content[:whole].decode("utf-8", "replace").splitlines()


def _write_line(descriptor: int, members: Mapping[str, object]) -> None:
    rest = f"{json.dumps(members)}\n".encode()
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(path: Path) -> None:
    """Make sure that a new file is still in its folder after a crash of the machine."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refused(path: Path, reason: str, advice: str = "Use another file.") -> Failure:
    message = f"Cannot use {path}: {reason}. Nothing was created."
    return Failure(ExitStatus.USAGE, message, advice)
