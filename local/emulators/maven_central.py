"""Downloads the Java client and its libraries from Maven Central, without Maven.

    python -m tests.clients.java_libraries FOLDER

`libraries.sha256` pins each file by its path in the repository. They are what `mvn
dependency:copy-dependencies` copies for a pom.xml whose one dependency is
com.zendesk:sunshine-conversations-client:9.4.6. To update the client, run that and `sha256sum`.
"""

import hashlib
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx

LOCK: Final = Path(__file__).with_name("libraries.sha256")
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
    """Make a folder of the files of the lock and nothing else: Java loads all that is there."""
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


if __name__ == "__main__":
    retrying = httpx.HTTPTransport(retries=RETRIES)
    with httpx.Client(
        base_url=MAVEN_CENTRAL, timeout=TIMEOUT_SECONDS, transport=retrying
    ) as connected:
        fill(Path(sys.argv[1]), LOCK.read_text("utf-8"), connected)
