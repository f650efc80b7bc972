"""From a request for external ids to what an authorizer allows and a backend receives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, new_account_id
from tests.support.builders import METHOD_ARN, NOW, basic, rest_request_event
from tests.support.dynamodb_local import Store
from tests.support.operations import dynamodb_of
from tests.support.stores import MemorySecretOpener, SteppedClock

MAP: Final = Path(__file__).parents[2] / "examples/access-map/own-ids.toml"
POLICIES: Final = prepare_policies(read_access_map(MAP.read_text("utf-8"), []), 10)


@dataclass(frozen=True)
class Names:
    """External ids that no other test gives: DynamoDB Local outlives a test."""

    account: str
    app: str

    @property
    def paths(self) -> set[str]:
        """Paths with these ids, and with others that are like them."""
        return {
            f"/tenants/{account}/projects/{app}/members"
            for account in (self.account, self.account.lower(), "Other")
            for app in (self.app, self.app.lower(), "Other")
        }


@dataclass(frozen=True)
class Allowed:
    """What a key's policy allows, and what the backend is told."""

    paths: set[str]
    external_ids: tuple[str | None, str | None]


@pytest.fixture
def names() -> Names:
    suffix = new_account_id()
    return Names(f"Acme-{suffix}", f"Shop-{suffix}")


def allowed(created: CreatedKey, names: Names, store: Store) -> Allowed | None:
    """Return what a key's credential opens, or `None` if it is refused."""
    authorizer = Authorizer(
        keys=KeyTable(dynamodb_of(store), store.keys_table),
        secrets=MemorySecretOpener(),
        policies=POLICIES,
        clock=SteppedClock(NOW),
        timer=SteppedClock(0),
    )
    event = rest_request_event(basic(created.key.key_id, created.secret))
    decision = authorize(event, read_rest_event, authorizer)
    policy, principal = decision.policy, decision.principal
    if policy is None or principal is None:
        return None
    stage = METHOD_ARN.partition("/GET/")[0]
    requests = {
        path: AccessRequest("execute-api:Invoke", f"{stage}/GET{path}", NOW, "192.0.2.7")
        for path in names.paths
    }
    paths = {p for p, it in requests.items() if evaluate(policy, it) is Verdict.ALLOWED}
    context = principal.context()
    return Allowed(paths, (context.get("accountExternalId"), context.get("appExternalId")))


def test_each_kind_of_key_reaches_what_its_external_ids_name(
    names: Names, operations: Provisioning, store: Store
) -> None:
    name = ExternalName(names.account)
    account, of_account = operations.create_account("Acme", KeyRequest(), name)
    _, of_app = operations.create_named_app(
        account.owner_id, "Shop", KeyRequest(), ExternalName(names.app)
    )
    assert of_app is not None
    unnamed = operations.create_app(account.owner_id, "Unnamed")
    of_unnamed = operations.create_key(OwnerType.APP, unnamed.owner_id, KeyRequest())
    robot = operations.create_service_account(account.owner_id, "robot")
    of_robot = operations.create_key(OwnerType.SERVICE_ACCOUNT, robot.owner_id, KeyRequest())
    own = f"/tenants/{names.account}/projects/{names.app}/members"
    every = {path for path in names.paths if path.startswith(f"/tenants/{names.account}/")}
    assert allowed(of_app, names, store) == Allowed({own}, (names.account, names.app))
    assert allowed(of_account, names, store) == Allowed(every, (names.account, None))
    assert allowed(of_unnamed, names, store) == Allowed(set(), (names.account, None))
    assert allowed(of_robot, names, store) == Allowed(set(), (names.account, None))


def test_an_account_without_an_external_id_reaches_no_tenant(
    names: Names, operations: Provisioning, store: Store
) -> None:
    _, created = operations.create_account("Acme", KeyRequest())
    assert allowed(created, names, store) == Allowed(set(), (None, None))


def test_a_replaced_key_works_and_the_lost_secret_does_not(
    names: Names, operations: Provisioning, store: Store
) -> None:
    name = ExternalName(names.account, "token")
    _, lost = operations.create_account("Acme", KeyRequest(), name)
    _, found = operations.replace_lost_key(OwnerType.ACCOUNT, name, 1)
    replaced = allowed(found, names, store)
    assert replaced is not None
    assert replaced.external_ids == (names.account, None)
    assert allowed(lost, names, store) is None
