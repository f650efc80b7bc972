"""The harness itself: DynamoDB Local, and the template's tables on both stores."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, cast

import httpx
import pytest
from botocore.exceptions import ClientError

from keyscope_local.emulators import dynamodb_local as module
from keyscope_local.emulators.dynamodb_local import (
    DownloadFailed,
    DynamoDbLocalMissing,
    check_machine,
    fetch,
    running_dynamodb_local,
)
from keyscope_local.emulators.embedded_aws import DYNAMODB_ENDPOINT_VARIABLE, embedded_aws
from keyscope_local.emulators.tables import create_tables, local_client
from keyscope_local.template.stack import Stack, physical_id_of
from tests.support.dynamodb_local import Store, download_in_own_process, start_or_skip


class _Tables(Protocol):
    def describe_table(self, **request: object) -> Mapping[str, Mapping[str, object]]: ...

    def describe_time_to_live(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...

    def list_tables(self) -> Mapping[str, list[str]]: ...

    def put_item(self, **request: object) -> object: ...


@pytest.fixture
def tables(store: Store) -> _Tables:
    return cast("_Tables", local_client("dynamodb", store.dynamodb_url))


@pytest.fixture
def unreachable_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no Maven Central to fill it from."""

    def refuse(_: httpx.Request) -> httpx.Response:
        message = "no route to the repository"
        raise httpx.ConnectError(message)

    client = httpx.Client(base_url="https://example", transport=httpx.MockTransport(refuse))
    monkeypatch.setattr(module, "repository", lambda: client)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _properties(stack: Stack, logical_id: str) -> Mapping[str, object]:
    return cast("Mapping[str, object]", stack.resources[logical_id]["Properties"])


def test_the_keys_table_has_the_templates_keys_and_attributes(
    stack: Stack, store: Store, tables: _Tables
) -> None:
    table = tables.describe_table(TableName=store.keys_table)["Table"]
    template = _properties(stack, "KeysTable")
    assert table["KeySchema"] == template["KeySchema"]
    assert sorted(str(item) for item in cast("list[object]", table["AttributeDefinitions"])) == (
        sorted(str(item) for item in cast("list[object]", template["AttributeDefinitions"]))
    )


def test_the_keys_table_has_the_templates_index(
    stack: Stack, store: Store, tables: _Tables
) -> None:
    table = tables.describe_table(TableName=store.keys_table)["Table"]
    (index,) = cast("list[Mapping[str, object]]", table["GlobalSecondaryIndexes"])
    (expected,) = cast(
        "list[Mapping[str, object]]", _properties(stack, "KeysTable")["GlobalSecondaryIndexes"]
    )
    assert {name: index[name] for name in ("IndexName", "KeySchema")} == {
        name: expected[name] for name in ("IndexName", "KeySchema")
    }


def test_the_index_projects_what_the_template_says(
    stack: Stack, store: Store, tables: _Tables
) -> None:
    table = tables.describe_table(TableName=store.keys_table)["Table"]
    (index,) = cast("list[Mapping[str, Mapping[str, list[str]]]]", table["GlobalSecondaryIndexes"])
    (expected,) = cast(
        "list[Mapping[str, Mapping[str, list[str]]]]",
        _properties(stack, "KeysTable")["GlobalSecondaryIndexes"],
    )
    assert set(index["Projection"]["NonKeyAttributes"]) == set(
        expected["Projection"]["NonKeyAttributes"]
    )


def test_the_directory_table_has_the_templates_keys(
    stack: Stack, store: Store, tables: _Tables
) -> None:
    table = tables.describe_table(TableName=store.directory_table)["Table"]
    assert table["KeySchema"] == _properties(stack, "DirectoryTable")["KeySchema"]


def test_time_to_live_is_on(store: Store, tables: _Tables) -> None:
    answer = tables.describe_time_to_live(TableName=store.keys_table)["TimeToLiveDescription"]
    assert answer["TimeToLiveStatus"] == "ENABLED"
    assert answer["AttributeName"] == "expires_at"


def test_creating_the_tables_again_keeps_what_they_hold(
    stack: Stack, store: Store, tables: _Tables
) -> None:
    item = {"account_id": {"S": "kept"}, "entity": {"S": "account"}}
    tables.put_item(TableName=store.directory_table, Item=item)
    create_tables(stack, store.dynamodb_url)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        tables.put_item(
            TableName=store.directory_table,
            Item=item,
            ConditionExpression="attribute_not_exists(entity)",
        )


def test_of_writes_that_race_for_one_id_dynamodb_local_lets_one_through(
    dynamodb_local_store: Store,
) -> None:
    client = cast("_Tables", local_client("dynamodb", dynamodb_local_store.dynamodb_url))

    def put(racer: int) -> str:
        try:
            client.put_item(
                TableName=dynamodb_local_store.directory_table,
                Item={
                    "account_id": {"S": "raced"},
                    "entity": {"S": "account"},
                    "racer": {"N": str(racer)},
                },
                ConditionExpression="attribute_not_exists(entity)",
            )
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "written"

    with ThreadPoolExecutor(max_workers=8) as pool:
        outcomes = list(pool.map(put, range(40)))
    assert outcomes.count("written") == 1
    assert outcomes.count("ConditionalCheckFailedException") == 39


@pytest.mark.usefixtures("dynamodb_local")
def test_the_embedded_aws_puts_its_tables_where_the_environment_says(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_dynamodb_local() as endpoint_url:
        monkeypatch.setenv(DYNAMODB_ENDPOINT_VARIABLE, endpoint_url)
        with embedded_aws(stack) as aws:
            assert aws.environment[DYNAMODB_ENDPOINT_VARIABLE] == endpoint_url
            assert aws.environment["AWS_ENDPOINT_URL"] == aws.endpoint_url != endpoint_url
        tables = cast("_Tables", local_client("dynamodb", endpoint_url)).list_tables()
    assert set(tables["TableNames"]) == {
        physical_id_of(stack, name)
        for name, resource in stack.resources.items()
        if str(resource["Type"]).startswith("AWS::DynamoDB::")
    }


@pytest.mark.usefixtures("dynamodb_local")
def test_it_is_gone_when_its_context_ends() -> None:
    with running_dynamodb_local() as endpoint_url:
        assert httpx.get(endpoint_url).status_code == httpx.codes.BAD_REQUEST
    with pytest.raises(httpx.ConnectError):
        httpx.get(endpoint_url)


def test_a_failed_download_tells_why_and_leaves_nothing(unreachable_repository: Path) -> None:
    with pytest.raises(DownloadFailed, match="no route to the repository"):
        fetch()
    assert list((unreachable_repository / "keyscope" / "dynamodb-local").iterdir()) == []


def test_without_java_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DynamoDbLocalMissing, match="Java"):
        check_machine()


def _without_network() -> None:
    message = "no route to the repository"
    raise DownloadFailed(message)


def test_a_failed_download_skips_on_a_developers_machine() -> None:
    with ExitStack() as running, pytest.raises(pytest.skip.Exception, match="no route"):
        start_or_skip(running, {}, _without_network)


def test_a_failed_download_fails_in_ci() -> None:
    with ExitStack() as running, pytest.raises(DownloadFailed):
        start_or_skip(running, {"CI": "true"}, _without_network)


def test_a_failed_download_tells_what_its_own_process_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_authorities = tmp_path / "none.pem"
    no_authorities.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(no_authorities))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DownloadFailed, match="NO_CERTIFICATE"):
        download_in_own_process()


def test_a_machine_without_java_skips_in_ci_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with ExitStack() as running, pytest.raises(pytest.skip.Exception, match="Java"):
        start_or_skip(running, {"CI": "true"})
