"""Hostile credentials: what each sends, where it is known from, and why it is refused.

Each attack on the form of a credential is made with the right secret: only the rule that it is
aimed at can refuse it. `tests/security` proves that each is refused; `benchmarks` measures what
that costs.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from keyscope.errors import Reason
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.secret import new_secret
from tests.support.builders import METHOD_ARN, basic

SOURCE_ADDRESS: Final = "192.0.2.7"


@dataclass(frozen=True)
class Attack:
    """What is sent: header fields in their order, and a query.

    `http_reason` is the reason of an HTTP API, where it is another one: there the fields of one
    name arrive joined by commas.
    """

    name: str
    source: str
    reason: Reason
    fields: Sequence[tuple[str, str]] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    http_reason: Reason | None = None

    def rest_request(self) -> dict[str, object]:
        """Return the event of a REST API's `REQUEST` authorizer."""
        multiple: dict[str, list[str]] = {}
        for name, value in self.fields:
            multiple.setdefault(name, []).append(value)
        return {
            "type": "REQUEST",
            "methodArn": METHOD_ARN,
            "headers": dict(self.fields),
            "multiValueHeaders": multiple,
            "queryStringParameters": dict(self.query),
            "multiValueQueryStringParameters": {k: [v] for k, v in self.query.items()},
            "requestContext": {
                "requestId": "request-1",
                "eventType": "MESSAGE",
                "identity": {"sourceIp": SOURCE_ADDRESS},
            },
        }

    def rest_token(self) -> dict[str, object] | None:
        """Return the event of a REST API's `TOKEN` authorizer, which is told of one field only."""
        if len(self.fields) != 1:
            return None
        token = self.fields[0][1]
        return {"type": "TOKEN", "methodArn": METHOD_ARN, "authorizationToken": token}

    def http(self) -> dict[str, object]:
        """Return the event of an HTTP API (payload format 2.0)."""
        joined: dict[str, str] = {}
        for name, value in self.fields:
            before = joined.get(name.lower())
            joined[name.lower()] = value if before is None else f"{before},{value}"
        return {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": METHOD_ARN,
            "headers": joined,
            "queryStringParameters": dict(self.query),
            "requestContext": {"requestId": "request-1", "http": {"sourceIp": SOURCE_ADDRESS}},
        }


def sent(name: str, source: str, reason: Reason, value: str) -> Attack:
    """Return the attack of one `Authorization` field."""
    return Attack(name, source, reason, (("Authorization", value),))


def encoded(octets: bytes) -> str:
    """Return a Basic value of any octets."""
    return "Basic " + base64.b64encode(octets).decode()


def header_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield attacks on where and how a credential is sent."""
    value = basic(key_id, secret)
    credentials = value.removeprefix("Basic ")
    twice, scheme = Reason.AMBIGUOUS_CREDENTIAL, Reason.UNSUPPORTED_SCHEME
    nothing, malformed = Reason.NO_CREDENTIAL, Reason.MALFORMED_BASIC
    query = {"authorization": value, "Authorization": value, "access_token": credentials}
    yield Attack("no Authorization", "RFC 9110, 11.6.2", nothing, ())
    yield Attack("credential in the query", "RFC 6750, 2.3; CWE-598", nothing, (), query)
    yield Attack(
        "credential under another name",
        "RFC 9110, 11.6.2",
        nothing,
        (("X-Authorization", value), ("Authorization ", value), ("Proxy-Authorization", value)),
    )
    for name, names in {
        "two fields": ("Authorization", "Authorization"),
        "two fields, case differs": ("Authorization", "authorization"),
    }.items():
        fields = tuple((field_name, value) for field_name in names)
        yield Attack(name, "RFC 9110, 5.3; RFC 6750, 2", twice, fields, http_reason=malformed)
    yield Attack(
        "an empty field before the right one",
        "RFC 9110, 5.3",
        twice,
        (("Authorization", ""), ("Authorization", value)),
        http_reason=scheme,
    )
    yield sent("empty", "RFC 9110, 11.4", nothing, "")
    yield sent("two joined by a comma", "RFC 9110, 5.3", malformed, f"{value}, {value}")
    yield sent("comma at the end", "RFC 9110, 5.6.1", malformed, value + ",")
    yield sent("comma at the beginning", "RFC 9110, 5.6.1", scheme, "," + value)
    yield sent("tab after the scheme", "RFC 9110, 11.4", scheme, f"Basic\t{credentials}")
    yield sent("tab after the space", "RFC 9110, 11.4", malformed, f"Basic \t{credentials}")
    yield sent("no-break space", "RFC 9110, 5.5", scheme, f"Basic\u00a0{credentials}")
    yield sent("space before the scheme", "RFC 9110, 5.5", scheme, " " + value)
    yield sent("space at the end", "RFC 9110, 5.5", malformed, value + " ")
    yield sent("tab at the end", "RFC 9110, 5.5", malformed, value + "\t")
    yield sent("another field behind CR LF", "CWE-93", malformed, value + "\r\nX-Scope: account")
    yield sent("NUL at the end", "CWE-158", malformed, value + "\0")
    yield sent("no scheme", "RFC 9110, 11.4", scheme, credentials)
    yield sent("scheme alone", "RFC 9110, 11.4", malformed, "Basic")
    yield sent("scheme with a dotted capital I", "CWE-178", scheme, f"BAS\u0130C {credentials}")
    yield sent("another scheme", "RFC 9110, 11.1", scheme, f'Digest username="{key_id}"')
    yield sent("scheme as a parameter", "RFC 9110, 11.4", scheme, f'Basic="{credentials}"')
    yield sent("lone surrogate", "RFC 8259, 8.2", scheme, "\ud800" + value)
    yield sent("10 KB", "CWE-400", Reason.CREDENTIAL_TOO_LONG, "Basic " + "A" * 10_240)
    yield sent("10 KB of spaces", "CWE-1333", Reason.CREDENTIAL_TOO_LONG, "Basic" + " " * 10_240)
    yield sent("4 KB of spaces", "CWE-1333", malformed, "Basic" + " " * 4_000)


def basic_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield attacks on the Basic scheme (RFC 7617)."""
    right = f"{key_id}:{secret}"
    text = base64.b64encode(right.encode()).decode()
    malformed, key, form = (
        Reason.MALFORMED_BASIC,
        Reason.MALFORMED_KEY_ID,
        Reason.MALFORMED_SECRET,
    )
    mistyped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    unknown = new_key_id(OwnerType.APP)
    another = Reason.SECRET_OF_ANOTHER_KEY
    padded = base64.b64encode(right.encode() + b"!" * (len(right) % 3 == 0)).decode()
    rows: tuple[tuple[str, str, Reason, str], ...] = (
        ("unpadded base64", "RFC 4648, 3.2", malformed, "Basic " + padded.rstrip("=")),
        ("too much padding", "RFC 4648, 3.2", malformed, f"Basic {text}===="),
        ("padding inside", "RFC 4648, 3.3", malformed, f"Basic {text[:8]}=={text[8:]}"),
        ("line break inside", "RFC 4648, 3.1", malformed, f"Basic {text[:8]}\n{text[8:]}"),
        ("space inside", "RFC 4648, 3.3", malformed, f"Basic {text[:8]} {text[8:]}"),
        ("URL-safe alphabet", "RFC 4648, 5", malformed, "Basic -_-_" + text),
        ("bits that encode nothing", "RFC 4648, 3.5", malformed, "Basic YTpiYR=="),
        ("full-width letters", "CWE-176", malformed, "Basic \uff21\uff21\uff21\uff21"),
        ("no colon", "RFC 7617, 2", malformed, encoded(b"nothing")),
        ("colon before the key id", "RFC 7617, 2", key, encoded(f":{right}".encode())),
        ("two colons", "RFC 7617, 2", form, encoded(f"{key_id}::{secret}".encode())),
        ("colon at the end", "RFC 7617, 2", form, encoded(f"{right}:".encode())),
        ("no key id", "RFC 7617, 2", key, encoded(f":{secret}".encode())),
        ("no secret", "CVE-2019-20933", form, encoded(f"{key_id}:".encode())),
        ("Latin-1", "RFC 7617, 2.1", malformed, encoded(f"{key_id}:caf\u00e9".encode("latin-1"))),
        ("invalid UTF-8", "RFC 3629, 3", malformed, encoded(b"\xff\xfe" + right.encode())),
        ("overlong UTF-8", "RFC 3629, 10", malformed, encoded(b"\xc1\xa1" + right.encode()[1:])),
        ("encoded surrogate", "RFC 3629, 3", malformed, encoded(b"\xed\xa0\x80" + right.encode())),
        ("byte order mark", "RFC 3629, 6", key, encoded(b"\xef\xbb\xbf" + right.encode())),
        ("UTF-16", "RFC 7617, 2.1", malformed, encoded(right.encode("utf-16"))),
        (
            "NUL in the key id",
            "RFC 7617, 2; CWE-158",
            key,
            encoded(f"{key_id}\0:{secret}".encode()),
        ),
        ("NUL in the secret", "RFC 7617, 2; CWE-158", form, encoded(f"{right}\0".encode())),
        ("control character", "RFC 7617, 2", form, encoded(f"{key_id}:\x07{secret}".encode())),
        ("line break at the end", "RFC 7617, 2", form, encoded(f"{right}\n".encode())),
        ("key id in capitals", "CWE-178", key, encoded(f"{key_id.upper()}:{secret}".encode())),
        ("key id as a path", "CWE-22", key, basic("../../" + key_id, secret)),
        ("key id as SQL", "CWE-89", key, basic("' OR '1'='1", secret)),
        ("key id in other digits", "CWE-176", key, basic(key_id[:-1] + "\u0661", secret)),
        ("lone surrogate", "RFC 8259, 8.2", malformed, f"Basic {text[:-1]}\ud800"),
        ("shortened secret", "CWE-20", form, basic(key_id, secret[:-1])),
        ("mistyped secret", "CWE-20", Reason.MISTYPED_SECRET, basic(key_id, mistyped)),
        ("another key's secret", "CWE-639", another, basic(key_id, new_secret(unknown))),
        ("another key's id", "CWE-639", another, basic(unknown, secret)),
        ("unknown key", "CWE-204", Reason.UNKNOWN_KEY, basic(unknown, new_secret(unknown))),
        ("another secret", "CWE-208", Reason.WRONG_SECRET, basic(key_id, new_secret(key_id))),
    )
    for name, source, reason, value in rows:
        yield sent(f"Basic: {name}", source, reason, value)


def bearer_secret_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield attacks on a secret that is sent alone (RFC 6750)."""
    form, token = Reason.MALFORMED_SECRET, Reason.MALFORMED_TOKEN
    mistyped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    unknown = new_secret(new_key_id(OwnerType.APP))
    in_base64 = encoded(secret.encode()).removeprefix("Basic ")
    rows = (
        ("prefix alone", "CWE-20", form, "ks_"),
        ("key id alone", "CWE-287", form, f"ks_{key_id}_"),
        ("shortened", "CWE-20", form, secret[:-1]),
        ("mistyped", "CWE-20", Reason.MISTYPED_SECRET, mistyped),
        ("space at the end", "RFC 9110, 5.5", form, f"{secret} "),
        ("line break at the end", "RFC 9110, 5.5", form, f"{secret}\n"),
        ("NUL at the end", "CWE-158", form, f"{secret}\0"),
        ("two joined by a comma", "RFC 9110, 5.3", form, f"{secret}, {secret}"),
        ("with a parameter", "RFC 9110, 11.4", form, f'{secret}, scope="account"'),
        ("quoted", "RFC 6750, 2.1", token, f'"{secret}"'),
        ("in base64", "RFC 6750, 2.1", token, in_base64),
        ("as Basic without base64", "RFC 7617, 2", token, f"{key_id}:{secret}"),
        ("digits of another script", "CWE-176", form, secret[:-1] + "\u0661"),
        ("another key", "CWE-204", Reason.UNKNOWN_KEY, unknown),
        ("another secret of the key", "CWE-208", Reason.WRONG_SECRET, new_secret(key_id)),
    )
    for name, source, reason, text in rows:
        yield sent(f"Bearer secret: {name}", source, reason, f"Bearer {text}")
    yield sent("Bearer secret: as Basic", "RFC 7617, 2", Reason.MALFORMED_BASIC, f"Basic {secret}")
