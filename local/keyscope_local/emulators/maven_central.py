"""Downloads Java libraries from Maven Central, without Maven.

    python -m keyscope_local.emulators.maven_central LOCK FOLDER

A lock pins each file by its SHA-256 and its path in the repository. To make one for an artifact,
run `mvn dependency:copy-dependencies` for a pom.xml whose one dependency is the artifact, then
`sha256sum`.
"""

import hashlib
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx

MAVEN_CENTRAL: Final = "https://repo1.maven.org/maven2"
AT_ONCE: Final = 8
TIMEOUT_SECONDS: Final = 60
RETRIES: Final = 3
"""How often to try again to connect."""


class WrongHash(Exception):  # noqa: N818 - a state
    """A downloaded file is not the one that was pinned; the text is its path."""


def locked(text: str) -> Mapping[str, str]:
    """Return the SHA-256 of each file, by its path in the repository."""
    lines = [line.split() for line in text.splitlines()]
    return {path: digest for digest, path in lines}


def download(client: httpx.Client, path: str, digest: str, folder: Path) -> None:
    """Put a file into the folder, unless it is there already.

    Raises:
        WrongHash: the downloaded file is another one. Nothing is written.
        httpx.HTTPError: it cannot be downloaded.
    """
    file = folder / path.rpartition("/")[2]
    if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
        return
    content = client.get(path).raise_for_status().content
    if hashlib.sha256(content).hexdigest() != digest:
        raise WrongHash(path)
    file.write_bytes(content)


def fill(folder: Path, lock: str, client: httpx.Client) -> None:
    """Create a folder with only the files of the lock, because Java loads everything in it."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {path.rpartition("/")[2] for path in locked(lock)}
    for file in folder.iterdir():
        if file.name not in names:
            file.unlink()
    with ThreadPoolExecutor(AT_ONCE) as workers:
        started = [
            workers.submit(download, client, path, digest, folder)
            for path, digest in locked(lock).items()
        ]
        for each in started:
            each.result()


def repository() -> httpx.Client:
    """Return a client of Maven Central."""
    retrying = httpx.HTTPTransport(retries=RETRIES)
    return httpx.Client(base_url=MAVEN_CENTRAL, timeout=TIMEOUT_SECONDS, transport=retrying)


if __name__ == "__main__":
    _, lock_file, libraries_folder = sys.argv
    with repository() as maven_central:
        fill(Path(libraries_folder), Path(lock_file).read_text("utf-8"), maven_central)
