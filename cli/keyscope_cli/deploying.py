"""`keyscope deploy`: creates or updates a stack from a release's artifacts, without SAM."""

import difflib
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from keyscope_cli.aws import Aws, told_failures
from keyscope_cli.confirmation import Yes, check_can_ask, confirmed
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_cli.options import STACK_VARIABLE
from keyscope_cli.output import Output, counted
from keyscope_cli.stacks.artifacts import BUCKET_PARAMETER, Release, read_release
from keyscope_cli.stacks.bucket import Bucket, find_bucket, prepare_own
from keyscope_cli.stacks.change_set import (
    Change,
    ChangeSet,
    create_change_set,
    discard,
    discarded_unless_kept,
)
from keyscope_cli.stacks.stack import (
    Event,
    Operation,
    Stack,
    events_of,
    failure_of,
    find_stack,
    follow,
    stack_to_update,
    told_interrupt,
)

DEFAULT_STACK: Final = "keyscope"
EXAMPLES: Final = examples("deploy --region eu-west-1")
_AGAIN: Final = "Correct the cause, then deploy again."

StackName = Annotated[
    str, typer.Option("--stack", envvar=STACK_VARIABLE, metavar="NAME", help="The stack's name.")
]
Region = Annotated[
    str | None,
    typer.Option(metavar="REGION", help="The AWS region, instead of AWS_REGION or your profile's."),
]
RoleArn = Annotated[
    str | None,
    typer.Option(
        metavar="ARN", help="A role that CloudFormation uses instead of your credentials."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


def deploy(
    stack: StackName = DEFAULT_STACK,
    region: Region = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Set a parameter. Repeat it for more."),
    ] = None,
    parameters_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Set parameters from a TOML file of NAME = VALUE lines."),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A bucket for the code, instead of one that Keyscope creates.",
        ),
    ] = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(help="A folder that `make dist` wrote, instead of the installed release."),
    ] = None,
    role_arn: RoleArn = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would change, but deploy nothing."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Create or update a stack.

    Shows what changes, asks, and follows CloudFormation. Parameters that you do not set keep the
    stack's values, or have their defaults in a new stack.
    """
    check_can_ask(yes=yes or dry_run)
    output, aws = Output(as_json=as_json), Aws(region=region)
    release = read_release(artifacts)
    given = _given(release, parameters_file, parameter or [])
    client = aws.client("cloudformation")
    found = find_stack(client, stack)
    existing = stack_to_update(client, found)
    used = existing.parameters.get(BUCKET_PARAMETER) if existing else None
    name = bucket or used
    place = find_bucket(aws, name)
    if dry_run and not place.exists:
        _show_plan(output, release, place)
        return
    if name is None and not dry_run:
        prepare_own(place)
    with output.progress("Checking what to upload") as tell:
        # CloudFormation reads only the template to create a change set.
        files = [release.template] if dry_run else [*release.archives, release.template]
        uploaded = place.upload(files, tell)
        output.note(f"Uploaded {counted(uploaded, 'file', 'files')} to {place.name}.")
        tell("Waiting for the change set")
        request = {
            "StackName": stack,
            "TemplateURL": place.url(release.template),
            "Parameters": _parameters(release, given, existing, place.name),
            **({"RoleARN": role_arn} if role_arn else {}),
        }
        change_set = create_change_set(
            client, request, is_new=existing is None, makes_stack=found is None
        )
    if change_set is None:
        _report(output, existing, (), "No changes.")
        return
    operation = Operation.CREATE if existing is None else Operation.UPDATE
    with discarded_unless_kept(client, change_set):
        if not as_json:
            _show(output, change_set.changes)
        _refuse_loss(change_set, place.url(release.template))
        question = f"{operation.name.capitalize()} the stack {stack!r} in {place.region}?"
        if not (dry_run or yes or confirmed(output, question)):
            raise Failure(ExitStatus.NO, "Canceled. No stack was changed.")
    if dry_run:
        discard(client, change_set)
        kept = f" {place.name} keeps the uploaded template." if uploaded else ""
        _report(output, existing, change_set.changes, f"Dry run: no stack was changed.{kept}")
        return
    if existing:
        _protect(client, change_set.stack_id, release)
    done = _execute(client, output, change_set, operation)
    _protect(client, change_set.stack_id, release)
    _report(output, done, change_set.changes, f"The stack {stack!r} is {done.status}.")
    if not as_json:
        _show_next(output, done, region)


def _show_plan(output: Output, release: Release, bucket: Bucket) -> None:
    """Show what a deployment would do, as far as that is known without a bucket."""
    resources = [
        Change(action="Add", logical_id=name, kind=kind, replacement="", properties=())
        for name, kind in sorted(release.resources.items())
    ]
    if not output.as_json:
        _show(output, resources)
    output.note(
        f"A deployment would create the bucket {bucket.name} and upload"
        f" {counted(len(release.archives) + 1, 'file', 'files')} to it."
    )
    text = (
        "Dry run: nothing was created. Without a bucket, CloudFormation could not check the"
        " template, and SAM's own resources are not in this list."
    )
    _report(output, None, resources, text)


def _given(release: Release, file: Path | None, pairs: Iterable[str]) -> Mapping[str, str]:
    """Return the parameters of the file and of the command line, which come before the file's.

    Raises:
        Failure: one is malformed, or the template has no such parameter.
    """
    given = _read(file) if file is not None else {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            message = f"--parameter {pair!r} is malformed."
            raise Failure(ExitStatus.USAGE, message, "Use --parameter NAME=VALUE.")
        given[name] = value
    for name in given:
        if name not in release.parameters:
            similar = difflib.get_close_matches(name, release.parameters, 1)
            advice = (
                f"Did you mean {similar[0]}?"
                if similar
                else "docs/reference/parameters.md lists them."
            )
            raise Failure(ExitStatus.USAGE, f"There is no parameter {name!r}.", advice)
    return given


def _read(file: Path) -> dict[str, str]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Failure(ExitStatus.USAGE, f"Cannot read {file}: {error.strerror}.") from None
    except ValueError as error:
        raise Failure(ExitStatus.USAGE, f"{file} does not contain TOML: {error}.") from None
    return {name: _text(file, name, value) for name, value in found.items()}


def _text(file: Path, name: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case _:
            message = f"{file}: {name} must be a string, an integer or a Boolean."
            raise Failure(ExitStatus.USAGE, message)


def _parameters(
    release: Release, given: Mapping[str, str], existing: Stack | None, bucket: str
) -> Sequence[Mapping[str, object]]:
    kept = existing.parameters if existing else {}
    values = {**given, BUCKET_PARAMETER: bucket}
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in values.items()),
        *(
            {"ParameterKey": name, "UsePreviousValue": True}
            for name in sorted(release.parameters & kept.keys() - values.keys())
        ),
    ]


def _show(output: Output, changes: Sequence[Change]) -> None:
    rows = [(one.effect, one.logical_id, ", ".join(one.properties)) for one in changes]
    output.table(("Action", "Resource", "Changed"), rows)


def _refuse_loss(change_set: ChangeSet, template_url: str) -> None:
    """Refuse a change set that may replace or remove a table or the KMS key.

    Raises:
        Failure: it may.
    """
    lost = [change.logical_id for change in change_set.changes if change.loses_data]
    if lost:
        message = f"This change may replace or remove {', '.join(lost)}. Nothing was changed."
        advice = (
            "Check the parameters that you changed. To make the change on purpose, such as for a"
            " restore (docs/how-to/restore.md), create the change set yourself with `aws"
            f" cloudformation create-change-set --template-url {template_url}`."
        )
        raise Failure(ExitStatus.NOT_DONE, message, advice)


def _protect(client: Any, stack_id: str, release: Release) -> None:  # noqa: ANN401 - botocore ships no types
    """Set the release's stack policy, unless the stack has one."""
    with told_failures():
        if not client.get_stack_policy(StackName=stack_id).get("StackPolicyBody"):
            client.set_stack_policy(StackName=stack_id, StackPolicyBody=release.stack_policy)


def _execute(
    client: Any,  # noqa: ANN401 - see above
    output: Output,
    change_set: ChangeSet,
    operation: Operation,
) -> Stack:
    total, ended = len(change_set.changes), set[str]()
    known = events_of(client, change_set.stack_id)
    with output.progress("Deploying") as tell:

        def told(event: Event) -> None:
            if event.status.endswith(("_COMPLETE", "_FAILED")):
                ended.add(event.logical_id)
                output.note(f"{event.status}  {event.logical_id}  {event.reason}".rstrip())
            tell(f"{min(len(ended), total)} of {total}: {event.logical_id} {event.status}")

        with told_failures():
            client.execute_change_set(ChangeSetName=change_set.arn)
        with told_interrupt(client, change_set.stack_name, operation):
            stack, events = follow(client, change_set.stack_id, known, told)
    if stack.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise failure_of(stack, events, _AGAIN)
    return stack


def _report(output: Output, stack: Stack | None, changes: Sequence[Change], text: str) -> None:
    outputs = stack.outputs if stack else {}
    if output.as_json:
        output.json(
            {
                "status": stack.status if stack else None,
                "changes": [
                    {
                        "action": one.action,
                        "replacement": one.replacement,
                        "resource": one.logical_id,
                        "type": one.kind,
                        "changed": list(one.properties),
                    }
                    for one in changes
                ],
                "outputs": dict(outputs),
            }
        )
        return
    output.line()
    output.line(text)
    output.facts(outputs)


def _show_next(output: Output, stack: Stack, region: str | None) -> None:
    """Show the next two commands, with the region if it was given."""
    start = f"AWS_REGION={region} keyscope" if region else "keyscope"
    name = shlex.quote(stack.name)
    output.line()
    output.line("Next:")
    output.line(
        f'  {start} account create "Example Bakery" --stack {name} --secret-file account.json'
    )
    output.line(f"  {start} doctor --stack {name}")
