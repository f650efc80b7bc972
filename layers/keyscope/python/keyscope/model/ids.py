"""The shapes of ids, and what an id says about its owner.

Ids nest, so that "every app of this account" is one prefix:

    account          12 hex characters
    service account  its account's id + 4 hex characters, never 0000
    app              the account's id + the creating service account's 4 (0000 when the user
                     account itself created it) + 8 hex characters
    key              app_, act_ or svc_ + 24 hex characters
"""

import re
import secrets
from collections.abc import Callable
from enum import StrEnum

ACCOUNT_ID_LENGTH = 12
SERVICE_ACCOUNT_ID_LENGTH = 16
APP_ID_LENGTH = 24
KEY_ID_LENGTH = 28
MAX_USER_ID_LENGTH = 64
"""Characters of a `userId` in its percent-encoded form: two forms of it must fit the policy."""
CREATED_BY_USER_ACCOUNT = "0000"

_SAFE_USER_ID = re.compile(r"[A-Za-z0-9._~@+:-]+")
_LIKE_CLIMBING = re.compile(r"[@+:].*(2[Ff]|5[Cc])\.\.")
_PERCENT_ENCODED = {"@": "%40", "+": "%2B", ":": "%3A"}
_PERCENT_ENCODED_IN_LOWER_CASE = {"@": "%40", "+": "%2b", ":": "%3a"}
_HEX = "[0-9a-f]"
_ACCOUNT_ID = re.compile(f"{_HEX}{{{ACCOUNT_ID_LENGTH}}}")
SERVICE_ACCOUNT_ID_PATTERN = f"{_HEX}{{{ACCOUNT_ID_LENGTH}}}(?!0000){_HEX}{{4}}"
APP_ID_PATTERN = f"{_HEX}{{{APP_ID_LENGTH}}}"
_SERVICE_ACCOUNT_ID = re.compile(SERVICE_ACCOUNT_ID_PATTERN)
_APP_ID = re.compile(APP_ID_PATTERN)
_KEY_ID = re.compile(f"(?:app|act|svc)_{_HEX}{{24}}")
_USAGE_IDENTIFIER_KEY = re.compile("[0-9A-Za-z]{20,128}")


class OwnerType(StrEnum):
    """What kind of thing owns a key; the words of the backend's context."""

    APP = "app"
    ACCOUNT = "account"
    SERVICE_ACCOUNT = "serviceAccount"


KEY_ID_PREFIXES = {
    OwnerType.APP: "app_",
    OwnerType.ACCOUNT: "act_",
    OwnerType.SERVICE_ACCOUNT: "svc_",
}
_OWNER_TYPES = {prefix: owner_type for owner_type, prefix in KEY_ID_PREFIXES.items()}

TokenHex = Callable[[int], str]
"""Like `secrets.token_hex`: a number of random bytes -> twice as many hex characters."""


def is_account_id(text: str) -> bool:
    """Tell whether the text has the shape of an account id."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def is_service_account_id(text: str) -> bool:
    """Tell whether the text has the shape of a service account id."""
    return _SERVICE_ACCOUNT_ID.fullmatch(text) is not None


def is_app_id(text: str) -> bool:
    """Tell whether the text has the shape of an app id."""
    return _APP_ID.fullmatch(text) is not None


def is_key_id(text: str) -> bool:
    """Tell whether the text has the shape of a key id."""
    return _KEY_ID.fullmatch(text) is not None


def is_usage_identifier_key(text: str) -> bool:
    """Tell whether the text can be the value of an API Gateway key: 20 to 128 letters and digits.

    Source: "Usage plans and API keys for REST APIs" in the API Gateway developer guide.
    """
    return _USAGE_IDENTIFIER_KEY.fullmatch(text) is not None


def owner_type_of_key(key_id: str) -> OwnerType:
    """Return the kind of owner that a well-formed key id names by its prefix."""
    return _OWNER_TYPES[key_id[:4]]


def account_id_of(owner_id: str) -> str:
    """Return the account that an account, service account or app id nests in."""
    return owner_id[:ACCOUNT_ID_LENGTH]


def creator_of_app(app_id: str) -> str:
    """Return the id of the account or the service account that created an app."""
    creator = app_id[ACCOUNT_ID_LENGTH:SERVICE_ACCOUNT_ID_LENGTH]
    by_account = creator == CREATED_BY_USER_ACCOUNT
    return app_id[: ACCOUNT_ID_LENGTH if by_account else SERVICE_ACCOUNT_ID_LENGTH]


def is_safe_user_id(user_id: str) -> bool:
    """Tell whether a `userId` can stand in a policy and a path and mean only itself."""
    # The id becomes part of an IAM resource and of a path: no character of it may mean anything
    # to either, and a dot segment would climb out of the user's own subtree (RFC 3986, 3.3).
    # What only looks like one where `@`, `+` or `:` is encoded, a policy denies
    # (`path_variants`).
    return (
        _SAFE_USER_ID.fullmatch(user_id) is not None
        and user_id != "."
        and not user_id.startswith("..")
        and _LIKE_CLIMBING.search(user_id) is None
        and len(percent_encoded(user_id)) <= MAX_USER_ID_LENGTH
    )


def percent_encoded(user_id: str, *, lower_hex: bool = False) -> str:
    """Return the form of a safe `userId` that clients put into a path (RFC 3986, 2.1).

    Most write the digits of an escape in upper case.
    """
    escapes = _PERCENT_ENCODED_IN_LOWER_CASE if lower_hex else _PERCENT_ENCODED
    return "".join(escapes.get(character, character) for character in user_id)


def new_account_id(token_hex: TokenHex = secrets.token_hex) -> str:
    """Make a random account id; the directory keeps it unique."""
    return token_hex(6)


def new_service_account_id(account_id: str, token_hex: TokenHex = secrets.token_hex) -> str:
    """Make a random service account id within an account; the directory keeps it unique."""
    while (suffix := token_hex(2)) == CREATED_BY_USER_ACCOUNT:
        pass
    return account_id + suffix


def new_app_id(
    account_id: str, service_account_id: str | None, token_hex: TokenHex = secrets.token_hex
) -> str:
    """Make a random app id below its creator; the directory keeps it unique."""
    creator = service_account_id or account_id + CREATED_BY_USER_ACCOUNT
    return creator + token_hex(4)


def new_key_id(owner_type: OwnerType, token_hex: TokenHex = secrets.token_hex) -> str:
    """Make a random key id with the prefix of its owner's kind."""
    return KEY_ID_PREFIXES[owner_type] + token_hex(12)
