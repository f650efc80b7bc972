"""`doctor` on operations: alarms, dead letters, the clock, and a request without a credential."""

import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from keyscope_cli.aws import Aws
from keyscope_cli.findings import CheckVerdict, Finding, judged
from keyscope_cli.output import counted

MAX_CLOCK_DIFFERENCE_SECONDS = 5
"""Tokens that this machine signs are refused if its clock is ahead, and expire early if it is
behind."""
TO_WATCH = (
    "Create alarms on the metrics Failed, CacheFlushFailures and ExpirySweepFailures, and on"
    " messages in FlushDeadLetterQueue, KeyUseDeadLetterQueue and ExpirySweepDeadLetterQueue."
)
DEAD_LETTERS: Final = {
    "FlushDeadLetterQueue": (
        "failed cache flushes",
        "Flush the stages' authorizer caches yourself, then check the cache flush function's log.",
    ),
    "KeyUseDeadLetterQueue": (
        "unrecorded last uses",
        "Check the log of the key use function, then follow the queue's page in the runbook.",
    ),
    "ExpirySweepDeadLetterQueue": (
        "failed expiry sweeps",
        "Check the expiry sweep function's log, then run it yourself as the runbook describes.",
    ),
}
"""The stack's dead-letter queues: the name of the check, and advice for when it finds messages."""


def alarm_findings(aws: Aws, names: Sequence[str]) -> Iterator[Finding]:
    """Check the stack's alarms."""
    if not names:
        yield Finding("alarms", CheckVerdict.WARNING, "The stack has no alarms", TO_WATCH)
        return
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    ringing = [one["AlarmName"] for one in found if one["StateValue"] == "ALARM"]
    told = f"In alarm: {', '.join(ringing)}" if ringing else f"{len(found)}, none in alarm"
    yield judged(
        "alarms",
        told,
        ok=not ringing,
        otherwise=CheckVerdict.PROBLEM,
        advice="Read the alarm's description and the decision log.",
    )


def dead_letter_findings(aws: Aws, queue_url: str, check: str, advice: str) -> Iterator[Finding]:
    """Check for messages in a dead-letter queue."""
    name = "ApproximateNumberOfMessages"
    client = aws.client("sqs")
    found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    count = int(found["Attributes"][name])
    yield judged(
        check,
        counted(count, "message", "messages"),
        ok=not count,
        otherwise=CheckVerdict.PROBLEM,
        advice=advice,
    )


def clock_findings(aws: Aws) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's, from the `Date` of a response, to the second."""
    started = time.time()
    answer = aws.client("sts").get_caller_identity()
    now = (started + time.time()) / 2
    date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    # The header drops the fraction of a second.
    ahead = now - (parsedate_to_datetime(date).timestamp() + 0.5)
    yield judged(
        "this machine's clock",
        f"{ahead:+.0f} s from AWS's clock",
        ok=abs(ahead) <= MAX_CLOCK_DIFFERENCE_SECONDS,
        otherwise=CheckVerdict.WARNING,
        advice="Synchronize the clock (NTP). Tokens signed here start or expire at the wrong time.",
    )


def refusal_findings(url: str) -> Iterator[Finding]:
    """Check that the API rejects requests without a credential."""
    check = "request without credential"
    try:
        is_local = httpx.URL(url).host == "127.0.0.1"
        status = httpx.get(f"{url}/v2/apps", timeout=10, trust_env=not is_local).status_code
    except httpx.HTTPError as error:
        advice = "Check the network. A private API cannot be reached from here."
        yield Finding(check, CheckVerdict.WARNING, f"Not reachable: {type(error).__name__}", advice)
        return
    yield judged(
        check,
        str(status),
        ok=status == HTTPStatus.UNAUTHORIZED,
        otherwise=CheckVerdict.PROBLEM,
        advice="The status must be 401. Check how the authorizer is attached, and its log.",
    )
