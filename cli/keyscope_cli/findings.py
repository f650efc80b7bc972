"""The findings of `doctor`: one with a verdict for each check."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.calls import error_code
from keyscope_cli.aws import without_response
from keyscope_cli.failures import Failure


class CheckVerdict(StrEnum):
    """How a check ends."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, its verdict, what it found, and what to do if there is a problem."""

    check: str
    verdict: CheckVerdict
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


def judged(check: str, found: str, *, ok: bool, otherwise: CheckVerdict, advice: str) -> Finding:
    """Return a finding that is ok, or one with another verdict and advice."""
    return (
        Finding(check, CheckVerdict.OK, found) if ok else Finding(check, otherwise, found, advice)
    )


def run_check(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check; if AWS denies access, that is the finding."""
    try:
        yield from look()
    except ClientError as error:
        advice = "Check that it exists and that your AWS credentials may read it."
        yield Finding(check, CheckVerdict.PROBLEM, f"Not readable: {error_code(error)}", advice)
    except BotoCoreError as error:
        message, advice = without_response(error)
        yield Finding(check, CheckVerdict.PROBLEM, message, advice)
    except Failure as failure:
        yield Finding(check, CheckVerdict.PROBLEM, failure.message, failure.advice)
