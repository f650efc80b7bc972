"""`python -m tools.dist FOLDER`: build the artifacts into a folder, replacing its contents."""

import sys
from pathlib import Path

from tools.dist.build import BuildError, build

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Build them; return the exit status."""
    target = Path(sys.argv[1])
    try:
        written = build(ROOT, target)
    except BuildError as error:
        sys.stderr.write(f"make dist: {error}\n")
        return 1
    for path in written:
        sys.stdout.write(f"{path.stat().st_size / 1000:8,.0f} kB  {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
