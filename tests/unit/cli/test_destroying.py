"""`keyscope destroy` and `keyscope deploy` where CloudFormation's recorded answer is no."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from botocore.session import Session

from keyscope_cli.stacks.stack import follow
from tests.support.cli import keyscope
from tests.unit.cli.test_stacks import STACK, CloudFormation, event


@pytest.fixture
def aws() -> Iterator[CloudFormation]:
    formation = CloudFormation()
    with formation.stubber, patch.object(Session, "create_client", return_value=formation.client):
        yield formation
        formation.stubber.assert_no_pending_responses()


def test_a_protected_stack_is_not_deleted(aws: CloudFormation) -> None:
    aws.is_described("CREATE_COMPLETE", EnableTerminationProtection=True)
    done = keyscope("destroy", "--yes")
    assert (done.status, "--no-enable-termination-protection" in done.err) == (4, True)


def test_a_busy_stack_is_not_deleted(aws: CloudFormation) -> None:
    aws.is_described("UPDATE_IN_PROGRESS")
    done = keyscope("destroy", "--yes")
    assert (done.status, "Another operation on the stack" in done.err) == (4, True)


def test_a_failed_deletion_is_explained_by_the_first_resource_that_failed(
    aws: CloudFormation,
) -> None:
    aws.is_described("CREATE_COMPLETE")
    aws.answers("get_template", {"TemplateBody": '{"Resources": {}}'})
    aws.answers("list_stack_resources", {"StackResourceSummaries": []})
    aws.has_events()
    aws.answers("delete_stack", {}, StackName=STACK)
    aws.is_described("DELETE_FAILED")
    aws.has_events(event(1, "keyscope", "DELETE_FAILED", "Export in use by shop"))
    done = keyscope("destroy", "--yes")
    assert (done.status, "Export in use by shop" in done.err) == (4, True)
    assert "detach it from the authorizer first" in done.err


def deletion(aws: CloudFormation, **request: str) -> None:
    aws.is_described("CREATE_COMPLETE")
    aws.answers("get_template", {"TemplateBody": '{"Resources": {}}'})
    aws.answers("list_stack_resources", {"StackResourceSummaries": []})
    aws.has_events()
    aws.answers("delete_stack", {}, StackName=STACK, **request)


def test_a_deletion_uses_the_role_that_is_given(aws: CloudFormation) -> None:
    role = "arn:aws:iam::123456789012:role/deployer"
    deletion(aws, RoleARN=role)
    aws.is_described("DELETE_COMPLETE")
    aws.has_events()
    assert keyscope("destroy", "--yes", "--role-arn", role).status == 0


def test_an_interrupted_deletion_says_that_cloudformation_continues(
    aws: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletion(aws)
    aws.is_described("DELETE_IN_PROGRESS")
    aws.has_events()
    monkeypatch.setattr(follow, "__defaults__", (interrupt,))
    done = keyscope("destroy", "--yes")
    assert done.status == 130
    assert "Interrupted. CloudFormation still works on the stack 'keyscope'." in done.err
    assert "A deletion cannot be canceled" in done.err


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt
