"""A CloudFormation stack: what its state allows, and the events of an operation until it ends."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, assert_never

from botocore.exceptions import ClientError

from keyscope.aws.calls import error_code
from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.stacks.change_set import POLL_SECONDS

_DESCRIPTION: Final = "Keyscope:"
"""How the description of Keyscope's template begins."""
_EMPTY: Final = "REVIEW_IN_PROGRESS"
"""A stack without resources, which the change set of a creation left."""
_UPDATABLE: Final = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
_NEVER_CREATED: Final = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
_CONSEQUENCES: Final = (
    "Resource creation cancelled",  # codespell:ignore - CloudFormation's spelling
    "Resource update cancelled",  # codespell:ignore
)
"""Reasons of failures that another failure caused."""

Client = Any


class Operation(Enum):
    """What CloudFormation does with a stack, by the name of the AWS CLI's waiter."""

    CREATE = "stack-create-complete"
    UPDATE = "stack-update-complete"
    DELETE = "stack-delete-complete"


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an operation on one resource."""

    id: str
    logical_id: str
    physical_id: str
    kind: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as CloudFormation describes it."""

    id: str
    name: str
    status: str
    description: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    is_protected: bool

    @property
    def is_busy(self) -> bool:
        """Whether an operation is running."""
        return self.status.endswith("_IN_PROGRESS") and self.status != _EMPTY


def find_stack(client: Client, name: str) -> Stack | None:
    """Return a stack by its name or its id, or `None`.

    Raises:
        Failure: AWS does not allow it or does not answer.
    """
    with told_failures():
        try:
            found = client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # What CloudFormation answers if there is no such stack.
            if error_code(error) != "ValidationError":
                raise
            return None
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        description=found.get("Description", ""),
        parameters={
            one["ParameterKey"]: one.get("ParameterValue", "")
            for one in found.get("Parameters", [])
        },
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        is_protected=found.get("EnableTerminationProtection", False),
    )


def stack_to_update(client: Client, stack: Stack | None) -> Stack | None:
    """Return a stack if a deployment updates it, or `None` if it creates one.

    Raises:
        Failure: the stack is not Keyscope's, or its state allows no update.
    """
    if stack is None or stack.status == _EMPTY:
        return None
    name = stack.name
    check_is_ours(stack)
    if stack.status in _UPDATABLE:
        return stack
    check_is_idle(stack)
    if stack.status in _NEVER_CREATED:
        message = f"The stack {name!r} is incomplete ({stack.status})."
        advice = f"Run `keyscope destroy --stack {name}`, then deploy again."
        cause = first_failure(events_of(client, stack.id))
        advice = f"{_told(cause)} {advice}" if cause else advice
        raise Failure(ExitStatus.NOT_DONE, message, advice)
    message = f"The stack {name!r} cannot be updated while it is {stack.status}."
    advice = (
        f"Run `aws cloudformation continue-update-rollback --stack-name {name}`"
        if stack.status == "UPDATE_ROLLBACK_FAILED"
        else f"Run `aws cloudformation rollback-stack --stack-name {name}`"
    )
    raise Failure(ExitStatus.NOT_DONE, message, f"{advice}, then deploy again.")


def check_is_ours(stack: Stack) -> None:
    """Check that a stack was created from Keyscope's template.

    Raises:
        Failure: it was not; a deployment would delete its resources.
    """
    if not stack.description.startswith(_DESCRIPTION):
        message = f"The stack {stack.name!r} is not a Keyscope stack."
        raise Failure(ExitStatus.NOT_DONE, message, "Use --stack with another name.")


def check_is_idle(stack: Stack) -> None:
    """Check that no operation is running.

    Raises:
        Failure: one is.
    """
    if stack.is_busy:
        message = f"Another operation on the stack {stack.name!r} is running ({stack.status})."
        raise Failure(ExitStatus.NOT_DONE, message, "Wait until it finishes, then try again.")


def follow(
    client: Client,
    stack_id: str,
    known: Sequence[Event],
    tell: Callable[[Event], None],
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Stack, Sequence[Event]]:
    """Report each new event until the operation ends; return the stack and these events.

    Raises:
        Failure: AWS does not allow it or does not answer.
    """
    seen = {event.id for event in known}
    new: list[Event] = []
    while True:
        # The state first: its last event then is among those that are read after it.
        stack = find_stack(client, stack_id)
        for event in events_of(client, stack_id, seen):
            seen.add(event.id)
            new.append(event)
            tell(event)
        if stack is None:
            message = "The stack no longer exists."
            raise Failure(ExitStatus.UNAVAILABLE, message)
        if not stack.is_busy:
            return stack, new
        pause(POLL_SECONDS)


@contextmanager
def told_interrupt(client: Client, name: str, operation: Operation) -> Iterator[None]:
    """Tell who interrupts the command that CloudFormation continues, and how to wait or cancel.

    Raises:
        Failure: the command was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        stack = f"--region {client.meta.region_name} --stack-name {shlex.quote(name)}"
        message = f"Interrupted. CloudFormation still works on the stack {name!r}."
        aws = "aws cloudformation"
        advice = f"Wait for the end with `{aws} wait {operation.value} {stack}`."
        match operation:
            case Operation.CREATE:
                advice = f"{advice} Cancel the creation with `{aws} delete-stack {stack}`."
            case Operation.UPDATE:
                advice = f"{advice} Cancel the update with `{aws} cancel-update-stack {stack}`."
            case Operation.DELETE:
                advice = f"{advice} A deletion cannot be canceled."
            case _ as unexpected:
                assert_never(unexpected)
        raise Failure(ExitStatus.INTERRUPTED, message, advice) from None


def events_of(
    client: Client, stack_id: str, seen: set[str] | frozenset[str] = frozenset()
) -> Sequence[Event]:
    """Return the events of a stack that were not seen, oldest first."""
    with told_failures():
        return list(_newest_first(client, stack_id, seen))[::-1]


def _newest_first(
    client: Client, stack_id: str, seen: set[str] | frozenset[str]
) -> Iterator[Event]:
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    for page in pages:
        for each in page["StackEvents"]:
            if each["EventId"] in seen:
                return
            yield Event(
                id=each["EventId"],
                logical_id=each["LogicalResourceId"],
                physical_id=each.get("PhysicalResourceId", ""),
                kind=each.get("ResourceType", ""),
                status=each.get("ResourceStatus", ""),
                reason=each.get("ResourceStatusReason", ""),
            )


def first_failure(events: Sequence[Event]) -> Event | None:
    """Return the first failure that no other one caused."""
    failed = [
        event
        for event in events
        if event.status.endswith("_FAILED") and not event.reason.startswith(_CONSEQUENCES)
    ]
    return failed[0] if failed else None


def failure_of(stack: Stack, events: Sequence[Event], advice: str) -> Failure:
    """Return why an operation failed: its first failed resource."""
    cause = first_failure(events)
    why = _told(cause) if cause else "CloudFormation reports no failed resource."
    return Failure(
        ExitStatus.NOT_DONE, f"The stack {stack.name!r} is {stack.status}. {why}", advice
    )


def _told(event: Event) -> str:
    reason = event.reason or "CloudFormation reports no reason"
    return f"{event.logical_id} ({event.kind}) failed first: {reason.rstrip('.')}."
