"""`python -m tools.dist`: build a release into `dist`, replacing its contents."""

import sys
from pathlib import Path

from tools.dist.build import BuildError, build
from tools.dist.packages import ARTIFACTS, build_packages

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Build it; return the exit status."""
    try:
        written = [*build(ROOT, ROOT / ARTIFACTS), *build_packages(ROOT)]
    except BuildError as error:
        sys.stderr.write(f"make dist: {error}\n")
        return 1
    for path in written:
        sys.stdout.write(f"{path.stat().st_size / 1000:8,.0f} kB  {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
