"""Finding a secret or a token in whatever form, in whatever is written or raised."""

import base64
import io
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized, Undecided
from keyscope.errors import Unavailable
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.secret import hash_secret, new_secret
from tests.support.logs import functions_log_here
from tests.support.seeded_aws import Context, SeededAws

_URL_SAFE = str.maketrans("+/", "-_")
_SHORTEST_PART = 30
CANARY: Final = new_secret(new_key_id(OwnerType.APP))
ERRORS: Final[Mapping[str, Exception]] = {
    "a bug": RuntimeError(f"it was {CANARY}"),
    "a missing member": KeyError(CANARY),
    "text that is not UTF-8": UnicodeDecodeError(
        "utf-8", CANARY.encode() + b"\xff", 52, 53, CANARY
    ),
    "an error of AWS": ClientError({"Error": {"Code": "Oops", "Message": CANARY}}, "Decrypt"),
    "an error of botocore": ParamValidationError(report=CANARY),
}


def forms_of(secret: str, *values: str) -> Mapping[str, str]:
    """Return what must not be found, by name: a secret in all forms, and the parts of values.

    A value is another secret, or a credential as it is sent.
    """
    digest = hash_secret(secret)
    forms = {
        "secret": secret,
        "secret reversed": secret[::-1],
        "secret in hex": secret.encode().hex(),
        "half of the secret's random part": secret.rpartition("_")[2][:24],
        "hash in hex": digest.hex(),
        "hash as Python": repr(digest)[2:-1],
    }
    for name, octets in (("secret", secret.encode()), ("hash", digest)):
        for offset in range(3):
            # Of base64, the characters that no neighbor has a part in.
            text = base64.b64encode(bytes(offset) + octets).decode().rstrip("=")[4:-4]
            forms[f"{name} in base64, offset {offset}"] = text
            forms[f"{name} in base64url, offset {offset}"] = text.translate(_URL_SAFE)
    for number, value in enumerate(values):
        credentials = value.rpartition(" ")[2]
        parts = [part for part in credentials.split(".") if len(part) > _SHORTEST_PART]
        forms |= {f"value {number}, part {place}": part for place, part in enumerate(parts)}
    return forms


def found(forms: Mapping[str, str], text: str) -> list[str]:
    """Return the names of the forms that stand in a text."""
    return [name for name, form in forms.items() if form in text]


@dataclass
class Heard:
    """All that was written: standard output and error, log records with all they hold, warnings."""

    output: io.StringIO = field(default_factory=io.StringIO)
    records: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join([self.output.getvalue(), *self.records])


class _Recorder(logging.Handler):
    def __init__(self, records: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(f"{record.getMessage()} {vars(record)!r}")


@contextmanager
def listening(*services: str) -> Iterator[Heard]:
    """Hear all that is written, with the root logger at DEBUG as Lambda's log level sets it."""
    heard, root = Heard(), logging.getLogger()
    recorder, level = _Recorder(heard.records), root.level
    root.addHandler(recorder)
    root.setLevel(logging.DEBUG)
    try:
        with (
            redirect_stdout(heard.output),
            redirect_stderr(heard.output),
            functions_log_here(*services),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield heard
            heard.records += [str(warning) for warning in warned]
    finally:
        root.setLevel(level)
        root.removeHandler(recorder)


def told_by(error: BaseException | None) -> str:
    """Return all that an error tells: it and what is behind it, and what awslambdaric prints."""
    told = []
    while error is not None:
        told += [str(error), repr(error), repr(error.args), repr(vars(error))]
        told += [repr(getattr(error, "object", "")), repr(getattr(error, "doc", ""))]
        told += traceback.format_list(traceback.extract_tb(error.__traceback__))
        error = error.__cause__ or error.__context__
    return "\n".join(told)


@dataclass(frozen=True)
class Raising:
    """Whatever is asked of it, it raises."""

    error: Exception

    def __getattr__(self, name: str) -> Callable[..., object]:
        return self

    def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - stands for anything
        raise self.error


def verbose(aws: SeededAws) -> dict[str, str]:
    return {**aws.variables, "KEYSCOPE_LOG_LEVEL": "DEBUG"}


def outcome(handler: Callable[[Any, Any], object], event: object) -> str:
    """Return all that an invocation tells its caller or raises."""
    try:
        return repr(handler(event, Context()))
    except (Unauthorized, AuthorizerFailed, Undecided, Unavailable) as error:
        return told_by(error)
