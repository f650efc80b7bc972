"""Ids on the command line, checked before they are sent."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from keyscope.model.external_ids import is_external_id
from keyscope.model.ids import is_account_id, is_app_id, is_key_id, is_service_account_id
from keyscope_cli.failures import ExitStatus, Failure


class _Shape(NamedTuple):
    title: str
    is_well_formed: Callable[[str], bool]
    form: str
    example: str
    listed_by: str

    @property
    def variable(self) -> str:
        """The id's name in usages and examples, such as `APP_ID`."""
        return self.title.upper().replace(" ", "_")


class IdKind(_Shape, Enum):
    """The kinds of ids that commands take."""

    ACCOUNT = _Shape(
        "account ID",
        is_account_id,
        "12 hexadecimal digits",
        "4f1c0a9b2d3e",
        "account list",
    )
    SERVICE_ACCOUNT = _Shape(
        "service account ID",
        is_service_account_id,
        "16 hexadecimal digits",
        "4f1c0a9b2d3e7a21",
        "service-account list",
    )
    APP = _Shape(
        "app ID",
        is_app_id,
        "24 hexadecimal digits",
        "4f1c0a9b2d3e00005e8c1f02",
        "app list",
    )
    KEY = _Shape(
        "key ID",
        is_key_id,
        "`app_`, `int_`, `act_` or `svc_` and 24 hexadecimal digits",
        "app_63c2b7de09f14a58a1d07e36",
        "key list APP_ID",
    )


def checked_id(kind: IdKind, text: str) -> str:
    """Return an id that is well formed, and so is one segment of a path.

    Raises:
        Failure: it is malformed, with an example of one that is not.
    """
    if not kind.is_well_formed(text):
        raise _malformed(kind, text)
    return text


def checked_account(text: str) -> str:
    """Return the id or the external id of an account.

    Raises:
        Failure: it is neither.
    """
    if not is_account_id(text) and not is_external_id(text):
        raise _malformed(IdKind.ACCOUNT, text, "Or use the account's external ID. ")
    return text


def _malformed(kind: IdKind, text: str, alternative: str = "") -> Failure:
    message = f"Malformed {kind.title}: {text!r}."
    others = [other.title for other in IdKind if other.is_well_formed(text)]
    if others:
        message = f"Malformed {kind.title}: {text!r} looks like {_with_article(others[0])}."
    advice = (
        f"Such an ID has {kind.form}, for example {kind.example}. {alternative}"
        f"`keyscope {kind.listed_by}` shows yours."
    )
    return Failure(ExitStatus.USAGE, message, advice)


def _with_article(title: str) -> str:
    return f"{'an' if title[0] in 'aeiou' else 'a'} {title}"
