"""What both clients of the authorizers promise, whichever a setting chooses."""

import os
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from keyscope.aws.botocore_reader import BotocoreReader
from keyscope.aws.calls import AwsReader, CallError, HeldUpByOthers, NoAnswer, error_code
from keyscope.aws.deadline import DeadlinePassed, Deadlines
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.aws.lean.client import LeanClient
from keyscope.aws.reader import aws_reader
from keyscope.errors import Reason, Unavailable
from tests.support.builders import MadeKey, make_key, rotated
from tests.support.faulty_aws import (
    Fault,
    FaultyAws,
    answering,
    cutting_off,
    dripping_body,
    dripping_for,
    failing,
    faulty_aws,
    json_reply,
    once,
    raw_reply,
    resetting,
    well,
)

# What botocore leaves is closed by the garbage collector, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

KEY: Final = make_key()
ROTATED: Final = rotated(make_key(), ends_at=4_000_000_000)
CALL_SECONDS: Final = 1.5


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    with faulty_aws(KEY, ROTATED) as services:
        for name, value in services.environment.items():
            monkeypatch.setenv(name, value)
        yield services


def by_botocore(deadlines: Deadlines) -> AwsReader:
    return BotocoreReader(deadlines)


def lean(deadlines: Deadlines) -> AwsReader:
    return LeanClient(os.environ, deadlines)


@pytest.fixture(params=[lean, by_botocore], ids=["lean", "botocore"])
def reader(aws: FaultyAws, request: pytest.FixtureRequest) -> Iterator[AwsReader]:  # noqa: ARG001 - its environment
    make: Callable[[Deadlines], AwsReader] = request.param
    made = make(Deadlines(call_seconds=CALL_SECONDS))
    yield made
    made.close()


def get(reader: AwsReader, made: MadeKey) -> dict[str, object]:
    return reader.get_item(
        TableName="keys", Key={"key_id": {"S": made.key_id}}, ConsistentRead=True
    )


def opened(reader: AwsReader, made: MadeKey) -> str:
    return SecretOpeningBox(lambda: reader, "arn", 9).open(made.record).secret


def test_a_record_is_read_as_it_is_stored(reader: AwsReader) -> None:
    for made in (KEY, ROTATED):
        assert KeyTable(reader, "keys").get(made.key_id).record == made.record


def test_an_item_that_does_not_exist_is_empty(reader: AwsReader) -> None:
    assert get(reader, make_key()).get("Item") is None


def test_a_secret_is_decrypted(reader: AwsReader) -> None:
    assert opened(reader, KEY) == KEY.secret


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (failing("AccessDeniedException"), "AccessDeniedException"),
        (failing("ThrottlingException"), "ThrottlingException"),
        (answering(raw_reply(b"<html>", 502)), "502"),
        (answering(raw_reply(b"<html>")), "UnreadableAnswer"),
        (answering(json_reply({"message": "Sorry"})), "UnreadableAnswer"),
    ],
)
def test_an_error_is_told_by_the_same_code(
    fault: Fault, code: str, aws: FaultyAws, reader: AwsReader
) -> None:
    aws.dynamodb.fault = fault
    with pytest.raises(Exception) as failed:  # noqa: PT011 - botocore's own, for AWS's errors
        get(reader, KEY)
    assert error_code(failed.value) == code
    assert not isinstance(failed.value, NoAnswer | HeldUpByOthers)


def test_a_connection_that_breaks_is_no_answer(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.fault = resetting
    with pytest.raises(NoAnswer):
        get(reader, KEY)


def test_an_answer_that_is_cut_off_is_unavailable(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.fault = cutting_off
    with pytest.raises(Unavailable) as unavailable:
        KeyTable(reader, "keys").get(KEY.key_id)
    assert unavailable.value.reason is Reason.KEY_STORE_UNAVAILABLE


def test_a_port_that_nothing_listens_at_is_no_answer(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.refuse()
    with pytest.raises(NoAnswer, match="EndpointConnectionError"):
        get(reader, KEY)


def test_a_call_that_drags_on_is_given_up(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.fault = dripping_for(CALL_SECONDS + 1)
    with pytest.raises(DeadlinePassed):
        get(reader, KEY)


def test_a_call_that_fails_once_is_made_again(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.fault = once(failing("InternalServerError", 500))
    aws.kms.fault = once(resetting)
    assert get(reader, KEY)["Item"]
    assert opened(reader, KEY) == KEY.secret


def test_after_a_fault_the_next_call_is_answered(aws: FaultyAws, reader: AwsReader) -> None:
    aws.dynamodb.fault = dripping_body
    with pytest.raises(CallError):
        get(reader, KEY)
    aws.dynamodb.fault = well
    assert get(reader, KEY)["Item"]


def test_connections_that_were_closed_are_opened_again(aws: FaultyAws, reader: AwsReader) -> None:
    assert get(reader, KEY)["Item"]
    reader.close()
    assert get(reader, KEY)["Item"]
    aws.dynamodb.hang_up()
    assert get(reader, KEY)["Item"]


def test_a_ciphertext_of_another_key_is_damage(reader: AwsReader) -> None:
    other = KEY.record.secret_ciphertext
    with pytest.raises(Exception, match="InvalidCiphertextException") as failed:
        reader.decrypt(
            KeyId="arn", CiphertextBlob=other, EncryptionContext={"keyId": ROTATED.key_id}
        )
    assert error_code(failed.value) == "InvalidCiphertextException"


def test_the_lean_client_is_chosen_and_nothing_told(aws: FaultyAws) -> None:
    del aws
    told: list[str] = []
    assert isinstance(aws_reader(Deadlines(), told.append), LeanClient)
    assert told == []


@pytest.mark.parametrize(
    ("variables", "asked", "setting"),
    [
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, False, "AWS_USE_FIPS_ENDPOINT"),
        ({"HTTPS_PROXY": "http://proxy.example"}, False, "HTTPS_PROXY"),
        ({"AWS_ACCESS_KEY_ID": ""}, False, "AWS_ACCESS_KEY_ID"),
        ({}, True, "AwsClient"),
    ],
)
def test_botocore_is_chosen_for_a_setting_which_is_told(
    variables: dict[str, str],
    asked: bool,  # noqa: FBT001
    setting: str,
    aws: FaultyAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del aws
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []
    assert isinstance(aws_reader(Deadlines(), told.append, botocore=asked), BotocoreReader)
    assert told == [setting]
