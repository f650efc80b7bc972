"""Many changes with one key at once: all its writes meet on its record, and none is lost."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final, cast

import pytest
from aws_lambda_powertools import Logger

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.transactions import MAX_CONTENTION_SECONDS, Database
from keyscope.entry.management import handler_of
from keyscope.errors import Contended, Forbidden
from keyscope.lifecycle.caller import ProvenKey
from keyscope.lifecycle.directory import After
from keyscope.lifecycle.management import AppRequest, Management
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.management_api.api import management_api
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import limited
from tests.support.contention import ConflictingClient, conflict_at
from tests.support.dynamodb_local import Store
from tests.support.management import Caller
from tests.support.operations import dynamodb_of, operations_over

pytestmark = pytest.mark.dynamodb_local

CREATORS: Final = 100
TRANSACTION_SECONDS: Final = 0.01
ADDRESS: Final = "192.0.2.7"


@pytest.fixture
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture
def operations(store: Store) -> Provisioning:
    return operations_over(store, time.time)


@pytest.fixture
def principal(operations: Provisioning) -> Principal:
    account, own = operations.create_account("Acme", KeyRequest())
    return Principal(Scope.ACCOUNT, own.key.key_id, OwnerType.ACCOUNT, account.owner_id)


class HinderedClient:
    """A DynamoDB client whose transactions always meet another one."""

    def __init__(self, client: DynamoDbClient, happens: Callable[[], object]) -> None:
        self._client = client
        self._happens = happens

    def __getattr__(self, operation: str) -> object:
        return getattr(self._client, operation)

    def transact_write_items(self, **request: Any) -> Mapping[str, object]:  # noqa: ANN401 - botocore
        self._happens()
        raise conflict_at([True] * len(request["TransactItems"]))


def over(database: Database, operations: Provisioning, store: Store) -> Provisioning:
    directory = DirectoryTable(database, store.directory_table, store.keys_table)
    return replace(operations, directory=directory)


def hindered(
    operations: Provisioning, store: Store, happens: Callable[[], object] = lambda: None
) -> tuple[Provisioning, list[float]]:
    """Return operations that others hinder without end, and the pauses that they make."""
    pauses: list[float] = []
    client = cast("DynamoDbClient", HinderedClient(dynamodb_of(store), happens))
    database = Database(client, pauses.append, lambda: sum(pauses))
    return over(database, operations, store), pauses


def test_a_hundred_creators_with_one_key_all_succeed(
    operations: Provisioning,
    principal: Principal,
    store: Store,
) -> None:
    client = ConflictingClient(dynamodb_of(store), TRANSACTION_SECONDS)
    # The clock stands still: how long they may wait is another test's, in simulated time.
    database = Database(cast("DynamoDbClient", client), timer=lambda: 0.0)
    contended = over(database, operations, store)

    def create(number: int) -> str:
        own = Management(contended, principal, ADDRESS)
        return own.create_app(AppRequest(f"app {number}")).owner_id

    with ThreadPoolExecutor(max_workers=CREATORS) as pool:
        created = list(pool.map(create, range(CREATORS)))
    listed = operations.list_apps(principal.account_id, After(), CREATORS + 1).owners
    assert {app.owner_id for app in listed} == {*created}
    assert len(listed) == CREATORS
    assert client.started - client.conflicts == CREATORS
    assert client.conflicts > 0


def test_a_change_that_others_hinder_is_given_up_after_twenty_seconds(
    operations: Provisioning, principal: Principal, store: Store
) -> None:
    contended, pauses = hindered(operations, store)
    with pytest.raises(Contended):
        Management(contended, principal, ADDRESS).create_app(AppRequest("app"))
    assert sum(pauses) <= MAX_CONTENTION_SECONDS < sum(pauses) + 2
    assert operations.list_apps(principal.account_id, After(), 1).owners == []


@pytest.mark.parametrize(
    ("path", "body"), [("/v2/apps", {"displayName": "x"}), ("/v1.1/apps", {"name": "x"})]
)
def test_the_caller_is_told_when_to_try_again(
    path: str,
    body: Mapping[str, str],
    operations: Provisioning,
    principal: Principal,
    store: Store,
) -> None:
    contended, _ = hindered(operations, store)
    reported: list[Exception] = []
    api = management_api(lambda: contended, reported.append)
    handler = handler_of(api, Logger(service="contention", level="CRITICAL"))
    answer = Caller(handler, principal).call("POST", path, body)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == ["5"]
    assert "too_many_changes" in json.dumps(answer.json)
    assert [type(error) for error in reported] == [Contended]


def test_a_key_that_expires_while_its_change_waits_makes_none(
    operations: Provisioning, principal: Principal, store: Store
) -> None:
    now = int(time.time())
    own = (principal.account_id, principal.key_id)
    operations.update_key(*own, lambda key: limited(key, expires_at=now + 60))
    times = iter([now, now, now, *[now + 60] * 5])
    # The clock moves on with each judgment, and nothing else touches the record.
    contended, _ = hindered(replace(operations, clock=lambda: next(times)), store)
    judged, _ = contended.on_behalf_of(ProvenKey.of(principal, ADDRESS))
    with pytest.raises(Forbidden):
        judged.create_app(principal.account_id, "app")
