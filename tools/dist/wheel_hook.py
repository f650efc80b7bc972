"""What the wheel holds beside its packages, as a build hook of Hatchling.

The template and the functions, for `keyscope up`; the artifacts, for `keyscope deploy`, if
`make dist` has built them; and the commit, for `keyscope --version`. Hatchling loads this file by
its path, in a source distribution, too, so it imports nothing from here.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARTIFACTS: Final = "dist/artifacts"
COMMIT: Final = "cli/keyscope_cli/commit.txt"
_IN_WHEEL: Final = {
    "template.yaml": "keyscope_local/project/template.yaml",
    "functions": "keyscope_local/project/functions",
    ARTIFACTS: "keyscope_cli/artifacts",
    COMMIT: "keyscope_cli/commit.txt",
}


class WheelContents(BuildHookInterface[Any]):
    """Adds to the wheel what is not in its packages, and to the source distribution what is built.

    A source distribution has the commit and the artifacts as files, so that both give one wheel.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless the build is an editable one, which has them in the clone."""
        if version == "editable":
            return
        root = Path(self.root)
        self._scratch = TemporaryDirectory()
        sources = {name: root / name for name in _IN_WHEEL}
        if not sources[COMMIT].is_file():
            sources[COMMIT] = Path(self._scratch.name) / "commit.txt"
            sources[COMMIT].write_text(f"{_commit_of(root)}\n", "utf-8")
        if self.target_name == "sdist":
            added = {name: name for name in (ARTIFACTS, COMMIT)}
        else:
            added = _IN_WHEEL
        for name, target in added.items():
            if sources[name].exists():
                build_data["force_include"][str(sources[name])] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - Hatchling's
        """Remove what only the build needed."""
        if version != "editable":
            self._scratch.cleanup()


def _commit_of(root: Path) -> str:
    """Return the commit, marked if files differ from it; `unknown` outside a clone."""
    if not (root / ".git").exists():
        return "unknown"
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],  # noqa: S607 - git made the clone
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return described.stdout.strip()
