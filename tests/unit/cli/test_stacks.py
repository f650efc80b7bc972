"""Change sets and events as CloudFormation's API reference has them: recorded, not emulated.

moto is no judge of replacement, of failures, or of operations that take time. botocore checks each
answer against its description of CloudFormation.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

import pytest
from botocore.session import get_session
from botocore.stub import ANY, Stubber

from keyscope_cli.failures import Failure
from keyscope_cli.stacks.change_set import (
    POLL_SECONDS,
    Change,
    ChangeSet,
    create_change_set,
    discard,
)
from keyscope_cli.stacks.stack import (
    Event,
    Stack,
    failure_of,
    find_stack,
    first_failure,
    follow,
    stack_to_update,
)

STACK: Final = "arn:aws:cloudformation:eu-west-1:123456789012:stack/keyscope/1"
CHANGE_SET: Final = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/keyscope/1"
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST: Final = {"StackName": "keyscope", "TemplateURL": "https://x", "Parameters": []}


class CloudFormation:
    """A client with recorded answers, and the pauses that were made between the requests."""

    def __init__(self) -> None:
        self.client = cast(
            "Any",
            get_session().create_client(
                "cloudformation",
                region_name="eu-west-1",
                aws_access_key_id="x",
                aws_secret_access_key="x",
            ),
        )
        self.stubber = Stubber(self.client)
        self.pauses: list[float] = []

    def answers(self, operation: str, answer: Mapping[str, object], **request: object) -> None:
        self.stubber.add_response(operation, answer, request or None)

    def refuses(self, operation: str, code: str, message: str) -> None:
        self.stubber.add_client_error(operation, code, message)

    def is_described(self, status: str, **members: object) -> None:
        stack = {
            "StackName": "keyscope",
            "StackId": STACK,
            "CreationTime": NOW,
            "StackStatus": status,
            "Description": "Keyscope: API keys",
            **members,
        }
        self.answers("describe_stacks", {"Stacks": [stack]})

    def has_events(self, *events: Event) -> None:
        """Answer with the events, which are in the order in which they happened."""
        found = [
            {
                "StackId": STACK,
                "EventId": event.id,
                "StackName": "keyscope",
                "LogicalResourceId": event.logical_id,
                "ResourceType": event.kind,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
                "Timestamp": NOW,
            }
            for event in reversed(events)
        ]
        self.answers("describe_stack_events", {"StackEvents": found})

    def changes(self, *changes: Mapping[str, object], status: str = "CREATE_COMPLETE") -> None:
        described = {
            "ChangeSetId": CHANGE_SET,
            "Status": status,
            "Changes": [{"Type": "Resource", "ResourceChange": change} for change in changes],
        }
        self.answers("describe_change_set", described)


@pytest.fixture
def aws() -> Iterator[CloudFormation]:
    formation = CloudFormation()
    with formation.stubber:
        yield formation
        formation.stubber.assert_no_pending_responses()


def changed(kind: str, action: str, replacement: str = "") -> Mapping[str, object]:
    named = {"Action": action, "LogicalResourceId": "It", "ResourceType": kind}
    return {**named, "Replacement": replacement} if replacement else named


def asked(aws: CloudFormation, *, is_new: bool = False) -> ChangeSet | None:
    return create_change_set(
        aws.client, REQUEST, is_new=is_new, makes_stack=is_new, pause=aws.pauses.append
    )


def to_update(aws: CloudFormation) -> Stack | None:
    return stack_to_update(aws.client, find_stack(aws.client, "keyscope"))


def created(aws: CloudFormation, *changes: Mapping[str, object]) -> Sequence[Change]:
    aws.answers("create_change_set", {"Id": CHANGE_SET, "StackId": STACK})
    aws.changes(*changes)
    change_set = asked(aws)
    assert change_set is not None
    return change_set.changes


@pytest.mark.parametrize(
    ("action", "replacement", "effect"),
    [
        ("Add", "", "Add"),
        ("Remove", "", "Remove"),
        ("Modify", "False", "Modify"),
        ("Modify", "True", "Replace"),
        ("Modify", "Conditional", "May replace"),
    ],
)
def test_a_modification_that_replaces_says_so(action: str, replacement: str, effect: str) -> None:
    assert Change(action, "It", "AWS::SQS::Queue", replacement, ()).effect == effect


TABLE, GLOBAL, KEY = "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::KMS::Key"


def test_replacing_or_removing_a_table_or_a_key_loses_data(aws: CloudFormation) -> None:
    lost = [
        changed(kind, action, replacement)
        for kind in (TABLE, GLOBAL, KEY)
        for action, replacement in (
            ("Modify", "True"),
            ("Modify", "Conditional"),
            ("Remove", ""),
            ("Dynamic", ""),
        )
    ]
    assert {change.loses_data for change in created(aws, *lost)} == {True}


def test_other_changes_lose_no_data(aws: CloudFormation) -> None:
    kept = [
        *(changed(kind, "Modify", "False") for kind in (TABLE, GLOBAL, KEY)),
        *(changed(kind, "Add") for kind in (TABLE, GLOBAL, KEY)),
        changed("AWS::Lambda::LayerVersion", "Modify", "True"),
        changed("AWS::Lambda::Version", "Remove"),
    ]
    assert {change.loses_data for change in created(aws, *kept)} == {False}


def test_a_change_names_what_it_changes(aws: CloudFormation) -> None:
    details = [
        {"Target": {"Attribute": "Properties", "Name": "Timeout"}},
        {"Target": {"Attribute": "Properties", "Name": "Code"}},
        {"Target": {"Attribute": "Tags"}},
    ]
    change = {**changed("AWS::Lambda::Function", "Modify", "False"), "Details": details}
    (found,) = created(aws, change)
    assert found.properties == ("Code", "Tags", "Timeout")


def test_a_change_set_of_several_pages_is_read_whole(aws: CloudFormation) -> None:
    aws.answers("create_change_set", {"Id": CHANGE_SET, "StackId": STACK})
    first = {"Type": "Resource", "ResourceChange": changed("AWS::SQS::Queue", "Add")}
    described = {"ChangeSetId": CHANGE_SET, "Status": "CREATE_COMPLETE", "Changes": [first]}
    aws.answers("describe_change_set", {**described, "NextToken": "2"}, ChangeSetName=CHANGE_SET)
    lost = {"Type": "Resource", "ResourceChange": changed(KEY, "Remove")}
    aws.answers(
        "describe_change_set",
        {**described, "Changes": [lost]},
        ChangeSetName=CHANGE_SET,
        NextToken="2",
    )
    change_set = asked(aws)
    assert change_set is not None
    assert [change.loses_data for change in change_set.changes] == [False, True]


def test_a_change_set_is_awaited(aws: CloudFormation) -> None:
    aws.answers(
        "create_change_set",
        {"Id": CHANGE_SET, "StackId": STACK},
        **REQUEST,
        ChangeSetName=ANY,
        ChangeSetType="CREATE",
        Capabilities=["CAPABILITY_IAM"],
    )
    aws.changes(status="CREATE_PENDING")
    aws.changes(status="CREATE_IN_PROGRESS")
    aws.changes()
    assert asked(aws, is_new=True)
    assert aws.pauses == [POLL_SECONDS, POLL_SECONDS]


def fails(aws: CloudFormation, reason: str) -> None:
    aws.answers("create_change_set", {"Id": CHANGE_SET, "StackId": STACK})
    failed = {"ChangeSetId": CHANGE_SET, "Status": "FAILED", "StatusReason": reason, "Changes": []}
    aws.answers("describe_change_set", failed)
    aws.answers("delete_change_set", {}, ChangeSetName=CHANGE_SET)


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes.",
        "No updates are to be performed.",
    ],
)
def test_a_change_set_without_changes_is_none(reason: str, aws: CloudFormation) -> None:
    fails(aws, reason)
    assert asked(aws) is None


def test_a_change_set_that_fails_says_why_and_leaves_nothing(aws: CloudFormation) -> None:
    fails(aws, "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application")
    aws.answers("delete_stack", {}, StackName=STACK)
    with pytest.raises(Failure, match="Invalid Serverless Application"):
        asked(aws, is_new=True)


def test_a_change_set_leaves_a_stack_without_resources_that_was_there_before(
    aws: CloudFormation,
) -> None:
    aws.answers("delete_change_set", {}, ChangeSetName=CHANGE_SET)
    # Another request would find no recorded answer.
    discard(aws.client, ChangeSet(CHANGE_SET, STACK, (), made_stack=False))


def test_a_change_set_whose_wait_is_interrupted_leaves_nothing(aws: CloudFormation) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    aws.answers("create_change_set", {"Id": CHANGE_SET, "StackId": STACK})
    aws.changes(status="CREATE_IN_PROGRESS")
    aws.answers("delete_change_set", {}, ChangeSetName=CHANGE_SET)
    aws.answers("delete_stack", {}, StackName=STACK)
    with pytest.raises(KeyboardInterrupt):
        create_change_set(aws.client, REQUEST, is_new=True, makes_stack=True, pause=interrupt)


def test_a_parameter_that_breaks_its_pattern_is_told(aws: CloudFormation) -> None:
    message = "Parameter 'StageName' must match pattern [A-Za-z0-9_-]+"
    aws.refuses("create_change_set", "ValidationError", message)
    with pytest.raises(Failure, match="StageName"):
        asked(aws, is_new=True)


def event(number: int, name: str, status: str, reason: str = "") -> Event:
    return Event(f"event-{number}", name, "", "AWS::SQS::Queue", status, reason)


CANCELED: Final = event(
    3,
    "Other",
    "CREATE_FAILED",
    "Resource creation cancelled",  # codespell:ignore
)
CAUSE: Final = event(2, "Queue", "CREATE_FAILED", "Too many queues")


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"]
)
def test_a_stack_that_was_not_created_is_explained(status: str, aws: CloudFormation) -> None:
    aws.is_described(status)
    aws.has_events(event(1, "Queue", "CREATE_IN_PROGRESS"), CAUSE, CANCELED)
    with pytest.raises(Failure) as refused:
        to_update(aws)
    assert status in refused.value.message
    assert refused.value.advice == (
        "Queue (AWS::SQS::Queue) failed first: Too many queues."
        " Run `keyscope destroy --stack keyscope`, then deploy again."
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("UPDATE_IN_PROGRESS", "Wait until it finishes"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "Wait until it finishes"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name keyscope"),
        ("UPDATE_FAILED", "rollback-stack --stack-name keyscope"),
    ],
)
def test_a_stack_that_takes_no_update_is_explained(
    status: str, told: str, aws: CloudFormation
) -> None:
    aws.is_described(status)
    with pytest.raises(Failure) as refused:
        to_update(aws)
    assert told in refused.value.advice


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"]
)
def test_a_whole_stack_is_updated(status: str, aws: CloudFormation) -> None:
    aws.is_described(status)
    stack = to_update(aws)
    assert stack is not None
    assert stack.status == status


def test_a_stack_that_is_not_there_or_empty_is_created(aws: CloudFormation) -> None:
    aws.refuses("describe_stacks", "ValidationError", "Stack with id keyscope does not exist")
    assert to_update(aws) is None
    aws.is_described("REVIEW_IN_PROGRESS")
    assert to_update(aws) is None


def test_what_the_credentials_may_not_see_is_not_taken_for_missing(aws: CloudFormation) -> None:
    aws.refuses("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(Failure, match="AccessDenied"):
        to_update(aws)


def test_an_operation_is_followed_until_it_ends_and_each_event_is_told_once(
    aws: CloudFormation,
) -> None:
    before, started = event(0, "Queue", "CREATE_COMPLETE"), event(1, "Queue", "UPDATE_IN_PROGRESS")
    done = event(2, "Queue", "UPDATE_COMPLETE")
    aws.is_described("UPDATE_IN_PROGRESS")
    aws.has_events(before, started)
    aws.is_described("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    aws.has_events(before, started, done)
    aws.is_described("UPDATE_COMPLETE", Outputs=[{"OutputKey": "Url", "OutputValue": "x"}])
    aws.has_events(before, started, done)
    told: list[Event] = []
    stack, events = follow(aws.client, STACK, [before], told.append, aws.pauses.append)
    assert (told, list(events)) == ([started, done], [started, done])
    assert (stack.status, stack.outputs) == ("UPDATE_COMPLETE", {"Url": "x"})
    assert aws.pauses == [POLL_SECONDS, POLL_SECONDS]


def test_a_failure_is_explained_by_the_first_resource_that_failed() -> None:
    events = [
        event(1, "Queue", "CREATE_IN_PROGRESS"),
        CANCELED,
        CAUSE,
        event(4, "Last", "CREATE_FAILED"),
    ]
    stack = Stack(STACK, "keyscope", "ROLLBACK_COMPLETE", "", {}, {}, is_protected=False)
    assert first_failure(events) == CAUSE
    assert failure_of(stack, events, "").message == (
        "The stack 'keyscope' is ROLLBACK_COMPLETE. Queue (AWS::SQS::Queue) failed first: Too many"
        " queues."
    )
