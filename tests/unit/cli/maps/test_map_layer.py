"""The layer that holds an access map, and nothing else."""

import stat
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from threading import Thread
from typing import Final
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.map_layer import layer_of, read_layer, text_in
from keyscope_cli.publishing_maps import deployment

ARN: Final = "arn:aws:lambda:us-east-1:123456789012:layer:orders-map:7"
MAP: Final = '["orders"]\napp = ["GET /orders"]\n'
PATH: Final = "keyscope/map.toml"


def archive_of(*entries: tuple[str, str], mode: int = 0) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in entries:
            entry = ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, text)
    return content.getvalue()


def refusal_of(content: bytes) -> str:
    with pytest.raises(Failure) as refused:
        text_in(content, ARN)
    assert refused.value.status is ExitStatus.NO
    return refused.value.message


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_layer_gives_back_its_map(text: str) -> None:
    assert text_in(layer_of(text), ARN) == text


def test_the_same_map_makes_the_same_bytes() -> None:
    digest = sha256(layer_of(MAP)).hexdigest()
    assert digest == "8440301aa5996e86fc719fc143bdfa94aa6f28881c1cae20d304997c0b060f73"


def test_lambda_can_read_the_map() -> None:
    with ZipFile(BytesIO(layer_of(MAP))) as archive:
        (entry,) = archive.infolist()
    assert (entry.filename, entry.external_attr >> 16) == (PATH, stat.S_IFREG | 0o644)


@pytest.mark.parametrize(
    "name",
    [
        "python/sitecustomize.py",
        "extensions/spy",
        "keyscope/other.toml",
        "../keyscope/map.toml",
        "keyscope/",
    ],
)
def test_a_layer_without_a_map_is_refused(name: str) -> None:
    assert "must contain only an access map" in refusal_of(archive_of((name, MAP)))


@pytest.mark.parametrize("name", ["python/sitecustomize.py", "extensions/spy", PATH, "python/"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_layer_with_anything_beside_the_map_is_refused(name: str) -> None:
    assert "must contain only an access map" in refusal_of(archive_of((PATH, MAP), (name, "")))
    assert "must contain only an access map" in refusal_of(archive_of((name, ""), (PATH, MAP)))


def test_the_folder_of_the_map_may_have_an_entry_of_its_own() -> None:
    assert text_in(archive_of(("keyscope/", ""), (PATH, MAP)), ARN) == MAP


def test_a_link_in_place_of_the_map_is_refused() -> None:
    linked = archive_of((PATH, "/proc/self/environ"), mode=stat.S_IFLNK | 0o777)
    assert "not a regular file" in refusal_of(linked)


def test_what_is_no_archive_or_no_text_is_refused() -> None:
    assert "something unreadable" in refusal_of(b"PK")
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr(PATH, b"\xff")
    assert "something unreadable" in refusal_of(content.getvalue())


def test_a_map_that_unpacks_to_more_than_a_map_is_refused() -> None:
    assert "too large" in refusal_of(archive_of((PATH, " " * 1_048_577)))


@dataclass(frozen=True)
class FakeLambda:
    """A client of Lambda that knows one layer, whose content is at a URL."""

    url: str
    digest: str

    def get_layer_version(self, **_: object) -> Mapping[str, object]:
        return {"Content": {"Location": self.url, "CodeSha256": self.digest}}


@contextmanager
def served(content: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        log_message: Callable[..., None] = staticmethod(lambda *_: None)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/layer"
        server.shutdown()


def digest_of(content: bytes) -> str:
    return b64encode(sha256(content).digest()).decode()


def test_a_published_layer_is_read_back() -> None:
    content = layer_of(MAP)
    with served(content) as url:
        assert read_layer(FakeLambda(url, digest_of(content)), ARN) == MAP


def test_content_that_is_not_the_layers_is_refused() -> None:
    with served(layer_of("")) as url, pytest.raises(Failure, match="does not match its checksum"):
        read_layer(FakeLambda(url, digest_of(layer_of(MAP))), ARN)


def test_a_large_layer_is_not_downloaded_to_its_end() -> None:
    with served(b" " * 2_000_000) as url, pytest.raises(Failure, match="more than 1 MB"):
        read_layer(FakeLambda(url, ""), ARN)


def test_a_layer_that_cannot_be_downloaded_is_told() -> None:
    with (
        served(b"", 403) as url,
        pytest.raises(Failure, match=r"Cannot download the layer .*: HTTPStatus"),
    ):
        read_layer(FakeLambda(url, ""), ARN)
    with pytest.raises(Failure, match=r"Cannot download the layer .*: Unsupported"):
        read_layer(FakeLambda("s3://", ""), ARN)


@pytest.mark.parametrize(
    ("parameters", "command"),
    [
        ({"ArtifactsBucket": "b"}, "keyscope deploy --stack s --parameter A=1 --parameter B=2"),
        ({"StageName": "prod"}, "sam deploy --stack-name s --parameter-overrides A=1 B=2"),
    ],
    ids=["keyscope deploy", "sam deploy"],
)
def test_a_map_is_deployed_with_the_tool_that_deployed_the_stack(
    parameters: dict[str, str], command: str
) -> None:
    assert deployment("s", parameters, ["A=1", "B=2"]) == command
