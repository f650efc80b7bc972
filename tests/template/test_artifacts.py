"""`make dist`: the code that `sam build` builds, the same bytes from every folder."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.commands import run
from tools.dist.build import BuildError, build
from tools.dist.packaged_template import code_folders

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = parse_yaml((ROOT / "template.yaml").read_text("utf-8"))


def contents_of(archive: Path) -> dict[str, str]:
    with ZipFile(archive) as opened:
        return {name: sha256(opened.read(name)).hexdigest() for name in opened.namelist()}


def test_the_archives_hold_what_sam_builds(artifacts: Path, built: Path) -> None:
    for name, _, folder in code_folders(TEMPLATE):
        sams = {
            path.relative_to(built / name).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in (built / name).rglob("*")
            if path.is_file()
        }
        assert contents_of(artifacts / f"{folder.replace('/', '-')}.zip") == sams, name


def test_two_builds_on_two_paths_are_equal(artifacts: Path, tmp_path: Path) -> None:
    for name in ("layers", "functions", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("template.yaml", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    build(tmp_path, tmp_path / "dist")
    assert (tmp_path / "dist/SHA256SUMS").read_bytes() == (artifacts / "SHA256SUMS").read_bytes()


def test_the_sums_name_every_artifact(artifacts: Path) -> None:
    status, said = run(["sha256sum", "--check", "--strict", "SHA256SUMS"], artifacts)
    names = {line.partition(": ")[0] for line in said.splitlines()}
    assert (status, names) == (0, {path.name for path in artifacts.iterdir()} - {"SHA256SUMS"})


def test_without_the_runtimes_python_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{ROOT / '.venv/bin'}:/usr/bin:/bin")
    for name in ("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(BuildError, match=r"Run `uv python install 3.13`"):
        build(ROOT, tmp_path / "dist")
