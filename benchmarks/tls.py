"""The canned AWS over TLS, and how each contender comes to trust it.

An authority of the run's own signs the server's certificate. Each contender finds this root the way
it finds those of AWS on Lambda, at the same price. For botocore it is one more in a bundle with all
others, for Keyscope one more file in the layer's directory.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.canned_aws import canned_aws
from benchmarks.contenders import Contender, Contenders
from benchmarks.results import ROOT
from tests.support.tls import Authority

HOST: Final = "localhost"
_ROOTS: Final = Path("keyscope", "aws", "lean", "roots")
_HASH_ROOTS: Final = ROOT / "layers" / "keyscope" / "hash_roots.py"


@dataclass(frozen=True, slots=True)
class SecureAws:
    """The canned AWS over TLS, with the bundle that holds its root beside those of botocore."""

    endpoint_url: str
    bundle: Path

    def trust_of(self, contender: Contender) -> dict[str, str]:
        """Return the variables by which a contender trusts it: none where a directory does."""
        has_roots = any((folder / _ROOTS).is_dir() for folder in contender.packages)
        return {} if has_roots else {"AWS_CA_BUNDLE": str(self.bundle)}


@contextmanager
def secure_aws(scenario: Path, contenders: Contenders) -> Iterator[SecureAws]:
    """Start it, yield it, and end it; Keyscope's layer trusts its root for as long."""
    with TemporaryDirectory(prefix="keyscope-") as name:
        folder = Path(name)
        authority = Authority(folder)
        bundle = folder / "bundle.pem"
        bundle.write_bytes(_botocore_bundle(contenders.peer).read_bytes())
        with bundle.open("ab") as opened:
            opened.write(b"\n" + authority.bundle.read_bytes())
        with (
            _trusted(authority.bundle, folder / "hashed", contenders.keyscope),
            canned_aws(scenario, authority.certified(HOST)) as endpoint_url,
        ):
            yield SecureAws(endpoint_url, bundle)


@contextmanager
def _trusted(root: Path, hashed: Path, contender: Contender) -> Iterator[None]:
    """Put a root into the contender's directory of roots, as the layer's build names it."""
    subprocess.run([sys.executable, str(_HASH_ROOTS), str(root), str(hashed)], check=True)  # noqa: S603 - our own command
    (named,) = hashed.iterdir()
    (roots,) = filter(Path.is_dir, (folder / _ROOTS for folder in contender.packages))
    added = roots / named.name
    shutil.copy(named, added)
    try:
        yield
    finally:
        added.unlink()


def _botocore_bundle(contender: Contender) -> Path:
    """Return the bundle of the botocore that the contender imports."""
    files = (folder / "botocore" / "cacert.pem" for folder in contender.packages)
    return next(file for file in files if file.is_file())
