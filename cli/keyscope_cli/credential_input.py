"""Reads secrets from a file, the environment or a prompt, never from the command line."""

import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path
from typing import Final

from keyscope.authorize.credential import KINDS
from keyscope.model.ids import KEY_KINDS, is_key_id
from keyscope_cli.failures import ExitStatus, Failure

ACCOUNT_KEY: Final = "account_key"
"""The account's key in a local stack's session file."""
KEY_ID_VARIABLE: Final = "KEYSCOPE_KEY_ID"
SECRET_VARIABLE: Final = "KEYSCOPE_SECRET"  # noqa: S105 - the name of a variable
AUTHORIZATION_VARIABLE: Final = "KEYSCOPE_AUTHORIZATION"

_ALONE: Final = {kind.alone: kind.scheme for kind in KINDS if kind.alone}
"""Regular expressions of credentials stored without a scheme, and the scheme to send them with."""
_SECRET: Final = re.compile("|".join([*_ALONE, r"\b(basic|bearer)\s+\S{16,}"]), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key id with its secret; `source` says where they come from, for error messages."""

    key_id: str
    secret: str = field(repr=False)
    source: str

    def basic(self) -> str:
        """Return the `Authorization` value of the Basic scheme (RFC 7617)."""
        return "Basic " + b64encode(f"{self.key_id}:{self.secret}".encode()).decode()


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Refuse a command line that contains a secret, which other users and the shell's history see.

    Raises:
        Failure: with the position of the argument, not its text.
    """
    for position, argument in enumerate(arguments, start=1):
        if _SECRET.search(argument):
            raise Failure(
                ExitStatus.USAGE,
                f"Argument {position} looks like a secret or a token. Nothing was sent.",
                "Your shell's history and other users of this machine can see it. If it is real,"
                " rotate the key. Use a file, an environment variable or the prompt for secrets.",
            )


def held_key(file: Path | None, key_id: str | None, local_key: str = ACCOUNT_KEY) -> HeldKey | None:
    """Return the key from a file, else from the environment, else from a prompt for its secret.

    `local_key` is the key to use of a local stack's session file. There is a prompt only if the key
    id is known and the terminal is interactive. Returns `None` if nothing names a key.

    Raises:
        Failure: a source names a key but is incomplete.
    """
    if file is not None:
        return _key_of_text(_text_of(file), file, local_key)
    key_id = key_id or os.environ.get(KEY_ID_VARIABLE)
    if key_id is None:
        return None
    if not is_key_id(key_id):
        prefixes = ", ".join(KEY_KINDS)
        message = f"Malformed key ID: {key_id!r}."
        advice = f"A key ID is one of {prefixes} and 24 hexadecimal digits."
        raise Failure(ExitStatus.USAGE, message, advice)
    if secret := os.environ.get(SECRET_VARIABLE):
        return HeldKey(key_id, secret, SECRET_VARIABLE)
    if secret := _prompted(f"Secret of {key_id}: "):
        return HeldKey(key_id, secret, "the prompt")
    advice = f"Set {SECRET_VARIABLE}, or use --credential-file FILE."
    raise Failure(ExitStatus.USAGE, f"The secret of {key_id} is missing.", advice)


def authorization(file: Path | None) -> str | None:
    """Return the `Authorization` value from a file (`-` is standard input) or else the environment.

    A file contains the value itself, a secret or a token alone, which is sent as Bearer, or a key
    as written by `--secret-file`, which is sent with Basic. In an interactive terminal, there is a
    prompt as well. Returns `None` if there is no value.

    Raises:
        Failure: the file cannot be read.
    """
    if file is None:
        found = os.environ.get(AUTHORIZATION_VARIABLE)
        return found or _prompted("Authorization header (Basic ... or Bearer ...): ")
    text = sys.stdin.read() if str(file) == "-" else _text_of(file)
    if text.lstrip().startswith("{"):
        return _key_of_text(text, file, ACCOUNT_KEY).basic()
    value = text.strip("\r\n")
    # For example, the output of `keyscope token`.
    scheme = next((scheme for form, scheme in _ALONE.items() if re.fullmatch(form, value)), None)
    return value if scheme is None else f"{scheme} {value}"


def _prompted(question: str) -> str | None:
    return getpass(question) if sys.stdin.isatty() else None


def _key_of_text(text: str, file: Path, local_key: str) -> HeldKey:
    try:
        members = json.loads(text)
    except ValueError:
        key_id, _, secret = text.strip().partition(":")
        members = {"id": key_id, "secret": secret}
    if isinstance(members, dict) and isinstance(own := members.get(local_key), dict):
        # A session file of the local stack.
        members = {"id": own.get("key_id"), "secret": own.get("secret")}
    match members:
        case {"id": str(key_id), "secret": str(secret)} if is_key_id(key_id):
            return HeldKey(key_id, secret, str(file))
    advice = (
        'Use a file that --secret-file wrote, such as {"id": "act_...", "secret": "ks_..."}, one'
        " with ID:SECRET, or the local stack's session file."
    )
    raise Failure(ExitStatus.USAGE, f"{file} does not contain a key.", advice)


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure(ExitStatus.USAGE, f"Cannot read {file}: {reason}.") from None
