"""Builds the wheel and the source distribution, which carry the artifacts.

Hatchling writes both with fixed dates and modes, so they depend on their content only.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.dist.archives import digest_of, files_of, sums_of
from tools.dist.bill_of_materials import Archive, with_carriers
from tools.dist.build import BILL_OF_MATERIALS, BuildError, project_version, write_json

ARTIFACTS: Final = "dist/artifacts"
PACKAGES: Final = "dist/packages"
RELEASE: Final = "dist/release"


def build_packages(root: Path) -> list[Path]:
    """Build both into `dist/packages` of a repository whose artifacts are in `dist/artifacts`.

    In `dist/release`, `keyscope-VERSION.sha256` has the SHA-256 sum of every file of the release,
    and `keyscope-VERSION.cdx.json` names what each of them contains.

    Raises:
        BuildError: Hatchling cannot build them.
    """
    target, about = root / PACKAGES, root / RELEASE
    name = f"keyscope-{project_version(root)}"
    for folder in (target, about):
        shutil.rmtree(folder, ignore_errors=True)
    about.mkdir(parents=True)
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target.resolve())]
    done = subprocess.run(  # noqa: S603 - the locked Hatchling
        command, cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"Hatchling cannot build the packages: {done.stderr}"
        raise BuildError(message)
    carriers = [Archive(path.name, digest_of(path), []) for path in files_of(target)]
    bill = json.loads((root / ARTIFACTS / BILL_OF_MATERIALS).read_text("utf-8"))
    write_json(about / f"{name}.cdx.json", with_carriers(bill, carriers))
    released = [*files_of(target), *files_of(about), *files_of(root / ARTIFACTS)]
    (about / f"{name}.sha256").write_text(sums_of(released), "utf-8")
    return [*files_of(target), *files_of(about)]
