"""The credentials, events and stored records that every contender is measured with.

Each run makes up new ones and writes them below the ignored folder; nothing is committed.
"""

import base64
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_bytes
from typing import Final

from keyscope.aws.dynamodb.directory_items import item_of_key
from keyscope.lifecycle.directory import Key
from keyscope.model.ids import (
    OwnerType,
    new_account_id,
    new_app_id,
    new_service_account_id,
)
from keyscope.model.key_record import KeyRecord
from keyscope.model.secret import hash_secret
from keyscope_local.tour.event_values import fill
from keyscope_local.tour.seed import IssuedKey, SeededStore

EVENTS: Final = Path(__file__).parents[1] / "events"
SEALED_BYTES: Final = 200
"""About the size of what KMS returns for a secret of 52 characters."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One account with its keys, as events, and as what AWS answers about them.

    `items` are the stored records in DynamoDB's notation with bytes as base64, by key id;
    `secrets` are the secrets by their sealed form in base64.
    """

    events: dict[str, object]
    items: dict[str, dict[str, object]]
    secrets: dict[str, str]


def make_scenario() -> Scenario:
    """Create an account, an app and a service account, each with a key."""
    account_id = new_account_id()
    service_account_id = new_service_account_id(account_id)
    app_id = new_app_id(account_id, None)
    keys = {
        OwnerType.ACCOUNT: (account_id, IssuedKey.new(OwnerType.ACCOUNT)),
        OwnerType.APP: (app_id, IssuedKey.new(OwnerType.APP)),
        OwnerType.SERVICE_ACCOUNT: (
            service_account_id,
            IssuedKey.new(OwnerType.SERVICE_ACCOUNT),
        ),
    }
    app_key = keys[OwnerType.APP][1]
    store = SeededStore(
        account_id=account_id,
        app_id=app_id,
        service_account_id=service_account_id,
        service_account_app_id=new_app_id(account_id, service_account_id),
        account_key=keys[OwnerType.ACCOUNT][1],
        app_key=app_key,
        integration_key=app_key,
        service_account_key=keys[OwnerType.SERVICE_ACCOUNT][1],
        # No event of the measurements uses these.
        expired_key=app_key,
        revoked_key=app_key,
        cidr_key=app_key,
        spare_key=app_key,
    )
    scenario = Scenario(
        events={
            name: fill(json.loads((EVENTS / file).read_text("utf-8")), store)
            for name, file in {
                "basic": "rest_request_basic_app.json",
                "jwt": "rest_request_jwt_app_user.json",
                "basic_account": "rest_request_basic_account.json",
                "http_basic": "http_basic_app.json",
                "http_jwt": "http_jwt_app_user.json",
            }.items()
        },
        items={},
        secrets={},
    )
    for owner_type, (owner_id, issued) in keys.items():
        _store(scenario, owner_type, owner_id, issued)
    return scenario


def write_scenario(scenario: Scenario, path: Path) -> None:
    """Write it for other processes, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(scenario)), "utf-8")


def _store(scenario: Scenario, owner_type: OwnerType, owner_id: str, issued: IssuedKey) -> None:
    sealed = token_bytes(SEALED_BYTES)
    key = Key(issued.key_id, created_at=int(time.time()), display_name="Measured")
    record = KeyRecord(issued.key_id, owner_type, owner_id, hash_secret(issued.secret), sealed)
    scenario.items[issued.key_id] = {
        name: {kind: _text(value) for kind, value in attribute.items()}
        for name, attribute in item_of_key(key, record).items()
    }
    scenario.secrets[_text(sealed)] = issued.secret


def _text(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
