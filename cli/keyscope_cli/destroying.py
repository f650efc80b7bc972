"""`keyscope destroy`: deletes a stack, and shows what it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyscope_cli.aws import Aws, told_failures
from keyscope_cli.confirmation import Yes, check_can_ask, confirmed
from keyscope_cli.deploying import DEFAULT_STACK, AsJson, Region, RoleArn, StackName
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_cli.output import Output, counted
from keyscope_cli.stacks.artifacts import BUCKET_PARAMETER
from keyscope_cli.stacks.stack import (
    Event,
    Operation,
    Stack,
    check_is_idle,
    check_is_ours,
    events_of,
    failure_of,
    find_stack,
    follow,
    told_interrupt,
)

EXAMPLES: Final = examples("destroy --stack keyscope")
_KEPT: Final = {"Retain", "RetainExceptOnCreate"}
_VERSION: Final = "AWS::Lambda::Version"
"""SAM retains versions, but Lambda deletes them with their function."""
_IMPORTED: Final = "If another stack imports an output, detach it from the authorizer first."


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack, and whether it stays when the stack is deleted."""

    logical_id: str
    physical_id: str
    kind: str
    stays: bool


def destroy(
    stack: StackName = DEFAULT_STACK,
    region: Region = None,
    role_arn: RoleArn = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a stack, but keep its tables and its KMS key."""
    check_can_ask(yes=yes)
    output, client = Output(as_json=as_json), Aws(region=region).client("cloudformation")
    found = find_stack(client, stack)
    if found is None:
        message = f"There is no stack {stack!r} in {client.meta.region_name}."
        raise Failure(ExitStatus.NOT_DONE, message, "Check --stack, --region and AWS_PROFILE.")
    check_is_ours(found)
    check_is_idle(found)
    if found.is_protected:
        message = f"Termination protection is on for the stack {stack!r}."
        advice = (
            "Turn it off with `aws cloudformation update-termination-protection"
            f" --no-enable-termination-protection --stack-name {stack}`."
        )
        raise Failure(ExitStatus.NOT_DONE, message, advice)
    resources = _resources(client, found)
    kept = [one for one in resources if one.stays]
    if not as_json:
        _show(output, found, resources)
    deleted = len(resources) - len(kept)
    resources_of = counted(deleted, "resource", "resources")
    question = f"Delete the stack {stack!r} with {resources_of}? This cannot be undone."
    if not (yes or confirmed(output, question)):
        raise Failure(ExitStatus.NO, "Canceled. The stack was not changed.")
    _delete(client, output, found, role_arn)
    if as_json:
        output.json({"kept": {one.logical_id: one.physical_id for one in kept}})
    else:
        output.line(f"Stack deleted: {stack}")


def _resources(client: Any, stack: Stack) -> Sequence[Resource]:  # noqa: ANN401 - botocore ships no types
    with told_failures():
        # SAM's transform returns JSON, which botocore reads.
        template = client.get_template(StackName=stack.id, TemplateStage="Processed")
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        found = [one for page in pages for one in page["StackResourceSummaries"]]
    declared = template["TemplateBody"]["Resources"]
    return [
        Resource(
            logical_id=one["LogicalResourceId"],
            physical_id=one.get("PhysicalResourceId", ""),
            kind=one["ResourceType"],
            stays=(
                declared.get(one["LogicalResourceId"], {}).get("DeletionPolicy") in _KEPT
                and one["ResourceType"] != _VERSION
            ),
        )
        for one in found
        if one["ResourceStatus"] != "DELETE_COMPLETE"
    ]


def _show(output: Output, stack: Stack, resources: Sequence[Resource]) -> None:
    kept = [one for one in resources if one.stays]
    output.line("These resources are kept, with all accounts, apps and keys:")
    output.table(
        ("Resource", "Type", "Name"), [(one.logical_id, one.kind, one.physical_id) for one in kept]
    )
    if bucket := stack.parameters.get(BUCKET_PARAMETER):
        output.line(f"The bucket {bucket} with Keyscope's code is also kept.")
    output.line(
        "A new stack can use them: docs/how-to/restore.md. The KMS key costs a dollar a month."
    )


def _delete(client: Any, output: Output, stack: Stack, role_arn: str | None) -> None:  # noqa: ANN401 - see above
    known = events_of(client, stack.id)
    with output.progress("Deleting") as tell:

        def told(event: Event) -> None:
            tell(f"{event.logical_id} {event.status}")

        role = {"RoleARN": role_arn} if role_arn else {}
        with told_failures():
            client.delete_stack(StackName=stack.id, **role)
        with told_interrupt(client, stack.name, Operation.DELETE):
            after, events = follow(client, stack.id, known, told)
    if after.status != "DELETE_COMPLETE":
        raise failure_of(after, events, f"{_IMPORTED} Then run the command again.")
