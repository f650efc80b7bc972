"""What `doctor` finds: one verdict for each thing that it looks at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import error_code
from keyscope_cli.failures import Failure


class Verdict(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, how it is, what was found, and what to do where it is not ok."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""

    def members(self) -> dict[str, str]:
        """Return the finding as JSON."""
        members = {
            "check": self.check,
            "verdict": self.verdict.value,
            "found": self.found,
            "advice": self.advice,
        }
        return {name: value for name, value in members.items() if value}


def judged(check: str, found: str, *, ok: bool, otherwise: Verdict, advice: str) -> Finding:
    """Make a finding that is ok, or otherwise comes with advice."""
    return Finding(check, Verdict.OK, found) if ok else Finding(check, otherwise, found, advice)


def run_check(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what a look finds; where AWS does not let you look, that is the finding."""
    try:
        yield from look()
    except ClientError as error:
        advice = "Look whether it was deleted, and whether your AWS credentials may read it."
        yield Finding(check, Verdict.PROBLEM, f"Not readable: {error_code(error)}", advice)
    except BotoCoreError as error:
        advice = "Look at the network and your AWS credentials."
        yield Finding(check, Verdict.PROBLEM, f"Not readable: {type(error).__name__}", advice)
    except Failure as failure:
        yield Finding(check, Verdict.PROBLEM, failure.message, failure.advice)
