"""`doctor` on operations: alarms, dead letters, the clock, and whether the API refuses."""

import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from keyscope_cli.aws import Aws
from keyscope_cli.findings import CheckVerdict, Finding, judged

MAX_CLOCK_DIFFERENCE_SECONDS = 5
"""Tokens that this machine signs are refused if its clock is ahead, and expire early if it is
behind."""
TO_WATCH = (
    "Put alarms on the metrics Failed, CacheFlushFailures and ExpirySweepFailures, and on messages"
    " in FlushDeadLetterQueue, KeyUseDeadLetterQueue and ExpirySweepDeadLetterQueue;"
    " docs/reference/decision-log.md has them."
)
DEAD_LETTERS: Final = {
    "FlushDeadLetterQueue": (
        "flushes given up",
        "Flush the stages' authorizer caches by hand, then look at the cache flush's log.",
    ),
    "KeyUseDeadLetterQueue": (
        "last uses not recorded",
        "Look at the key use function's log, then follow the queue's page of the runbook.",
    ),
    "ExpirySweepDeadLetterQueue": (
        "failed expiry sweeps",
        "Look at the expiry sweep's log, then sweep by hand, as the runbook says.",
    ),
}
"""The stack's dead-letter queues: the name of the check, and advice for when it finds messages."""


def alarm_findings(aws: Aws, names: Sequence[str]) -> Iterator[Finding]:
    """Check the stack's alarms."""
    if not names:
        yield Finding("alarms", CheckVerdict.WARNING, "The stack has none", TO_WATCH)
        return
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    ringing = [one["AlarmName"] for one in found if one["StateValue"] == "ALARM"]
    told = f"In alarm: {', '.join(ringing)}" if ringing else f"{len(found)}, none in alarm"
    yield judged(
        "alarms",
        told,
        ok=not ringing,
        otherwise=CheckVerdict.PROBLEM,
        advice="Look at the alarm's description and at the decision log.",
    )


def dead_letter_findings(aws: Aws, queue_url: str, check: str, advice: str) -> Iterator[Finding]:
    """Check for messages in a dead-letter queue."""
    name = "ApproximateNumberOfMessages"
    client = aws.client("sqs")
    found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    count = int(found["Attributes"][name])
    yield judged(check, str(count), ok=not count, otherwise=CheckVerdict.PROBLEM, advice=advice)


def clock_findings(aws: Aws) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's, from the `Date` of a response, to the second."""
    started = time.time()
    answer = aws.client("sts").get_caller_identity()
    now = (started + time.time()) / 2
    date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    # The header drops the fraction of a second.
    ahead = now - (parsedate_to_datetime(date).timestamp() + 0.5)
    yield judged(
        "clock of this machine",
        f"{ahead:+.0f} s from AWS's",
        ok=abs(ahead) <= MAX_CLOCK_DIFFERENCE_SECONDS,
        otherwise=CheckVerdict.WARNING,
        advice="Set the clock (NTP): tokens signed here begin or end at the wrong time.",
    )


def refusal_findings(url: str) -> Iterator[Finding]:
    """Check that the API rejects requests without a credential."""
    check = "API without a credential"
    try:
        is_local = httpx.URL(url).host == "127.0.0.1"
        status = httpx.get(f"{url}/v2/apps", timeout=10, trust_env=not is_local).status_code
    except httpx.HTTPError as error:
        advice = "Look at the network; a private API is not reached from here."
        yield Finding(check, CheckVerdict.WARNING, f"Not reached: {type(error).__name__}", advice)
        return
    yield judged(
        check,
        str(status),
        ok=status == HTTPStatus.UNAUTHORIZED,
        otherwise=CheckVerdict.PROBLEM,
        advice="It is to be 401: look at how the authorizer is attached, and at its log.",
    )
