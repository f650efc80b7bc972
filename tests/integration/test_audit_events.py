"""Audit events of a whole life, held against the schema that is documented."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from keyscope.lifecycle.audit import Action, Actor, AuditEvent
from keyscope.lifecycle.caller import ProvenKey
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.lifecycle.suspension import resume_account, set_max_apps, suspend_account
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.operations import operations_over
from tests.support.stores import SteppedClock

DOCS: Final = Path(__file__).parents[2] / "docs"
SCHEMA: Final = json.loads((DOCS / "reference" / "audit-event.schema.json").read_text("utf-8"))
CALLER: Final = Actor(
    request_id="request-1",
    source_address="192.0.2.7",
    key_id="svc_" + "0" * 24,
    scope="account",
    account_id="0" * 12,
    service_account_id="0" * 15 + "1",
)
IAM: Final = Actor(request_id="invocation-1")


@dataclass
class Recorded:
    """An audit trail to look at."""

    events: list[AuditEvent] = field(default_factory=list)

    def record(self, events: Sequence[AuditEvent], /) -> None:
        self.events += events


def live(operations: Provisioning) -> None:
    """Do everything once that leaves an event."""
    account, _ = operations.create_account(
        "Acme", KeyRequest("first", limits=KeyLimits(expires_at=4_000_000_000))
    )
    robot = operations.create_service_account(account.owner_id, "robot")
    operations.update_owner(robot.owner_id, lambda owner: replace(owner, display_name="r2"))
    app = operations.create_app(
        account.owner_id, "Shop", settings={"echoPostback": True}, metadata={"token": "hush"}
    )
    operations.update_owner(app.owner_id, lambda owner: replace(owner, display_name="Shop 2"))
    request = KeyRequest("key", limits=KeyLimits(allowed_cidrs=("192.0.2.0/24",)))
    key_id = operations.create_key(OwnerType.APP, app.owner_id, request).key.key_id
    operations.update_key(app.owner_id, key_id, lambda key: limited(key, disabled_at=1))
    operations.rotate_key(app.owner_id, key_id, 60)
    operations.end_overlap(app.owner_id, key_id)
    lost = operations.create_key(OwnerType.APP, app.owner_id, KeyRequest("lost")).key
    operations.end_own_secret(ProvenKey(lost.key_id, lost.secret_generation, None))
    operations.delete_owner(app.owner_id)
    operations.delete_owner(robot.owner_id)
    set_max_apps(operations, account.owner_id, 7)
    suspend_account(operations, account.owner_id)
    resume_account(operations, account.owner_id)
    operations.delete_account(account.owner_id)


@pytest.fixture(scope="module", params=[CALLER, IAM], ids=["an API key", "IAM"])
def details(request: pytest.FixtureRequest, moto_store: Store) -> list[Mapping[str, Any]]:
    trail = Recorded()
    operations = operations_over(moto_store, SteppedClock(NOW))
    live(replace(operations, audit_trail=trail, actor=request.param))
    return [event.detail() for event in trail.events]


def test_every_action_leaves_its_event(details: list[Mapping[str, Any]]) -> None:
    assert {detail["action"] for detail in details} == {action.value for action in Action}


def test_every_event_fits_the_documented_schema(details: list[Mapping[str, Any]]) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert [str(error) for detail in details for error in validator.iter_errors(detail)] == []


def test_the_documented_example_fits_the_schema() -> None:
    text = (DOCS / "reference" / "audit-events.md").read_text("utf-8")
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    jsonschema_rs.validator_for(SCHEMA).validate(example)


def test_no_event_holds_what_the_metadata_say(details: list[Mapping[str, Any]]) -> None:
    assert "hush" not in json.dumps(details)


def test_events_have_ids_of_their_own(details: list[Mapping[str, Any]]) -> None:
    assert len({detail["id"] for detail in details}) == len(details)
