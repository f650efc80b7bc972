"""Where the template, the functions and the sample events are."""

from pathlib import Path
from typing import Final

_IN_WHEEL: Final = Path(__file__).parent / "project"
ROOT: Final = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).resolve().parents[2]
"""In the wheel a folder of this package, in a clone the clone's own."""
