"""Remedies for an `Authorization` value that cannot be read, apart from tokens."""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from keyscope.authorize.credential import MAX_AUTHORIZATION_LENGTH
from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.remedies.remedy import Remedies, RemediesByReason, Remedy, otherwise
from keyscope.explain.request import EventKind
from keyscope.explain.sent import is_base64
from keyscope.model.ids import KEY_ID_LENGTH, KEY_KINDS, is_key_id, owner_type_of_id
from keyscope.model.secret import SECRET_LENGTH, SECRET_PREFIX

OTHER_HEADERS: Final = frozenset(
    {
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
        "x-authorization",
        "authentication",
        "proxy-authorization",
    }
)
"""Headers in which other APIs expect a credential."""
QUOTES: Final = ('"', "'")
_PREFIXES: Final = tuple(KEY_KINDS)
_ENCODED_PREFIXES: Final = tuple(b64encode(prefix[:3].encode()).decode() for prefix in _PREFIXES)
KEY_ID_FORM: Final = f"{', '.join(_PREFIXES[:-1])} or {_PREFIXES[-1]} and 24 hex characters"
_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
COPY_AGAIN: Final = "Copy the secret again, whole. If it is lost, rotate the key."
_ENCODE: Final = (
    "Encode `keyid:secret` with `printf '%s' \"$KEY_ID:$SECRET\" | base64 | tr -d '\\n'`."
)


def _is_websocket(known: Known) -> bool:
    return known.asked.event_kind is EventKind.WEBSOCKET


def _starts_with(*starts: str) -> Callable[[Known], bool]:
    return lambda known: known.sent.value.strip().startswith(starts)


def _value_names_a_key(known: Known) -> bool:
    return known.sent.value.startswith(_PREFIXES) and ":" in known.sent.value


def _is_basic_without_scheme(known: Known) -> bool:
    from_value = known.sent.value.strip()
    return from_value.startswith(_ENCODED_PREFIXES) and is_base64(from_value)


def _key_id(known: Known) -> str:
    return known.sent.text.partition(":")[0]


def secret_sent(known: Known) -> str:
    """Return the text in the place of the secret, with Basic or Bearer."""
    if known.sent.scheme == "basic":
        return known.sent.text.partition(":")[2]
    return known.sent.rest


def is_quoted(text: str) -> bool:
    """Return whether a text begins or ends with a quotation mark."""
    return text.startswith(QUOTES) or text.endswith(QUOTES)


NO_CREDENTIAL: Final[Remedies] = (
    Remedy(
        lambda known: not OTHER_HEADERS.isdisjoint(known.headers),
        "The credential is in another header, such as `x-api-key`. Send it in the `Authorization`"
        " header, with `Basic` or `Bearer`.",
    ),
    Remedy(
        lambda known: not _is_websocket(known) and "authorization" in known.query,
        "Only WebSocket APIs read the query parameter `authorization`. Send an `Authorization`"
        " header.",
    ),
    Remedy(
        _is_websocket,
        "Open the WebSocket with an `Authorization` header. In a browser, use the query parameter"
        " `authorization`.",
    ),
    Remedy(
        lambda known: "authorization" in known.headers,
        "The `Authorization` header is empty. Check that the variable it comes from is set.",
    ),
    otherwise("Send an `Authorization` header, with `Basic` or `Bearer`."),
)

AMBIGUOUS_CREDENTIAL: Final[Remedies] = (
    Remedy(
        lambda known: "authorization" in known.headers and "authorization" in known.query,
        "The request has both an `Authorization` header and the query parameter `authorization`."
        " Send one of them.",
    ),
    Remedy(
        lambda known: "authorization" in known.query,
        "The query parameter `authorization` is repeated. Send it once.",
    ),
    otherwise(
        "The request has more than one `Authorization` header. Send one; look for a proxy or a"
        " client library that adds another."
    ),
)

CREDENTIAL_TOO_LONG: Final[Remedies] = (
    Remedy(
        lambda known: known.sent.scheme == "bearer",
        f"The token is too long: an `Authorization` value has at most {MAX_AUTHORIZATION_LENGTH:,}"
        " characters. Sign fewer or shorter claims.",
    ),
    otherwise(
        f"An `Authorization` value has at most {MAX_AUTHORIZATION_LENGTH:,} characters. Send one"
        " key id and secret, or one token."
    ),
)

UNSUPPORTED_SCHEME: Final[Remedies] = (
    Remedy(
        _starts_with(SECRET_PREFIX),
        "The secret has no scheme. Put `Bearer` and a space in front of it.",
    ),
    Remedy(
        lambda known: _TOKEN.match(known.sent.value.strip()) is not None,
        "The token has no scheme. Put `Bearer` and a space in front of it.",
    ),
    Remedy(
        _value_names_a_key,
        "Key id and secret are neither encoded nor preceded by a scheme. Put `Basic` and a space in"
        f" front. {_ENCODE}",
    ),
    Remedy(
        _is_basic_without_scheme,
        "The base64 of key id and secret has no scheme. Put `Basic` and a space in front of it.",
    ),
    Remedy(
        _starts_with(*QUOTES),
        "The value begins with a quotation mark. Remove the quotation marks around it.",
    ),
    Remedy(
        lambda known: known.sent.value[:1].isspace() or "\t" in known.sent.value,
        "The value begins with white space or contains a tab. Separate the scheme from the"
        " credential by one space.",
    ),
    Remedy(
        lambda known: known.sent.scheme in {"basic:", "bearer:", "basic=", "bearer="},
        "The scheme ends with a punctuation mark. Write `Basic` or `Bearer` and a space.",
    ),
    Remedy(
        lambda known: known.sent.scheme.startswith("aws4-"),
        "The request is signed with AWS credentials (Signature Version 4). Send a Keyscope key with"
        " `Basic` or `Bearer` instead.",
    ),
    otherwise(
        "Use `Basic` with a key id and a secret, or `Bearer` with a secret or a JWT. Keyscope"
        " supports no other scheme, such as `Digest`, `Token` or `ApiKey`."
    ),
)

_UTF_16: Final = Remedy(
    lambda known: known.sent.octets.count(0) * 3 > len(known.sent.octets),
    "The base64 is of UTF-16 text, as PowerShell's `[Text.Encoding]::Unicode` writes it. Use"
    " `[Text.Encoding]::UTF8`.",
)

MALFORMED_BASIC: Final[Remedies] = (
    Remedy(
        lambda known: not known.sent.rest,
        "Nothing follows `Basic`. Check that the variables with the key id and the secret are set.",
    ),
    Remedy(
        lambda known: known.sent.rest.startswith(SECRET_PREFIX),
        "The secret follows `Basic`. Send it with `Bearer`, or encode the key id, a colon and the"
        " secret.",
    ),
    Remedy(
        lambda known: "," in known.sent.rest,
        "The value contains a comma: API Gateway joins repeated headers with one. Send one"
        " `Authorization` header.",
    ),
    Remedy(
        lambda known: ":" in known.sent.rest,
        f"Key id and secret are not encoded. {_ENCODE}",
    ),
    Remedy(
        lambda known: is_quoted(known.sent.rest),
        "The base64 has quotation marks around it. Remove them.",
    ),
    Remedy(
        lambda known: any(character.isspace() for character in known.sent.rest),
        "The base64 contains a space or a line break. The command `base64` wraps long lines:"
        " remove the breaks with `tr -d '\\n'`.",
    ),
    Remedy(
        lambda known: "-" in known.sent.rest or "_" in known.sent.rest,
        "The base64 uses the URL-safe alphabet (`-` and `_`). Use the standard alphabet (`+` and"
        " `/`), with padding.",
    ),
    Remedy(
        lambda known: len(known.sent.rest) % 4 != 0 and len(known.sent.text) >= SECRET_LENGTH,
        "The base64 lacks its padding. Do not strip the `=` at its end.",
    ),
    Remedy(
        lambda known: len(known.sent.rest) % 4 != 0,
        "The base64 is cut, or it is not base64. Its length must be a multiple of 4.",
    ),
    Remedy(
        lambda known: not is_base64(known.sent.rest),
        f"The value contains a character that base64 does not have. {_ENCODE}",
    ),
    _UTF_16,
    Remedy(
        lambda known: not known.sent.text,
        "The base64 is of text that is not UTF-8. Encode key id and secret in UTF-8.",
    ),
    Remedy(
        lambda known: ":" in known.sent.text,
        "The last character of the base64 has stray bits, so it was typed or cut. Encode the key id"
        " and the secret again.",
    ),
    Remedy(
        lambda known: known.sent.text.startswith(SECRET_PREFIX),
        "The base64 contains the secret alone. Send the secret itself with `Bearer`, or encode the"
        " key id, a colon and the secret.",
    ),
    Remedy(
        lambda known: is_key_id(known.sent.text.strip()),
        "The base64 contains the key id alone. Encode the key id, a colon and the secret.",
    ),
    Remedy(
        lambda known: known.sent.text.startswith(_ENCODED_PREFIXES),
        "Key id and secret were encoded twice. A client library that takes a user name and a"
        " password encodes them itself.",
    ),
    Remedy(
        lambda known: _TOKEN.match(known.sent.text) is not None,
        "The base64 contains a token. Send the token itself with `Bearer`.",
    ),
    otherwise(f"The base64 contains no colon between a key id and a secret. {_ENCODE}"),
)

KEY_ID_IN_BASIC: Final[Remedies] = (
    _UTF_16,
    Remedy(
        lambda known: (
            _key_id(known).startswith(SECRET_PREFIX) or is_key_id(secret_sent(known).strip())
        ),
        "The key id and the secret are swapped. The key id is before the colon.",
    ),
    Remedy(
        lambda known: not _key_id(known),
        "Nothing is before the colon. Check that the variable with the key id is set.",
    ),
    Remedy(
        lambda known: is_key_id(_key_id(known).strip()),
        "The key id has a space or a line break around it. Remove it.",
    ),
    Remedy(
        lambda known: is_key_id(_key_id(known).strip("\"'")),
        "The key id has quotation marks around it. Remove them.",
    ),
    Remedy(
        lambda known: is_key_id(_key_id(known).lower()),
        "The key id has uppercase letters. Key ids are lowercase.",
    ),
    Remedy(
        lambda known: owner_type_of_id(_key_id(known)) is not None,
        "The text before the colon is the id of an app or an account. Use the id of one of its"
        f" keys: {KEY_ID_FORM}.",
    ),
    Remedy(
        lambda known: _key_id(known).startswith(_PREFIXES) and len(_key_id(known)) != KEY_ID_LENGTH,
        f"The key id is cut or too long. A key id is {KEY_ID_FORM}.",
    ),
    otherwise(f"The text before the colon is not a key id. A key id is {KEY_ID_FORM}."),
)

MALFORMED_SECRET: Final[Remedies] = (
    Remedy(
        lambda known: not secret_sent(known),
        "The secret is empty. Check that the variable it comes from is set.",
    ),
    Remedy(
        lambda known: secret_sent(known).endswith(("\n", "\r")),
        "The secret ends with a line break, which `echo` adds. Use `printf '%s'` or `echo -n`"
        " instead, and strip what you read from a file.",
    ),
    Remedy(
        lambda known: secret_sent(known) != secret_sent(known).strip(),
        "The secret has a space around it. Remove it.",
    ),
    Remedy(
        lambda known: is_quoted(secret_sent(known)),
        "The secret has quotation marks around it. Remove them.",
    ),
    Remedy(
        lambda known: "," in secret_sent(known),
        "The secret contains a comma: API Gateway joins repeated headers with one. Send one"
        " `Authorization` header with one secret.",
    ),
    Remedy(
        lambda known: not secret_sent(known).startswith(SECRET_PREFIX),
        f"It is not a Keyscope secret: those begin with `{SECRET_PREFIX}`. {COPY_AGAIN}",
    ),
    Remedy(
        lambda known: len(secret_sent(known)) < SECRET_LENGTH,
        f"The secret is cut: one has {SECRET_LENGTH} characters. {COPY_AGAIN}",
    ),
    Remedy(
        lambda known: len(secret_sent(known)) > SECRET_LENGTH,
        f"Something follows the secret: one has {SECRET_LENGTH} characters. {COPY_AGAIN}",
    ),
    otherwise(f"The secret contains a character that no secret has. {COPY_AGAIN}"),
)


CREDENTIALS: Final[RemediesByReason] = {
    Reason.NO_CREDENTIAL: NO_CREDENTIAL,
    Reason.AMBIGUOUS_CREDENTIAL: AMBIGUOUS_CREDENTIAL,
    Reason.CREDENTIAL_TOO_LONG: CREDENTIAL_TOO_LONG,
    Reason.UNSUPPORTED_SCHEME: UNSUPPORTED_SCHEME,
    Reason.MALFORMED_BASIC: MALFORMED_BASIC,
    Reason.MALFORMED_SECRET: MALFORMED_SECRET,
    Reason.MISTYPED_SECRET: (
        otherwise(f"A character of the secret is wrong: its checksum does not match. {COPY_AGAIN}"),
    ),
    Reason.SECRET_OF_ANOTHER_KEY: (
        otherwise(
            "The secret belongs to another key, which it names. Send that key's id with it, or the"
            " secret of this key; `Bearer` with the secret alone needs no key id."
        ),
    ),
}
