"""The artifacts of a release, as `make dist` writes them, checked against their SHA-256 sums."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from keyscope_cli.failures import ExitStatus, Failure

PACKAGED: Final = Path(__file__).parents[1] / "artifacts"
"""Where an installed command has them."""
BUCKET_PARAMETER: Final = "ArtifactsBucket"
_PREFIX: Final = "keyscope"
_SUMS: Final = "SHA256SUMS"
_TEMPLATE: Final = "template.json"
_STACK_POLICY: Final = "stack-policy.json"
_SUM: Final = re.compile(r"([0-9a-f]{64})  ([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a release."""

    name: str
    content: bytes

    @property
    def key(self) -> str:
        """Its key in a bucket: its SHA-256, so that no upload ever replaces another content."""
        return f"{_PREFIX}/{sha256(self.content).hexdigest()}{Path(self.name).suffix}"

    @property
    def checksum(self) -> str:
        """Its SHA-256 as S3 states it."""
        return b64encode(sha256(self.content).digest()).decode()


@dataclass(frozen=True, slots=True)
class Release:
    """The artifacts of one release."""

    template: Artifact
    archives: tuple[Artifact, ...]
    stack_policy: str

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the template's parameters, without that of the bucket."""
        names = json.loads(self.template.content)["Parameters"]
        return frozenset(names) - {BUCKET_PARAMETER}

    @property
    def resources(self) -> Mapping[str, str]:
        """The type of each resource that the template declares, before SAM's transform."""
        declared = json.loads(self.template.content)["Resources"]
        return {name: each["Type"] for name, each in declared.items()}


def read_release(folder: Path | None) -> Release:
    """Read a release from a folder, by default the one that came with the command.

    Raises:
        Failure: it is missing or incomplete, or a file does not match its checksum.
    """
    place = folder or PACKAGED
    sums = _sums(place)
    found = {name: _checked(place / name, digest) for name, digest in sums.items()}
    for name in (_TEMPLATE, _STACK_POLICY):
        if name not in found:
            raise _damaged(place, f"{name} is missing")
    return Release(
        template=found[_TEMPLATE],
        archives=tuple(one for one in found.values() if one.name.endswith(".zip")),
        stack_policy=found[_STACK_POLICY].content.decode(),
    )


def _sums(place: Path) -> Mapping[str, str]:
    try:
        lines = (place / _SUMS).read_text("utf-8").splitlines()
    except OSError:
        message = f"There are no artifacts in {place}."
        advice = "Build them in a clone with `make dist`, then use --artifacts dist/artifacts."
        raise Failure(ExitStatus.NOT_DONE, message, advice) from None
    found = [_SUM.fullmatch(line) for line in lines]
    if not all(found):
        raise _damaged(place, f"{_SUMS} is malformed")
    return {one[2]: one[1] for one in found if one}


def _checked(path: Path, digest: str) -> Artifact:
    try:
        artifact = Artifact(path.name, path.read_bytes())
    except OSError:
        raise _damaged(path.parent, f"{path.name} is missing") from None
    if sha256(artifact.content).hexdigest() != digest:
        raise _damaged(path.parent, f"{path.name} does not match {_SUMS}")
    return artifact


def _damaged(place: Path, reason: str) -> Failure:
    message = f"The artifacts in {place} are damaged: {reason}."
    return Failure(ExitStatus.NOT_DONE, message, "Install Keyscope again, or run `make dist`.")
