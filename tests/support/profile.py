"""How hard the hostile tests try: a little in every run, and in full by `make test-hostile`."""

import os
from typing import Final

FULL: Final = os.environ.get("KEYSCOPE_TEST_PROFILE") == "full"

EXAMPLES: Final = 10_000 if FULL else 500
"""Examples of each hypothesis property."""
LOAD_SECONDS: Final = 60 if FULL else 5
"""How long each load lasts."""
