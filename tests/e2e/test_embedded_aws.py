"""The embedded AWS, reached over HTTP as a function reaches it."""

import gc
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

import httpx
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import Item

from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.tables import local_client
from keyscope_local.invoke import provisioning_environment
from keyscope_local.template.stack import Stack, physical_id_of
from keyscope_local.tour.events import EVENTS, main
from tests.support import plain_http
from tests.support.stacks import stack_of


class _Kms(Protocol):
    def encrypt(self, **request: object) -> Mapping[str, bytes]: ...

    def decrypt(self, **request: object) -> Mapping[str, bytes]: ...


class _Tables(Protocol):
    def list_tables(self) -> Mapping[str, list[str]]: ...

    def put_item(self, **request: object) -> object: ...

    def scan(self, **request: object) -> object: ...

    def get_item(self, **request: object) -> Mapping[str, object]: ...

    def transact_write_items(self, **request: object) -> object: ...


class _Queues(Protocol):
    def get_queue_attributes(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...


@pytest.fixture(scope="module")
def stack() -> Stack:
    return stack_of()


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as running:
        yield running


@pytest.fixture(scope="module")
def kms(aws: EmbeddedAws) -> _Kms:
    return cast("_Kms", local_client("kms", aws.endpoint_url))


def table_names(endpoint_url: str) -> set[str]:
    tables = cast("_Tables", local_client("dynamodb", endpoint_url))
    return set(tables.list_tables()["TableNames"])


def expected_names(stack: Stack) -> set[str]:
    return {
        physical_id_of(stack, name)
        for name, resource in stack.resources.items()
        if str(resource["Type"]).startswith("AWS::DynamoDB::")
    }


def test_it_listens_on_the_loopback_address_only(aws: EmbeddedAws) -> None:
    assert aws.endpoint_url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "page.example"}, id="a name that leads here"),
        pytest.param({"Host": "page.example:80"}, id="such a name with a port"),
        pytest.param({"Origin": "https://page.example"}, id="a page's own origin"),
        pytest.param({"Origin": "null"}, id="a page in a sandbox"),
        pytest.param({"Origin": "http://127.0.0.1:3000"}, id="a page of this machine"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="an image in a page"),
    ],
)
def test_it_answers_no_page_in_a_browser(aws: EmbeddedAws, headers: dict[str, str]) -> None:
    before = table_names(aws.endpoint_url)
    url = f"{aws.endpoint_url}/moto-api/data.json"
    assert plain_http.get(url).status_code == 200
    assert plain_http.get(url, headers=headers).status_code == 403
    reset = plain_http.post(f"{aws.endpoint_url}/moto-api/reset", headers=headers)
    assert reset.status_code == 403
    assert table_names(aws.endpoint_url) == before


def test_it_has_the_templates_tables(stack: Stack, aws: EmbeddedAws) -> None:
    assert table_names(aws.endpoint_url) == expected_names(stack)


def test_it_has_the_templates_queues_where_their_references_lead(
    stack: Stack, aws: EmbeddedAws
) -> None:
    sqs = cast("_Queues", local_client("sqs", aws.endpoint_url))
    url = physical_id_of(stack, "FlushQueue")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["QueueArn"].endswith(":keyscope-local-FlushQueue")
    assert "keyscope-local-FlushDeadLetterQueue" in attributes["RedrivePolicy"]
    assert attributes["VisibilityTimeout"] == "151"


def test_its_key_opens_what_it_sealed(aws: EmbeddedAws, kms: _Kms) -> None:
    context = {"keyId": "app_1"}
    sealed = kms.encrypt(KeyId=aws.kms_key_arn, Plaintext=b"secret", EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == b"secret"


def test_its_key_opens_nothing_under_another_context(aws: EmbeddedAws, kms: _Kms) -> None:
    sealed = kms.encrypt(
        KeyId=aws.kms_key_arn, Plaintext=b"secret", EncryptionContext={"keyId": "app_1"}
    )
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"keyId": "app_2"})


def test_the_environment_replaces_the_templates_own_key_and_endpoints(aws: EmbeddedAws) -> None:
    assert dict(aws.environment) == {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB": aws.endpoint_url,
        "KEYSCOPE_KMS_KEY_ARN": aws.kms_key_arn,
    }


def test_it_is_gone_when_its_context_ends(stack: Stack) -> None:
    with embedded_aws(stack) as running:
        pass
    with pytest.raises(httpx.ConnectError):
        plain_http.get(running.endpoint_url)


def test_one_that_ends_leaves_another_its_tables(stack: Stack, aws: EmbeddedAws) -> None:
    with embedded_aws(stack):
        pass
    assert table_names(aws.endpoint_url) == expected_names(stack)


def test_the_events_are_written_for_a_running_store(
    stack: Stack, aws: EmbeddedAws, tmp_path: Path
) -> None:
    environment = dict(provisioning_environment(stack, aws))
    session, output = tmp_path / "session.json", tmp_path / "events"
    session.write_text(json.dumps({"environment": environment}))
    assert main(["--output", str(output), "--session", str(session)]) == 0
    assert json.loads((output / "environment.json").read_text()) == environment
    assert {path.name for path in output.iterdir()} == {
        "environment.json",
        *(sample.file_name for sample in EVENTS),
    }


def test_the_written_events_can_be_read_by_their_owner_only(
    stack: Stack, aws: EmbeddedAws, tmp_path: Path
) -> None:
    session, output = tmp_path / "session.json", tmp_path / "events"
    environment = dict(provisioning_environment(stack, aws))
    session.write_text(json.dumps({"environment": environment}))
    main(["--output", str(output), "--session", str(session)])
    assert {path.stat().st_mode & 0o777 for path in output.iterdir()} == {0o600}
    assert output.stat().st_mode & 0o777 == 0o700


def test_without_a_run_the_events_are_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "events"
    assert main(["--output", str(output), "--session", str(tmp_path / "none.json")]) == 2
    assert "keyscope up" in capsys.readouterr().err
    assert not output.exists()


def items_in_memory() -> int:
    gc.collect()
    return sum(type(each) is Item for each in gc.get_objects())


def test_what_was_read_is_not_kept(stack: Stack, aws: EmbeddedAws) -> None:
    tables = cast("_Tables", local_client("dynamodb", aws.endpoint_url))
    name = physical_id_of(stack, "KeysTable")
    tables.put_item(TableName=name, Item={"key_id": {"S": "app_1"}})
    before = items_in_memory()
    for _ in range(10):
        tables.scan(TableName=name)
    assert items_in_memory() == before


def test_a_transaction_that_fails_changes_nothing(stack: Stack, aws: EmbeddedAws) -> None:
    tables = cast("_Tables", local_client("dynamodb", aws.endpoint_url))
    name = physical_id_of(stack, "KeysTable")
    key = {"key_id": {"S": "app_kept"}}
    item = {**key, "calls": {"N": "1"}, "limits": {"M": {"hosts": {"L": [{"S": "a"}]}}}}
    tables.put_item(TableName=name, Item=item)
    change = {
        "TableName": name,
        "Key": key,
        "UpdateExpression": "SET calls = :two, limits.hosts[0] = :b REMOVE owner_id",
        "ExpressionAttributeValues": {":two": {"N": "2"}, ":b": {"S": "b"}},
    }
    missing = {
        "TableName": name,
        "Key": {"key_id": {"S": "app_missing"}},
        "ConditionExpression": "attribute_exists(key_id)",
    }
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        tables.transact_write_items(TransactItems=[{"Update": change}, {"ConditionCheck": missing}])
    assert tables.get_item(TableName=name, Key=key)["Item"] == item
