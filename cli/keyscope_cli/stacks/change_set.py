"""A change set: what a deployment would do to each resource, before it does it."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from keyscope.aws.calls import error_code
from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure

POLL_SECONDS: Final = 2.0
CAPABILITIES: Final = ("CAPABILITY_IAM",)
"""The roles have no names of their own. CAPABILITY_AUTO_EXPAND has no effect on change sets."""
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
_IRREPLACEABLE: Final = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
}
"""The types of resources whose replacement or removal loses what they store."""
_HARMLESS: Final = {"Add", "Modify", "Import", "SyncWithActual"}
"""Actions that keep a resource, unless they replace it. Dynamic is not: it is not yet known."""

Client = Any


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource; `replacement` is True, False or Conditional, in AWS's words."""

    action: str
    logical_id: str
    kind: str
    replacement: str
    properties: tuple[str, ...]

    @property
    def effect(self) -> str:
        """What happens to the resource, in a word or two."""
        match self.replacement:
            case "True":
                return "Replace"
            case "Conditional":
                return "May replace"
            case _:
                return self.action

    @property
    def loses_data(self) -> bool:
        """Whether it may replace or remove a table or a key."""
        kept = self.action in _HARMLESS and self.replacement in {"", "False"}
        return self.kind in _IRREPLACEABLE and not kept


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed, and the id of its stack.

    `made_stack`: it also created the stack, which has no resources yet.
    """

    arn: str
    stack_id: str
    changes: Sequence[Change]
    made_stack: bool

    @property
    def stack_name(self) -> str:
        """The name in the stack's id, `arn:...:stack/NAME/UUID`."""
        return self.stack_id.split("/")[1]


def create_change_set(
    client: Client,
    request: Mapping[str, object],
    *,
    is_new: bool,
    makes_stack: bool,
    pause: Callable[[float], None] = time.sleep,
) -> ChangeSet | None:
    """Create a change set and wait for it; return `None` if nothing would change.

    `request` has the stack's name, the template's URL and the parameters, as CreateChangeSet names
    them. `is_new`: it creates all resources. `makes_stack`: there is no stack of this name, not
    even one without resources. If the wait is interrupted, the change set is discarded.

    Raises:
        Failure: CloudFormation rejects the template or a parameter.
    """
    with told_failures():
        try:
            made = client.create_change_set(
                **request,
                ChangeSetName=f"keyscope-{uuid.uuid4().hex}",
                ChangeSetType="CREATE" if is_new else "UPDATE",
                Capabilities=list(CAPABILITIES),
            )
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            reason = error.response["Error"]["Message"]
            raise _rejected(reason) from None
        arn, stack_id = made["Id"], made["StackId"]
        change_set = ChangeSet(arn, stack_id, (), makes_stack)
        with discarded_unless_kept(client, change_set):
            described = _settled(client, arn, pause)
        if described["Status"] != "CREATE_COMPLETE":
            reason = described.get("StatusReason", "CloudFormation reports no reason")
            discard(client, change_set)
            if any(text in reason for text in _NO_CHANGES):
                return None
            raise _rejected(reason)
        return replace(change_set, changes=tuple(_changes(client, described)))


def _rejected(reason: str) -> Failure:
    message = f"CloudFormation rejected the change set: {reason}"
    return Failure(ExitStatus.NOT_DONE, message, "Nothing was changed.")


def discard(client: Client, change_set: ChangeSet) -> None:
    """Delete a change set, and the stack without resources that it created.

    A stack that existed before is kept, even if it has no resources.
    """
    with told_failures():
        client.delete_change_set(ChangeSetName=change_set.arn)
        if change_set.made_stack:
            client.delete_stack(StackName=change_set.stack_id)


@contextmanager
def discarded_unless_kept(client: Client, change_set: ChangeSet) -> Iterator[None]:
    """Discard a change set if what is done meanwhile fails or is interrupted."""
    try:
        yield
    except BaseException:
        discard(client, change_set)
        raise


def _settled(client: Client, arn: str, pause: Callable[[float], None]) -> Mapping[str, Any]:
    while True:
        described: Mapping[str, Any] = client.describe_change_set(ChangeSetName=arn)
        if described["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            return described
        pause(POLL_SECONDS)


def _changes(client: Client, first: Mapping[str, Any]) -> Iterator[Change]:
    page = first
    while True:
        for each in page["Changes"]:
            if "ResourceChange" in each:
                yield _change(each["ResourceChange"])
        if not page.get("NextToken"):
            return
        page = client.describe_change_set(
            ChangeSetName=first["ChangeSetId"], NextToken=page["NextToken"]
        )


def _change(resource: Mapping[str, Any]) -> Change:
    targets = [detail["Target"] for detail in resource.get("Details", []) if "Target" in detail]
    names = {target.get("Name") or target.get("Attribute", "") for target in targets}
    return Change(
        action=resource["Action"],
        logical_id=resource["LogicalResourceId"],
        kind=resource["ResourceType"],
        replacement=resource.get("Replacement", ""),
        properties=tuple(sorted(names)),
    )
