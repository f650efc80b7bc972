"""CloudWatch Logs' subscription filters: pass lines of one function's log to another function.

The lines are collected and passed in CloudWatch Logs' format, but without delay (AWS Lambda
developer guide, "Using Lambda with CloudWatch Logs"). If the function fails, its batch is lost
here.
"""

import json
import logging
import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from gzip import compress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final, cast

from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.template.intrinsics import PSEUDO_PARAMETERS, Json, TemplateError
from keyscope_local.template.stack import Stack, properties_of

FILTER_TYPE: Final = "AWS::Logs::SubscriptionFilter"
_SUPPORTED = {"DestinationArn", "FilterPattern", "LogGroupName"}
_PATTERN = re.compile(r'\{ \$\.(\w+) = "(\w+)" \}')
"""The only supported pattern: a member of a JSON line has this text."""

_log = logging.getLogger("keyscope.local.log_subscriptions")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A function that receives the lines of a log group whose `member` is `text`."""

    log_group: str
    sources: Sequence[LocalFunction]
    destination: LocalFunction
    member: str
    text: str
    _lines: SimpleQueue[str | None] = field(default_factory=SimpleQueue, init=False)
    _ids: Iterator[int] = field(default_factory=count, init=False)

    def tell(self, written: str) -> None:
        """Keep the matching lines for the next batch."""
        for line in written.splitlines():
            if self._fits(line):
                self._lines.put(line)

    def stop(self) -> None:
        """Let `deliver` end after the lines that it received before."""
        self._lines.put(None)

    def deliver(self) -> None:
        """Pass one batch after the other to the function, until stopped."""
        stopped = False
        while not stopped:
            batch = [self._lines.get(), *self._waiting()]
            stopped = None in batch
            if lines := [line for line in batch if line is not None]:
                self._give(lines)

    def _fits(self, line: str) -> bool:
        try:
            members: object = json.loads(line)
        except ValueError:
            return False
        return isinstance(members, dict) and members.get(self.member) == self.text

    def _waiting(self) -> Iterator[str | None]:
        while True:
            try:
                yield self._lines.get_nowait()
            except Empty:
                return

    def _give(self, lines: Sequence[str]) -> None:
        try:
            self.destination.invoke({"awslogs": {"data": self._data(lines)}})
        except FunctionFailed as failed:
            name = self.destination.name
            _log.warning("%s raised %s", name, failed, exc_info=failed.__cause__)

    def _data(self, lines: Sequence[str]) -> str:
        now_ms = int(time.time() * 1_000)
        data = {
            "messageType": "DATA_MESSAGE",
            "owner": PSEUDO_PARAMETERS["AWS::AccountId"],
            "logGroup": self.log_group,
            "logStream": "local",
            "subscriptionFilters": [self.log_group],
            "logEvents": [
                {"id": str(next(self._ids)), "timestamp": now_ms, "message": line} for line in lines
            ],
        }
        return b64encode(compress(json.dumps(data).encode())).decode()


@contextmanager
def subscribed_logs(stack: Stack, functions: Mapping[str, LocalFunction]) -> Iterator[None]:
    """Serve the stack's subscriptions while the context lasts; its end waits for the last batch.

    Raises:
        TemplateError: a subscription filter uses something that is not supported here.
    """
    subscriptions = read_subscriptions(stack, functions)
    with ExitStack() as listening:
        for subscription in subscriptions:
            thread = threading.Thread(
                target=subscription.deliver, name="log subscription", daemon=True
            )
            thread.start()
            listening.callback(thread.join)
            listening.callback(subscription.stop)
            for source in subscription.sources:
                listening.enter_context(source.output.told_to(subscription.tell))
        yield


def read_subscriptions(
    stack: Stack, functions: Mapping[str, LocalFunction]
) -> Sequence[Subscription]:
    """Read the stack's subscription filters. `functions` are those of the stack.

    Raises:
        TemplateError: a filter uses something that is not supported here.
    """
    return [
        _read_subscription(stack, functions, name, cast("Json", resource["Properties"]))
        for name, resource in stack.resources.items()
        if resource["Type"] == FILTER_TYPE
    ]


def _read_subscription(
    stack: Stack, functions: Mapping[str, LocalFunction], name: str, properties: Json
) -> Subscription:
    if unsupported := sorted(set(properties) - _SUPPORTED):
        message = f"{name}: {', '.join(unsupported)} of a subscription is not supported here"
        raise TemplateError(message)
    pattern = str(properties["FilterPattern"])
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        message = f"{name}: the pattern {pattern!r} is not supported here"
        raise TemplateError(message)
    by_arn = {function.arn: function for function in functions.values()}
    destination = str(properties["DestinationArn"])
    if destination not in by_arn:
        message = f"{name}: {destination} is not a function of the stack"
        raise TemplateError(message)
    group = str(properties["LogGroupName"])
    sources = [functions[each] for each in functions if _log_group_of(stack, each) == group]
    return Subscription(group, sources, by_arn[destination], found[1], found[2])


def _log_group_of(stack: Stack, function: str) -> str | None:
    config = cast("Json", properties_of(stack, function).get("LoggingConfig", {}))
    return cast("str | None", config.get("LogGroup"))
