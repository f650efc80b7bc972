from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest

from keyscope.aws.clients import dynamodb_client, kms_client
from keyscope.aws.dynamodb.key_writes import record_key


class Sent(Exception):  # noqa: N818 - a state
    """A request that is about to leave."""


def user_agent_of(client: Any, call: Callable[[Any], object]) -> bytes:  # noqa: ANN401 - untyped
    """Return the name that a call is made in; Powertools, where it is loaded, adds its own."""
    agents: list[Any] = []

    def stop(request: AWSPreparedRequest, **_: object) -> None:
        agents.append(request.headers["User-Agent"])
        raise Sent

    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent):
        call(client)
    return bytes(agents[0]).partition(b" PT")[0]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_the_calls_for_key_records_are_made_in_one_name() -> None:
    key = record_key("app_1")
    agent = user_agent_of(dynamodb_client(), lambda c: c.get_item(TableName="keys", Key=key))
    assert agent == b"keyscope"


def test_the_calls_for_secrets_are_made_in_one_name() -> None:
    agent = user_agent_of(kms_client(), lambda c: c.decrypt(KeyId="key", CiphertextBlob=b"sealed"))
    assert agent == b"keyscope"
