"""Builds the artifacts of a release: a ZIP file for each function and layer, and what names them.

Each layer is made by the Makefile that `sam build` runs.
"""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from keyscope_local.template.yaml_reader import parse_yaml
from tools.dist.archives import copied_sources, digest_of, files_of, sums_of, write_archive
from tools.dist.bill_of_materials import Archive, bill_of_materials, packages_in
from tools.dist.packaged_template import code_folders, packaged

TEMPLATE: Final = "template.json"
STACK_POLICY: Final = "stack-policy.json"
BILL_OF_MATERIALS: Final = "keyscope.cdx.json"
SUMS: Final = "SHA256SUMS"
_LAYER: Final = "AWS::Serverless::LayerVersion"


class BuildError(Exception):
    """The artifacts cannot be built; the text says why and what to do."""


def build(root: Path, target: Path) -> list[Path]:
    """Build a repository's artifacts into a folder, replacing its contents.

    Raises:
        BuildError: a layer cannot be built, or there is no Python 3.13 to compile it.
    """
    template = parse_yaml((root / "template.yaml").read_text("utf-8"))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    archives = dict(_archives(root, template, target))
    digests = {folder: archive.sha256 for folder, archive in archives.items()}
    write_json(target / TEMPLATE, packaged(template, digests))
    shutil.copyfile(root / "deploy" / STACK_POLICY, target / STACK_POLICY)
    write_json(
        target / BILL_OF_MATERIALS, bill_of_materials(project_version(root), list(archives.values()))
    )
    (target / SUMS).write_text(sums_of(files_of(target)), "utf-8")
    return list(files_of(target))


def _archives(
    root: Path, template: Mapping[str, object], target: Path
) -> Iterator[tuple[str, Archive]]:
    # Two functions may share a folder.
    for folder, (name, kind) in sorted(
        {folder: (name, kind) for name, kind, folder in code_folders(template)}.items()
    ):
        with TemporaryDirectory() as scratch:
            content = Path(scratch)
            if kind == _LAYER:
                _build_layer(root / folder, name, content)
            else:
                copied_sources(root / folder, content)
            archive = target / f"{folder.replace('/', '-')}.zip"
            write_archive(content, archive)
            yield folder, Archive(archive.name, digest_of(archive), packages_in(content))


def _build_layer(folder: Path, name: str, content: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "-f", str(folder / "Makefile"), f"build-{name}", f"ARTIFACTS_DIR={content}"],  # noqa: S607 - make is what runs this
        cwd=folder,
        env={**os.environ, "MAKEFLAGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{name} cannot be built: {done.stdout}"
        raise BuildError(message)
    if not any(content.rglob("*.pyc")):
        message = f"{name} has no byte code. Run `uv python install 3.13` and build again."
        raise BuildError(message)


def project_version(root: Path) -> str:
    """Return the version that pyproject.toml states."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return str(project["project"]["version"])


def write_json(path: Path, value: object) -> None:
    """Write a value in the same bytes each time."""
    path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
