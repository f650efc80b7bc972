"""The formats of ids, and what an id says about its owner.

Ids nest, so that "every app of this account" is one prefix:

    account          12 hex characters
    service account  its account's id + 4 hex characters, never 0000
    app              the account's id + the creating service account's 4 (0000 when the user
                     account itself created it) + 8 hex characters
    key              the prefix of its kind + 24 hex characters

To add a kind of owner, add its member to `OwnerType` and its row to `OWNERS`. To add a kind of key
that is bound to more than its owner, add its row to `KEY_KINDS`.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

ACCOUNT_ID_LENGTH = 12
SERVICE_ACCOUNT_ID_LENGTH = 16
APP_ID_LENGTH = 24
INTEGRATION_ID_LENGTH = 24
KEY_ID_LENGTH = 28
MAX_USER_ID_LENGTH = 64
"""Longest percent-encoded `userId`, in characters: the policy must have room for two forms of
it."""
CREATED_BY_USER_ACCOUNT = "0000"

_SAFE_USER_ID = re.compile(r"[A-Za-z0-9._~@+:-]+")
_LIKE_CLIMBING = re.compile(r"[@+:].*(2[Ff]|5[Cc])\.\.")
_PERCENT_ENCODED = {"@": "%40", "+": "%2B", ":": "%3A"}
_PERCENT_ENCODED_IN_LOWER_CASE = {"@": "%40", "+": "%2b", ":": "%3a"}
_USAGE_IDENTIFIER_KEY = re.compile("[0-9A-Za-z]{20,128}")


class IdName(StrEnum):
    """The ids that can identify a principal, as named in paths, claims and the backend's context.

    The caller chooses `userId`, a text, the backend creates `integrationId`, 24 hex characters, and
    the operator chooses the external ids, which not every account and app has; Keyscope creates the
    others.
    """

    ACCOUNT = "accountId"
    SERVICE_ACCOUNT = "serviceAccountId"
    APP = "appId"
    INTEGRATION = "integrationId"
    USER = "userId"
    ACCOUNT_EXTERNAL = "accountExternalId"
    APP_EXTERNAL = "appExternalId"

    @property
    def placeholder(self) -> str:
        """What represents the id in a path of the access map."""
        return f"{{{self.value}}}"


ID_LENGTHS: Final[Mapping[IdName, int]] = {
    IdName.ACCOUNT: ACCOUNT_ID_LENGTH,
    IdName.SERVICE_ACCOUNT: SERVICE_ACCOUNT_ID_LENGTH,
    IdName.APP: APP_ID_LENGTH,
    IdName.INTEGRATION: INTEGRATION_ID_LENGTH,
}
"""The lengths of the ids that have a fixed one, in characters."""

_HEX = "[0-9a-f]"
APP_ID_PATTERN = f"{_HEX}{{{APP_ID_LENGTH}}}"
INTEGRATION_ID_PATTERN = f"{_HEX}{{{INTEGRATION_ID_LENGTH}}}"
SERVICE_ACCOUNT_ID_PATTERN = f"{_HEX}{{{ACCOUNT_ID_LENGTH}}}(?!0000){_HEX}{{4}}"
_PATTERNS = {
    **{name: f"{_HEX}{{{length}}}" for name, length in ID_LENGTHS.items()},
    IdName.SERVICE_ACCOUNT: SERVICE_ACCOUNT_ID_PATTERN,
}


class OwnerType(StrEnum):
    """The kinds of key owners, as named in the backend's context."""

    APP = "app"
    ACCOUNT = "account"
    SERVICE_ACCOUNT = "serviceAccount"


class OwnerShape(NamedTuple):
    """The names of one kind of owner, and the structure of its ids.

    The owner's own id consists of the ids of `parts`; its first `ACCOUNT_ID_LENGTH` characters are
    its account's id.
    """

    title: str
    parts: tuple[IdName, ...]

    @property
    def places(self) -> Mapping[IdName, slice]:
        """The position of each id in the owner's id."""
        places, start = {IdName.ACCOUNT: slice(ACCOUNT_ID_LENGTH)}, 0
        for part in self.parts:
            places[part] = slice(start, start + ID_LENGTHS[part])
            start += ID_LENGTHS[part]
        return places


OWNERS: Final[Mapping[OwnerType, OwnerShape]] = {
    OwnerType.APP: OwnerShape("app", (IdName.APP,)),
    OwnerType.ACCOUNT: OwnerShape("user account", (IdName.ACCOUNT,)),
    OwnerType.SERVICE_ACCOUNT: OwnerShape("service account", (IdName.SERVICE_ACCOUNT,)),
}

KeyKind = tuple[OwnerType, IdName | None]
"""A kind of key: that of its owner, and the id that it is bound to besides its owner's, if any."""
KEY_KINDS: Final[Mapping[str, KeyKind]] = {
    "app_": (OwnerType.APP, None),
    "int_": (OwnerType.APP, IdName.INTEGRATION),
    "act_": (OwnerType.ACCOUNT, None),
    "svc_": (OwnerType.SERVICE_ACCOUNT, None),
}
"""The kinds of keys, by the 4 characters that their ids begin with."""
KEY_ID_PREFIXES: Final = {kind: prefix for prefix, kind in KEY_KINDS.items()}
_OWNER_TYPES_BY_LENGTH = {
    sum(ID_LENGTHS[part] for part in shape.parts): owner_type
    for owner_type, shape in OWNERS.items()
}
OWNER_ID_LENGTHS = {owner_type: length for length, owner_type in _OWNER_TYPES_BY_LENGTH.items()}
"""The lengths of owners' ids, in characters; no two kinds of owners have the same."""
_PLACES = {
    owner_type: {name.value: place for name, place in shape.places.items()}
    for owner_type, shape in OWNERS.items()
}
_OWNER_ID = {
    owner_type: re.compile("".join(_PATTERNS[part] for part in shape.parts))
    for owner_type, shape in OWNERS.items()
}
_KEY_ID = re.compile(f"(?:{'|'.join(KEY_KINDS)}){_HEX}{{24}}")
_INTEGRATION_ID = re.compile(INTEGRATION_ID_PATTERN)

TokenHex = Callable[[int], str]
"""Like `secrets.token_hex`: takes a number of random bytes, returns twice as many hex
characters."""


def is_owner_id(owner_type: OwnerType, text: str) -> bool:
    """Return whether the text has the format of the ids of this kind of owner."""
    return _OWNER_ID[owner_type].fullmatch(text) is not None


def is_account_id(text: str) -> bool:
    """Return whether the text has the format of an account id."""
    return is_owner_id(OwnerType.ACCOUNT, text)


def is_service_account_id(text: str) -> bool:
    """Return whether the text has the format of a service account id."""
    return is_owner_id(OwnerType.SERVICE_ACCOUNT, text)


def is_app_id(text: str) -> bool:
    """Return whether the text has the format of an app id."""
    return is_owner_id(OwnerType.APP, text)


def is_integration_id(text: str) -> bool:
    """Return whether the text has the format of an integration's id."""
    return _INTEGRATION_ID.fullmatch(text) is not None


def is_key_id(text: str) -> bool:
    """Return whether the text has the format of a key id."""
    return _KEY_ID.fullmatch(text) is not None


def is_usage_identifier_key(text: str) -> bool:
    """Return whether the text can be the value of an API Gateway key: 20 to 128 letters and digits.

    Source: "Usage plans and API keys for REST APIs" in the API Gateway developer guide.
    """
    return _USAGE_IDENTIFIER_KEY.fullmatch(text) is not None


def kind_of_key(key_id: str) -> KeyKind:
    """Return the kind of key that the prefix of a well-formed key id names."""
    return KEY_KINDS[key_id[:4]]


def title_of_holder(kind: KeyKind) -> str:
    """Return what a key of a kind belongs to, for people: its owner, or what it is bound to."""
    owner_type, bound_to = kind
    return OWNERS[owner_type].title if bound_to is None else bound_to.removesuffix("Id")


def owner_type_of_key(key_id: str) -> OwnerType:
    """Return the kind of owner that the prefix of a well-formed key id names."""
    return kind_of_key(key_id)[0]


def owner_type_of_id(owner_id: str) -> OwnerType | None:
    """Return the kind of owner whose ids have the length of this one."""
    return _OWNER_TYPES_BY_LENGTH.get(len(owner_id))


def ids_of_owner(owner_type: OwnerType, owner_id: str) -> dict[str, str]:
    """Return the ids that an owner's id contains, by `IdName`, beginning with its account's."""
    return {name: owner_id[place] for name, place in _PLACES[owner_type].items()}


def account_id_of(owner_id: str) -> str:
    """Return the account id that an account, service account or app id begins with."""
    return owner_id[:ACCOUNT_ID_LENGTH]


def creator_of_app(app_id: str) -> str:
    """Return the id of the account or the service account that created an app."""
    creator = app_id[ACCOUNT_ID_LENGTH:SERVICE_ACCOUNT_ID_LENGTH]
    by_account = creator == CREATED_BY_USER_ACCOUNT
    return app_id[: ACCOUNT_ID_LENGTH if by_account else SERVICE_ACCOUNT_ID_LENGTH]


def is_safe_user_id(user_id: str) -> bool:
    """Return whether a `userId` matches only itself, both in a policy and in a path."""
    # The id becomes part of an IAM resource and of a path. So it must not contain a character with
    # a meaning in either, or a dot segment, which would climb out of the user's own subtree (RFC
    # 3986, section 3.3). Policies deny ids that become dot segments where `@`, `+` or `:` is
    # encoded (`path_variants`).
    return (
        _SAFE_USER_ID.fullmatch(user_id) is not None
        and user_id != "."
        and not user_id.startswith("..")
        and _LIKE_CLIMBING.search(user_id) is None
        and len(percent_encoded(user_id)) <= MAX_USER_ID_LENGTH
    )


def percent_encoded(user_id: str, *, lower_hex: bool = False) -> str:
    """Return the form of a safe `userId` that clients put into a path (RFC 3986, section 2.1).

    Most clients write the digits of an escape in upper case.
    """
    escapes = _PERCENT_ENCODED_IN_LOWER_CASE if lower_hex else _PERCENT_ENCODED
    return "".join(escapes.get(character, character) for character in user_id)


def new_account_id(token_hex: TokenHex = secrets.token_hex) -> str:
    """Create a random account id; the directory keeps it unique."""
    return token_hex(6)


def new_service_account_id(account_id: str, token_hex: TokenHex = secrets.token_hex) -> str:
    """Create a random service account id within an account; the directory keeps it unique."""
    while (suffix := token_hex(2)) == CREATED_BY_USER_ACCOUNT:
        pass
    return account_id + suffix


def new_app_id(
    account_id: str, service_account_id: str | None, token_hex: TokenHex = secrets.token_hex
) -> str:
    """Create a random app id below its creator; the directory keeps it unique."""
    creator = service_account_id or account_id + CREATED_BY_USER_ACCOUNT
    return creator + token_hex(4)


def new_key_id(
    owner_type: OwnerType,
    bound_to: IdName | None = None,
    token_hex: TokenHex = secrets.token_hex,
) -> str:
    """Create a random key id with the prefix of its kind."""
    return KEY_ID_PREFIXES[owner_type, bound_to] + token_hex(12)
