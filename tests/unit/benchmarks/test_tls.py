"""How contenders come to trust the canned AWS."""

from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.tls import SecureAws


def test_only_a_contender_without_a_directory_of_roots_reads_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "layer" / "keyscope" / "aws" / "lean" / "roots").mkdir(parents=True)
    aws = SecureAws("https://localhost:1", tmp_path / "bundle.pem")
    with_roots = Contender("Keyscope", tmp_path, (tmp_path / "runtime", tmp_path / "layer"))
    without = Contender("typical", tmp_path, (tmp_path / "runtime",))
    assert aws.trust_of(with_roots) == {}
    assert aws.trust_of(without) == {"AWS_CA_BUNDLE": str(tmp_path / "bundle.pem")}
