"""Owners and keys as items of DirectoryTable and KeysTable, in DynamoDB's own notation."""

import json
from collections.abc import Mapping
from typing import Any, cast

from keyscope.aws.dynamodb.key_items import (
    EXTERNAL_ID_ATTRIBUTES,
    LIMIT_ATTRIBUTES,
    AttributeReader,
    Item,
    attributes_of_external_ids,
    attributes_of_limits,
    external_ids_of,
    limits_of,
    stored_number,
)
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.directory import Key, Members, Owner
from keyscope.model.ids import IdName, OwnerType, account_id_of, ids_of_owner, owner_type_of_id
from keyscope.model.key_record import RECORD_FORMAT, KeyRecord

Attributes = dict[str, Mapping[str, Any]]

KEY_ATTRIBUTES = (
    "key_id",
    "owner_id",
    "integration_id",
    "display_name",
    "created_at",
    *LIMIT_ATTRIBUTES,
    "suspended_at",
    "rotated_at",
    "previous_ends_at",
    "revoked_at",
    "generation",
    "revision",
    "usage_identifier_key",
    *EXTERNAL_ID_ATTRIBUTES,
)
"""The attributes that are read of a key: all except its secrets, hashed or encrypted."""
ACCOUNTS = "accounts"
"""The value of `listed_as` in accounts' items, by which the index lists them."""


def owner_key(owner_id: str) -> Attributes:
    """Return the primary key of an owner's item."""
    owner_type = _owner_type_of(owner_id)
    entity = "account" if owner_type is OwnerType.ACCOUNT else entity_of(owner_type, owner_id)
    return {"account_id": {"S": account_id_of(owner_id)}, "entity": {"S": entity}}


def entity_of(owner_type: OwnerType, owner_id: str) -> str:
    """Return the sort key of an app or a service account, or its prefix for a prefix of an id."""
    return f"{owner_type.lower()}#{owner_id}"


def name_key(service_account: Owner) -> Attributes:
    """Return the primary key of the item that reserves a service account's name."""
    return {
        "account_id": {"S": account_id_of(service_account.owner_id)},
        "entity": {"S": f"serviceaccountname#{service_account.display_name}"},
    }


def item_of_owner(owner: Owner, key_ids: tuple[str, ...]) -> Attributes:
    """Return an owner's item; `key_ids` are the keys that count toward its limit of ten."""
    return {
        **owner_key(owner.owner_id),
        "format": {"N": str(RECORD_FORMAT)},
        "owner_id": {"S": owner.owner_id},
        "created_at": {"N": str(owner.created_at)},
        "revision": {"N": "0"},
        **({"listed_as": {"S": ACCOUNTS}} if owner.owner_type is OwnerType.ACCOUNT else {}),
        **({"key_ids": {"SS": list(key_ids)}} if key_ids else {}),
        **attributes_of_external_ids(owner.external_ids),
        **changeable_attributes(owner),
    }


def changeable_attributes(owner: Owner) -> Attributes:
    """Return the attributes of an owner's item that an update may change."""
    # As JSON text, because DynamoDB's numbers do not preserve every JSON number.
    return {
        "display_name": {"S": owner.display_name},
        "settings": {"S": json.dumps(dict(owner.settings))},
        "metadata": {"S": json.dumps(dict(owner.metadata))},
    }


def owner_of_item(item: Item) -> Owner:
    """Read an owner's item.

    Raises:
        Unavailable: `DAMAGED_RECORD`, with the name of the attribute.
    """
    reader = AttributeReader(item)
    owner_id = reader.text("owner_id")
    return Owner(
        owner_type=_owner_type_of(owner_id),
        owner_id=owner_id,
        display_name=reader.text("display_name"),
        created_at=reader.number("created_at"),
        settings=_members(reader, "settings"),
        metadata=_members(reader, "metadata"),
        external_ids=external_ids_of(reader),
        key_count=len(key_ids_of(item)),
    )


def key_ids_of(item: Item) -> set[str]:
    """Return the ids of the keys that count toward an owner's limit of ten."""
    return {*item.get("key_ids", {}).get("SS", [])}


def item_of_key(key: Key, record: KeyRecord) -> Attributes:
    """Return a key's item, which contains the secret hashed and encrypted, never in clear text."""
    ids = ids_of_owner(record.owner_type, record.owner_id)
    return {
        "key_id": {"S": record.key_id},
        "format": {"N": str(RECORD_FORMAT)},
        "owner_type": {"S": record.owner_type.value},
        "owner_id": {"S": record.owner_id},
        **{f"{IdName(name).name.lower()}_id": {"S": value} for name, value in ids.items()},
        **attributes_of_external_ids(record.external_ids),
        **(
            {}
            if record.integration_id is None
            else {"integration_id": {"S": record.integration_id}}
        ),
        "secret_hash": {"B": record.secret_hash},
        "secret_ciphertext": {"B": record.secret_ciphertext},
        "created_at": {"N": str(key.created_at)},
        "revision": {"N": "0"},
        **{name: value for name, value in optional_attributes(key).items() if value is not None},
    }


def optional_attributes(key: Key) -> dict[str, Mapping[str, Any] | None]:
    """Return the attributes of a key's item that an update may change, `None` for absent ones."""
    return {
        "display_name": None if key.display_name is None else {"S": key.display_name},
        **attributes_of_limits(key.limits),
        "rotated_at": stored_number(key.rotated_at),
        "previous_ends_at": stored_number(key.previous_ends_at),
        "generation": {"N": str(key.secret_generation)},
        "usage_identifier_key": (
            None if key.usage_identifier_key is None else {"S": key.usage_identifier_key}
        ),
    }


def key_of_item(item: Item) -> Key:
    """Read what may be shown of a stored key.

    Raises:
        Unavailable: `DAMAGED_RECORD`, with the name of the attribute.
    """
    reader = AttributeReader(item)
    revoked_at = reader.optional_number("revoked_at")
    limits = limits_of(reader)
    return Key(
        key_id=reader.text("key_id"),
        created_at=reader.number("created_at"),
        display_name=reader.optional_text("display_name"),
        # The expiry of a revoked key's record only says when DynamoDB deletes it.
        limits=limits if revoked_at is None else limits._replace(expires_at=None),
        rotated_at=reader.optional_number("rotated_at"),
        previous_ends_at=reader.optional_number("previous_ends_at"),
        suspended_at=reader.optional_number("suspended_at"),
        revoked_at=revoked_at,
        secret_generation=reader.number("generation"),
        integration_id=reader.optional_text("integration_id"),
        # Only the authorizers check its form, so that a damaged one can still be replaced here.
        usage_identifier_key=reader.optional_text("usage_identifier_key"),
        external_ids=external_ids_of(reader),
    )


def _owner_type_of(owner_id: str) -> OwnerType:
    owner_type = owner_type_of_id(owner_id)
    if owner_type is None:
        raise Unavailable(Reason.DAMAGED_RECORD, "attribute owner_id")
    return owner_type


def _members(reader: AttributeReader, name: str) -> Members:
    try:
        members = json.loads(reader.text(name))
    except ValueError:
        raise Unavailable(Reason.DAMAGED_RECORD, f"attribute {name}") from None
    if not isinstance(members, dict):
        raise Unavailable(Reason.DAMAGED_RECORD, f"attribute {name}")
    return cast("Members", members)
