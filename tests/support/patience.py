"""How long tests wait for what must happen."""

from typing import Final

PATIENCE_SECONDS: Final = 120
"""Only what never happens takes this long, even on a busy machine; caches that must not help a test
last longer."""
