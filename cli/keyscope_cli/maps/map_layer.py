"""The Lambda layer that contains an access map: built, published, and read back.

A layer is code: Lambda starts programs and Python modules that it finds in one, beside the right to
decrypt secrets. So a layer with anything but the map is refused.
"""

import stat
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

import httpx
from botocore.exceptions import ClientError

from keyscope.aws.calls import error_code
from keyscope_cli.aws import Aws, told_failures
from keyscope_cli.failures import ExitStatus, Failure

MAP_IN_FUNCTIONS: Final = "/opt/keyscope/map.toml"
"""Where the functions find the map; the template sets it as `KEYSCOPE_ACCESS_MAP`."""
_MAP: Final = "keyscope/map.toml"
_FOLDER: Final = "keyscope/"
_RUNTIME, _ARCHITECTURE = "python3.13", "arm64"
_MAX_BYTES: Final = 1_048_576
"""The largest layer that is read, and the largest map in one."""
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class PublishedLayer:
    """A version of a layer; `is_new` unless the newest version already had the same map."""

    arn: str
    is_new: bool


def layer_of(text: str) -> bytes:
    """Return a layer with a map. Equal maps give equal bytes."""
    # Stored, because compressed bytes depend on the version of zlib. ZIP dates begin in 1980.
    entry = ZipInfo(_MAP, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr(entry, text.encode())
    return content.getvalue()


def publish_layer(aws: Aws, name: str, text: str) -> PublishedLayer:
    """Publish a map as a new version of a layer, unless the newest version already is this map.

    Raises:
        Failure: AWS does not allow it or does not answer.
    """
    content = layer_of(text)
    client = aws.client("lambda")
    with told_failures():
        newest = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
        if newest:
            arn: str = newest[0]["LayerVersionArn"]
            if _content(client, arn)["CodeSha256"] == _digest(content):
                return PublishedLayer(arn, is_new=False)
        made = client.publish_layer_version(
            LayerName=name,
            Description="An access map of Keyscope",
            Content={"ZipFile": content},
            CompatibleRuntimes=[_RUNTIME],
            CompatibleArchitectures=[_ARCHITECTURE],
        )
    return PublishedLayer(made["LayerVersionArn"], is_new=True)


def read_layer(client: Any, arn: str) -> str:  # noqa: ANN401 - botocore ships no types
    """Return the map in a version of a layer.

    Raises:
        Failure: the layer contains anything else, or cannot be read.
    """
    with told_failures():
        try:
            content = _content(client, arn)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            raise Failure(ExitStatus.NOT_DONE, f"The layer {arn} does not exist.") from None
    archive = _downloaded(arn, content["Location"])
    if _digest(archive) != content["CodeSha256"]:
        raise Failure(ExitStatus.UNAVAILABLE, f"The download of {arn} does not match its checksum.")
    return text_in(archive, arn)


def _content(client: Any, arn: str) -> Mapping[str, str]:  # noqa: ANN401 - see above
    """Return where the content of a version of a layer is, and its SHA-256."""
    layer, _, version = arn.rpartition(":")
    found: Mapping[str, str] = client.get_layer_version(
        LayerName=layer, VersionNumber=int(version)
    )["Content"]
    return found


def text_in(content: bytes, arn: str) -> str:
    """Return the map in a layer's ZIP file.

    Raises:
        Failure: it contains anything else.
    """
    try:
        with ZipFile(BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename != _FOLDER]
            if [entry.filename for entry in entries] != [_MAP]:
                others = [e.filename for e in entries if e.filename != _MAP] or ["no map"]
                raise _not_only_the_map(arn, ", ".join(others[:5]))
            mode = entries[0].external_attr >> 16
            if stat.S_IFMT(mode) not in {0, stat.S_IFREG} or entries[0].file_size > _MAX_BYTES:
                raise _not_only_the_map(arn, "a map that is not a regular file or is too large")
            return archive.read(entries[0]).decode()
    except (BadZipFile, UnicodeDecodeError) as error:
        raise _not_only_the_map(arn, f"something unreadable ({error})") from None


def _not_only_the_map(arn: str, held: str) -> Failure:
    message = f"The layer {arn} must contain only an access map. Found: {held}."
    advice = (
        "Code in a layer could decrypt secrets. Publish the map with `keyscope access publish`,"
        " deploy that version, and find out who published this one."
    )
    return Failure(ExitStatus.NO, message, advice)


def _downloaded(arn: str, url: str) -> bytes:
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=_SECONDS) as response:
            response.raise_for_status()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MAX_BYTES:
                    raise _not_only_the_map(arn, "more than 1 MB")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"Cannot download the layer {arn}: {type(error).__name__}."
        raise Failure(ExitStatus.UNAVAILABLE, message) from None
    return bytes(content)


def _digest(content: bytes) -> str:
    return b64encode(sha256(content).digest()).decode()
