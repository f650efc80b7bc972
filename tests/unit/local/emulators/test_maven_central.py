"""Java libraries are what their lock pins."""

import hashlib
from pathlib import Path
from typing import Final

import httpx
import pytest

from keyscope_local.emulators import dynamodb_local
from keyscope_local.emulators.maven_central import WrongHash, fill, locked

CLIENT_LOCK: Final = Path(__file__).parents[3] / "clients" / "libraries.sha256"
PATH: Final = "org/example/a/1.0/a-1.0.jar"
CONTENT: Final = b"content"
PINNED: Final = f"{hashlib.sha256(CONTENT).hexdigest()}  {PATH}\n"


def repository(content: bytes, asked: list[str]) -> httpx.Client:
    """A repository with one content at every path, which notes the paths it is asked for."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=content)

    return httpx.Client(base_url="https://example/r", transport=httpx.MockTransport(answer))


def test_a_library_is_downloaded_once(tmp_path: Path) -> None:
    asked: list[str] = []
    for _ in range(2):
        fill(tmp_path / "libraries", PINNED, repository(CONTENT, asked))
    assert (tmp_path / "libraries" / "a-1.0.jar").read_bytes() == CONTENT
    assert asked == [f"/r/{PATH}"]


def test_a_library_with_another_hash_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(WrongHash, match=PATH):
        fill(tmp_path, PINNED, repository(b"another", []))
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_changed_on_disk_is_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "a-1.0.jar").write_bytes(b"cut o")
    fill(tmp_path, PINNED, repository(CONTENT, []))
    assert (tmp_path / "a-1.0.jar").read_bytes() == CONTENT


def test_a_library_that_is_no_longer_pinned_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a-0.9.jar").write_bytes(CONTENT)
    fill(tmp_path, PINNED, repository(CONTENT, []))
    assert [file.name for file in tmp_path.iterdir()] == ["a-1.0.jar"]


@pytest.mark.parametrize(
    ("lock", "artifact"),
    [
        (CLIENT_LOCK, "com/zendesk/sunshine-conversations-client/9.4.6"),
        (
            dynamodb_local.LOCK,
            f"software/amazon/dynamodb/DynamoDBLocal/{dynamodb_local.VERSION}",
        ),
    ],
)
def test_an_artifact_is_pinned_with_its_libraries_and_none_twice(lock: Path, artifact: str) -> None:
    paths = locked(lock.read_text("utf-8"))
    names = [path.rpartition("/")[2] for path in paths]
    assert artifact in {path.rpartition("/")[0] for path in paths}
    assert len(set(names)) == len(names)
