"""Key records as items of KeysTable, in DynamoDB's own notation.

Without boto3's serializer, because boto3 costs a cold start more than it saves.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any, NoReturn

from keyscope.errors import Reason, Unavailable
from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds, is_external_id
from keyscope.model.ids import (
    IdName,
    OwnerType,
    is_integration_id,
    is_key_id,
    is_owner_id,
    is_usage_identifier_key,
    kind_of_key,
)
from keyscope.model.key_limits import (
    MAX_ALLOWED_CIDRS,
    MAX_PERMISSIONS,
    KeyLimits,
    is_permission,
)
from keyscope.model.key_record import RECORD_FORMAT, KeyRecord, PreviousSecret

Item = Mapping[str, Mapping[str, Any]]

_SHA256_LENGTH = 32
LIMIT_ATTRIBUTES = ("expires_at", "allowed_cidrs", "disabled_at", "permission_names")
"""The attributes that `limits_of` reads. DynamoDB reserves the word `permissions`."""
EXTERNAL_ID_ATTRIBUTES = ("account_external_id", "app_external_id")
"""The attributes that `external_ids_of` reads."""
_PREVIOUS_SECRET = ("previous_secret_hash", "previous_secret_ciphertext", "previous_ends_at")


def record_of_item(item: Item) -> KeyRecord:
    """Read a stored key record. Anything unexpected is damage.

    Raises:
        Unavailable: `DAMAGED_RECORD`, with the name of the attribute.
    """
    reader = AttributeReader(item)
    key_id = reader.text("key_id")
    if reader.number("format") != RECORD_FORMAT:
        _damaged("format")
    if not is_key_id(key_id):
        _damaged("key_id")
    owner_type, bound_to = kind_of_key(key_id)
    if reader.text("owner_type") != owner_type.value:
        _damaged("owner_type")
    owner_id = reader.text("owner_id")
    if not is_owner_id(owner_type, owner_id):
        _damaged("owner_id")
    revoked_at = reader.optional_number("revoked_at")
    return KeyRecord(
        key_id=key_id,
        owner_type=owner_type,
        owner_id=owner_id,
        secret_hash=b"" if revoked_at is not None else reader.sha256("secret_hash"),
        secret_ciphertext=b"" if revoked_at is not None else reader.octets("secret_ciphertext"),
        limits=_sound(limits_of(reader)),
        revoked_at=revoked_at,
        previous=None if revoked_at is not None else _previous_secret(reader),
        secret_generation=reader.number("generation"),
        usage_identifier_key=None if revoked_at is not None else _usage_identifier_key(reader),
        integration_id=_integration_id(reader, bound_to),
        external_ids=_sound_external_ids(external_ids_of(reader), owner_type),
        suspended_at=reader.optional_number("suspended_at"),
    )


class AttributeReader:
    """Reads attributes by name and type; each method raises `Unavailable` for damage."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether one of the attributes is present, with any value."""
        return not self._item.keys().isdisjoint(names)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self._item.get(name, {}).get("S")
        if not isinstance(value, str):
            _damaged(name)
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or `None` if the attribute is absent."""
        return self.text(name) if name in self._item else None

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self._item.get(name, {}).get("N")
        try:
            return int(value)  # type: ignore[arg-type] # a TypeError is damage, too
        except (TypeError, ValueError):
            _damaged(name)

    def optional_number(self, name: str) -> int | None:
        """Return a whole number, or `None` if the attribute is absent."""
        return self.number(name) if name in self._item else None

    def octets(self, name: str) -> bytes:
        """Return bytes, at least one."""
        value = self._item.get(name, {}).get("B")
        if not isinstance(value, bytes) or not value:
            _damaged(name)
        return value

    def sha256(self, name: str) -> bytes:
        """Return a SHA-256, 32 bytes."""
        value = self.octets(name)
        if len(value) != _SHA256_LENGTH:
            _damaged(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty if the attribute is absent."""
        if name not in self._item:
            return ()
        values = self._item[name].get("L")
        if not isinstance(values, list) or not values:
            _damaged(name)
        texts = [value.get("S") for value in values if isinstance(value, Mapping)]
        known = tuple(text for text in texts if isinstance(text, str))
        if len(known) != len(values):
            _damaged(name)
        return known


def limits_of(reader: AttributeReader) -> KeyLimits:
    """Read a key's stored limits.

    Only the authorizers check the networks, so that the directory can still show and replace a
    damaged list.
    """
    return KeyLimits(
        expires_at=reader.optional_number("expires_at"),
        allowed_cidrs=reader.texts("allowed_cidrs"),
        disabled_at=reader.optional_number("disabled_at"),
        permissions=reader.texts("permission_names") or None,
    )


def attributes_of_limits(limits: KeyLimits) -> dict[str, Mapping[str, Any] | None]:
    """Return the attributes that store a key's limits, `None` for absent ones."""
    cidrs = [{"S": cidr} for cidr in limits.allowed_cidrs]
    permissions = limits.permissions
    return {
        "expires_at": stored_number(limits.expires_at),
        "allowed_cidrs": {"L": cidrs} if cidrs else None,
        "disabled_at": stored_number(limits.disabled_at),
        "permission_names": {"L": [{"S": name} for name in permissions]} if permissions else None,
    }


def external_ids_of(reader: AttributeReader) -> ExternalIds:
    """Read stored external ids. Only the authorizers check their form."""
    if not reader.has_any(EXTERNAL_ID_ATTRIBUTES):
        return NO_EXTERNAL_IDS
    return ExternalIds(*map(reader.optional_text, EXTERNAL_ID_ATTRIBUTES))


def attributes_of_external_ids(ids: ExternalIds) -> dict[str, Mapping[str, str]]:
    """Return the attributes that store external ids."""
    stored = zip(EXTERNAL_ID_ATTRIBUTES, ids, strict=True)
    return {name: {"S": value} for name, value in stored if value is not None}


def stored_number(value: int | None) -> Mapping[str, str] | None:
    """Return the stored form of a whole number, or `None` for an absent attribute."""
    return None if value is None else {"N": str(value)}


def _sound(limits: KeyLimits) -> KeyLimits:
    # More would not fit the policy, whose budget is proven for that many.
    if len(limits.allowed_cidrs) > MAX_ALLOWED_CIDRS:
        _damaged("allowed_cidrs")
    permissions = limits.permissions or ()
    if len(permissions) > MAX_PERMISSIONS or not all(map(is_permission, permissions)):
        _damaged("permission_names")
    try:
        for cidr in limits.allowed_cidrs:
            ip_network(cidr)
    except ValueError:
        _damaged("allowed_cidrs")
    return limits


def _sound_external_ids(ids: ExternalIds, owner_type: OwnerType) -> ExternalIds:
    for name, external_id in zip(EXTERNAL_ID_ATTRIBUTES, ids, strict=True):
        if external_id is not None and not is_external_id(external_id):
            _damaged(name)
    if ids.app is not None and owner_type is not OwnerType.APP:
        _damaged("app_external_id")
    return ids


def _previous_secret(reader: AttributeReader) -> PreviousSecret | None:
    if not reader.has_any(_PREVIOUS_SECRET):
        return None
    return PreviousSecret(
        secret_hash=reader.sha256("previous_secret_hash"),
        secret_ciphertext=reader.octets("previous_secret_ciphertext"),
        ends_at=reader.number("previous_ends_at"),
    )


def _usage_identifier_key(reader: AttributeReader) -> str | None:
    value = reader.optional_text("usage_identifier_key")
    if value is not None and not is_usage_identifier_key(value):
        _damaged("usage_identifier_key")
    return value


def _integration_id(reader: AttributeReader, bound_to: IdName | None) -> str | None:
    integration_id = reader.optional_text("integration_id")
    is_bound = integration_id is not None and is_integration_id(integration_id)
    if is_bound != (bound_to is not None) or (integration_id is not None and not is_bound):
        _damaged("integration_id")
    return integration_id


def _damaged(name: str) -> NoReturn:
    raise Unavailable(Reason.DAMAGED_RECORD, f"attribute {name}") from None
