"""A program's entry point, run in the tests' process as if started without a terminal."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)


def run_here(entry_point: Callable[[], int], text: str = "") -> Ended:
    """Run it with the text as standard input; an exception that a user would see fails the test."""
    with CliRunner().isolation(text) as (out, err, _):
        status = entry_point()
        sys.stdout.flush()
        sys.stderr.flush()
        return Ended(status, out.getvalue().decode(), err.getvalue().decode())
