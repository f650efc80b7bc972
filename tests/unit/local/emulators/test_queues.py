"""The template's queues at the embedded AWS."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol, cast

import pytest

from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.queues import create_queues, empty_queues, queue_url_of
from keyscope_local.emulators.tables import local_client
from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import Stack, load_stack, physical_id_of

TEMPLATE: Final = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Letters:
    Type: AWS::SQS::Queue
    Properties:
      SqsManagedSseEnabled: true
      VisibilityTimeout: 7
      MessageRetentionPeriod: 3600
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Undeliverable.Arn, maxReceiveCount: 3}
  Undeliverable: {Type: "AWS::SQS::Queue", Properties: {QueueName: undeliverable}}
"""


class _Sqs(Protocol):
    def send_message(self, **request: object) -> object: ...

    def get_queue_attributes(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    return load_stack(path)


@pytest.fixture
def aws(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as aws:
        yield aws


@pytest.fixture
def sqs(aws: EmbeddedAws) -> _Sqs:
    return cast("_Sqs", local_client("sqs", aws.endpoint_url))


def attributes_of(stack: Stack, sqs: _Sqs, queue: str = "Letters") -> Mapping[str, str]:
    url = physical_id_of(stack, queue)
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_a_queue_has_the_templates_times_and_dead_letter_queue(stack: Stack, sqs: _Sqs) -> None:
    attributes = attributes_of(stack, sqs)
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == ("7", "3600")
    assert '"maxReceiveCount": 3' in attributes["RedrivePolicy"]
    assert attributes_of(stack, sqs, "Undeliverable")["QueueArn"].endswith(":undeliverable")


def test_queues_that_are_there_are_left_as_they_are(
    stack: Stack, aws: EmbeddedAws, sqs: _Sqs
) -> None:
    sqs.send_message(QueueUrl=physical_id_of(stack, "Letters"), MessageBody="text")
    create_queues(stack, aws.endpoint_url)
    assert attributes_of(stack, sqs)["ApproximateNumberOfMessages"] == "1"


def test_emptied_queues_hold_no_message_not_even_a_delayed_one(
    stack: Stack, aws: EmbeddedAws, sqs: _Sqs
) -> None:
    for delay in (0, 900):
        url = physical_id_of(stack, "Letters")
        sqs.send_message(QueueUrl=url, MessageBody="text", DelaySeconds=delay)
    empty_queues(stack, aws.endpoint_url)
    attributes = attributes_of(stack, sqs)
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "0"


def test_queues_can_be_emptied_again_at_once(stack: Stack, aws: EmbeddedAws) -> None:
    empty_queues(stack, aws.endpoint_url)
    empty_queues(stack, aws.endpoint_url)


@pytest.mark.parametrize(
    ("name", "queue"), [("undeliverable", "Undeliverable"), ("keyscope-local-Letters", "Letters")]
)
def test_a_queue_is_found_by_its_arn(name: str, queue: str, stack: Stack) -> None:
    arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    assert queue_url_of(stack, arn) == physical_id_of(stack, queue)


def test_an_arn_of_no_queue_of_the_stack_is_refused(stack: Stack) -> None:
    with pytest.raises(TemplateError, match="is not a queue of the stack"):
        queue_url_of(stack, "arn:aws:sqs:us-east-1:123456789012:other")
