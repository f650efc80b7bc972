"""The operator's own ids of accounts and apps, which replace Keyscope's ids in paths.

The operator sets them at creation, and they never change. Keyscope's ids begin with their
account's; these have no such structure, so they say nothing about who owns what.
"""

import re
from typing import Final, NamedTuple

from keyscope.model.ids import ID_LENGTHS, IdName

MAX_EXTERNAL_ID_LENGTH: Final = 64
"""Characters. The policy must have room for two of them."""

_UNRESERVED: Final = re.compile(f"[A-Za-z0-9_~-][A-Za-z0-9._~-]{{0,{MAX_EXTERNAL_ID_LENGTH - 1}}}")
_ACCOUNT_EXTERNAL: Final[str] = IdName.ACCOUNT_EXTERNAL.value
_APP_EXTERNAL: Final[str] = IdName.APP_EXTERNAL.value
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_LENGTHS_OF_OTHERS: Final = frozenset(ID_LENGTHS.values())


class ExternalIds(NamedTuple):
    """The external ids of an account, and of one of its apps; `None` for what has none."""

    account: str | None = None
    app: str | None = None

    def by_name(self) -> dict[str, str]:
        """Return the ids that exist, by `IdName`."""
        named = {}
        if self.account is not None:
            named[_ACCOUNT_EXTERNAL] = self.account
        if self.app is not None:
            named[_APP_EXTERNAL] = self.app
        return named


NO_EXTERNAL_IDS: Final = ExternalIds()


def is_external_id(text: str) -> bool:
    """Return whether the text can be an external id.

    It consists of unreserved characters, so it has only one form in a path (RFC 3986, section 2.3)
    and no special meaning to IAM. It is neither a dot segment nor similar to Keyscope's ids.
    """
    if _UNRESERVED.fullmatch(text) is None:
        return False
    return len(text) not in _LENGTHS_OF_OTHERS or not _HEX.issuperset(text)


def folded(external_id: str) -> str:
    """Return the form in which external ids are unique: `Acme` and `acme` are one."""
    return external_id.lower()
