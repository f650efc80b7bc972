"""The reader of key records that the first release has, frozen: it stands on nothing of today.

It reads what decides a request, and knows no attribute that came later.
"""

import re
from collections.abc import Mapping
from typing import Any

_OWNERS = {
    "app_": ("app", re.compile("[0-9a-f]{24}")),
    "int_": ("app", re.compile("[0-9a-f]{24}")),
    "act_": ("account", re.compile("[0-9a-f]{12}")),
    "svc_": ("serviceAccount", re.compile("[0-9a-f]{12}(?!0000)[0-9a-f]{4}")),
}
_KEY_ID = re.compile("(?:app|int|act|svc)_[0-9a-f]{24}")
_PREVIOUS = ("previous_secret_hash", "previous_secret_ciphertext", "previous_ends_at")


class DamagedRecord(Exception):  # noqa: N818 - named as the reason code is
    """The record is not of format 1; the authorizer answers 500."""


def read_format_1(item: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """Read a record as the first release does."""
    if _number(item, "format") != 1:
        raise DamagedRecord
    key_id, owner_id = _text(item, "key_id"), _text(item, "owner_id")
    if not _KEY_ID.fullmatch(key_id):
        raise DamagedRecord
    owner_type, shape = _OWNERS[key_id[:4]]
    if _text(item, "owner_type") != owner_type or not shape.fullmatch(owner_id):
        raise DamagedRecord
    revoked_at = _optional_number(item, "revoked_at")
    decides: dict[str, object] = {
        "key_id": key_id,
        "owner_type": owner_type,
        "owner_id": owner_id,
        "integration_id": _integration_id(item, key_id),
        "external_ids": (
            _external_id(item, "account_external_id"),
            _external_id(item, "app_external_id"),
        ),
        "expires_at": _optional_number(item, "expires_at"),
        "allowed_cidrs": _texts(item, "allowed_cidrs"),
        "permissions": _texts(item, "permission_names"),
        "revoked_at": revoked_at,
        "disabled_at": _optional_number(item, "disabled_at"),
        "suspended_at": _optional_number(item, "suspended_at"),
        "secret_generation": _number(item, "generation"),
    }
    if revoked_at is not None:
        return decides
    return decides | {
        "secret_hash": _hash(item, "secret_hash"),
        "secret_ciphertext": _octets(item, "secret_ciphertext"),
        "previous": _previous(item),
        "usage_identifier_key": _usage_identifier_key(item),
    }


def _previous(item: Mapping[str, Mapping[str, Any]]) -> tuple[bytes, bytes, int] | None:
    if item.keys().isdisjoint(_PREVIOUS):
        return None
    secret_hash, ciphertext, ends_at = _PREVIOUS
    return (_hash(item, secret_hash), _octets(item, ciphertext), _number(item, ends_at))


def _integration_id(item: Mapping[str, Mapping[str, Any]], key_id: str) -> str | None:
    if key_id.startswith("int_") != ("integration_id" in item):
        raise DamagedRecord
    if "integration_id" not in item:
        return None
    value = _text(item, "integration_id")
    if not re.fullmatch("[0-9a-f]{24}", value):
        raise DamagedRecord
    return value


def _external_id(item: Mapping[str, Mapping[str, Any]], name: str) -> str | None:
    if name not in item:
        return None
    value = _text(item, name)
    if not re.fullmatch("[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}", value):
        raise DamagedRecord
    return value


def _usage_identifier_key(item: Mapping[str, Mapping[str, Any]]) -> str | None:
    if "usage_identifier_key" not in item:
        return None
    value = _text(item, "usage_identifier_key")
    if not re.fullmatch("[0-9A-Za-z]{20,128}", value):
        raise DamagedRecord
    return value


def _text(item: Mapping[str, Mapping[str, Any]], name: str) -> str:
    value = item.get(name, {}).get("S")
    if not isinstance(value, str):
        raise DamagedRecord
    return value


def _number(item: Mapping[str, Mapping[str, Any]], name: str) -> int:
    value = item.get(name, {}).get("N")
    if not isinstance(value, str) or not re.fullmatch("-?[0-9]+", value):
        raise DamagedRecord
    return int(value)


def _optional_number(item: Mapping[str, Mapping[str, Any]], name: str) -> int | None:
    return _number(item, name) if name in item else None


def _octets(item: Mapping[str, Mapping[str, Any]], name: str) -> bytes:
    value = item.get(name, {}).get("B")
    if not isinstance(value, bytes) or not value:
        raise DamagedRecord
    return value


def _hash(item: Mapping[str, Mapping[str, Any]], name: str) -> bytes:
    value = _octets(item, name)
    if len(value) != 32:
        raise DamagedRecord
    return value


def _texts(item: Mapping[str, Mapping[str, Any]], name: str) -> tuple[str, ...]:
    if name not in item:
        return ()
    values = [value.get("S") for value in item[name].get("L", [])]
    if not values or not all(isinstance(value, str) for value in values):
        raise DamagedRecord
    return tuple(str(value) for value in values)
