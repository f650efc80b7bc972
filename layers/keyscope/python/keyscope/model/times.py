"""Times in RFC 3339 format. Inside Keyscope, a time is a number of seconds since the epoch."""

import re
from datetime import UTC, datetime
from typing import Final

DATE_TIME_PATTERN: Final = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
"""RFC 3339, section 5.6, with upper-case letters and without leap seconds. `fromisoformat` accepts
much more."""
LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z, the last time that RFC 3339 can express in UTC."""


def rfc3339(seconds: float) -> str:
    """Return a time in RFC 3339 format in UTC, without its fraction of a second.

    Raises:
        ValueError, OverflowError or OSError: the time is outside the years 1 to 9999.
    """
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def rfc3339_or_none(seconds: int | None) -> str | None:
    """Return a time in RFC 3339 format in UTC, or `None` if there is no time."""
    return None if seconds is None else rfc3339(seconds)


def read_rfc3339(text: str) -> int | None:
    """Return a time with a zone in seconds, without its fraction; `None` for any other text."""
    # Not compiled at import, because the authorizers import this module and never read such a text.
    if re.fullmatch(DATE_TIME_PATTERN, text) is None:
        return None
    try:
        # Drop the fraction, which a float would round up to the next second.
        seconds = int(datetime.fromisoformat(text).replace(microsecond=0).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds <= LAST_SECOND else None
