"""How hard the hostile tests try.

`KEYSCOPE_TEST_PROFILE` is `small` in `make test`, `fast` in `make test-all` and `full` in
`make test-hostile`.
"""

import os
from typing import Final

PROFILE: Final = os.environ.get("KEYSCOPE_TEST_PROFILE") or "small"
FULL: Final = PROFILE == "full"

EXAMPLES: Final = {"small": 40, "fast": 150, "full": 10_000}[PROFILE]
"""Examples of each hypothesis property of tests/security."""
UNIT_EXAMPLES: Final = {"small": 25, "fast": 50, "full": 100}[PROFILE]
"""Examples of each other hypothesis property."""
EVERY_NTH: Final = {"small": 3, "fast": 1, "full": 1}[PROFILE]
"""Of a long table whose rows are costly, which share is tried."""
RACE_ROUNDS: Final = {"small": 10, "fast": 10, "full": 30}[PROFILE]
"""How often callers race. `tests/integration/test_interleavings.py` meets every narrow moment."""
LOAD_SECONDS: Final = {"small": 2, "fast": 3, "full": 60}[PROFILE]
"""How long each load lasts."""
