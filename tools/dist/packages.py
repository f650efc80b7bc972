"""Builds the wheel and the source distribution, which carry the artifacts.

Hatchling writes both with fixed dates and modes, so they depend on their content only.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.dist.archives import digest_of, files_of
from tools.dist.bill_of_materials import Archive, with_carriers
from tools.dist.build import BILL_OF_MATERIALS, project_version, write_json

ARTIFACTS: Final = "dist/artifacts"
PACKAGES: Final = "dist/packages"


def build_packages(root: Path) -> list[Path]:
    """Build both into `dist/packages` of a repository whose artifacts are in `dist/artifacts`.

    Beside them, `keyscope-VERSION.sha256` has the SHA-256 sum of every file of the release, and
    `keyscope-VERSION.cdx.json` names what each of them contains.

    Raises:
        subprocess.CalledProcessError: Hatchling cannot build them, and says why.
    """
    target, name = root / PACKAGES, f"keyscope-{project_version(root)}"
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target.resolve())]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    carriers = [Archive(path.name, digest_of(path), []) for path in files_of(target)]
    bill = json.loads((root / ARTIFACTS / BILL_OF_MATERIALS).read_text("utf-8"))
    write_json(target / f"{name}.cdx.json", with_carriers(bill, carriers))
    released = [*files_of(target), *files_of(root / ARTIFACTS)]
    sums = "".join(f"{digest_of(path)}  {path.name}\n" for path in released)
    (target / f"{name}.sha256").write_text(sums, "utf-8")
    return list(files_of(target))
