"""ZIP files that depend on their content only."""

import stat
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_FIRST_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_MODE: Final = stat.S_IFREG | 0o644
"""Lambda reads the files as another user, whatever the umask was here."""


def write_archive(folder: Path, target: Path) -> None:
    """Write a folder's files into a ZIP file: sorted, with fixed dates and modes."""
    with ZipFile(target, "w") as archive:
        for path in files_of(folder):
            name = path.relative_to(folder).as_posix()
            entry = ZipInfo(name, date_time=_FIRST_ZIP_DATE)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED)


def files_of(folder: Path) -> Iterator[Path]:
    """Return the files below a folder, in the order of their names.

    Raises:
        ValueError: one is a symbolic link, which would ship what lies outside.
    """
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_symlink():
            message = f"{path} is a symbolic link"
            raise ValueError(message)
        if path.is_file():
            yield path


def copied_sources(source: Path, target: Path) -> None:
    """Copy the files of a folder, without the byte code that Python left there."""
    for path in files_of(source):
        relative = path.relative_to(source)
        if "__pycache__" not in relative.parts:
            copy = target / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def sums_of(paths: Iterable[Path]) -> str:
    """Return the lines that `sha256sum --check` reads beside these files."""
    return "".join(f"{digest_of(path)}  {path.name}\n" for path in paths)


def digest_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
