"""Hostile claims and hostile JSON, each in a token that is rightly signed."""

import json
from collections.abc import Iterator

from keyscope.errors import Reason
from tests.support.attacks import Attack
from tests.support.builders import NOW
from tests.support.signing import APP, signed, token_sent


def claim_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield attacks on what a token claims."""
    header = {"alg": "HS256", "kid": key_id}
    odd = ('"1800000060"', "1.8e9", "1e400", "-1", "-1e400", "true", "null", "[]", "{}", "9" * 400)
    far = (str(253_402_300_800), str(NOW * 1_000))
    rows: list[tuple[str, str, Reason, str]] = [
        (f'"scope":"app","{claim}":{value}', source, Reason.MALFORMED_CLAIM, claim)
        for claim, source in (
            ("exp", "RFC 7519, 4.1.4"),
            ("nbf", "RFC 7519, 4.1.5"),
        )
        for value in odd + far
    ]
    rows += [
        (f'"scope":"app","{claim}":{value}', "RFC 8259, 6", Reason.MALFORMED_TOKEN, claim)
        for claim in ("exp", "nbf", "iat")
        for value in ("NaN", "Infinity", "-Infinity", "01", "+1", "0x7", "1_0")
    ]
    ended, early = Reason.EXPIRED_TOKEN, Reason.TOKEN_NOT_YET_VALID
    rows += [
        ('"scope":"app","exp":0', "RFC 7519, 4.1.4", ended, "exp of 1970"),
        ('"scope":"app","nbf":253402300799', "RFC 7519, 4.1.5", early, "nbf of 9999"),
        ('"sub":"x"', "RFC 8725, 3.12", Reason.MISSING_SCOPE, "no scope"),
        ('"scope":null', "RFC 8725, 3.12", Reason.MISSING_SCOPE, "scope"),
        ('"scope":["app"]', "RFC 8725, 3.10", Reason.MALFORMED_CLAIM, "scope"),
        ('"scope":"app account"', "RFC 6749, 3.3", Reason.UNKNOWN_SCOPE, "scope"),
        ('"scope":"*"', "CWE-155", Reason.UNKNOWN_SCOPE, "scope"),
        ('"scope":"APP"', "CWE-178", Reason.UNKNOWN_SCOPE, "scope"),
        ('"scope":"\\ud800"', "RFC 8259, 8.2", Reason.UNKNOWN_SCOPE, "scope"),
        ('"scope":"account"', "RFC 8725, 3.10", Reason.SCOPE_NOT_OF_OWNER, "scope not its own"),
        ('"scope":"appUser"', "RFC 8725, 3.10", Reason.MISSING_USER_ID, "no userId"),
        ('"scope":"appUser","userId":7', "RFC 8725, 3.10", Reason.MALFORMED_CLAIM, "userId"),
        ('"scope":"user","external_id":7', "RFC 8725, 3.10", Reason.MALFORMED_CLAIM, "external_id"),
        ('"scope":"user","external_id":"*"', "CWE-155", Reason.UNSAFE_USER_ID, "external_id"),
        (
            '"scope":"appUser","userId":"a","external_id":"b"',
            "CWE-436",
            Reason.CONFLICTING_CLAIMS,
            "two users",
        ),
    ]
    rows += [
        (f'"scope":"appUser","userId":{value}', source, Reason.UNSAFE_USER_ID, "userId")
        for value, source in (
            ('"*"', "CWE-155"),
            ('"../customer-8"', "CWE-22"),
            ('"a%2fb"', "CWE-177"),
            ('"${aws:username}"', "CWE-74"),
            ('"a\\u0000"', "CWE-158"),
            ('"\\ud800"', "RFC 8259, 8.2"),
        )
    ]
    for members, source, reason, name in rows:
        token = signed(header, f"{{{members}}}", secret)
        yield token_sent(f"{name}: {members[:48]}", source, reason, token)


def json_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield attacks on the JSON of a token."""
    header = {"alg": "HS256", "kid": key_id}
    text = json.dumps(header)
    twice, broken = Reason.DUPLICATE_TOKEN_MEMBER, Reason.MALFORMED_TOKEN
    deep = 1_400
    endless = '{"scope":"app","exp":' + "9" * 2_500
    rows: tuple[tuple[str, str, Reason, object, object], ...] = (
        ("alg twice", "RFC 7515, 4", twice, '{"alg":"none",' + text[1:], APP),
        ("kid twice, once escaped", "RFC 7515, 4", twice, '{"\\u006bid":"x",' + text[1:], APP),
        ("scope twice", "RFC 7519, 4", twice, header, '{"scope":"app","scope":"account"}'),
        ("nested twice", "RFC 7519, 4", twice, header, '{"scope":"app","x":[{"a":1,"a":2}]}'),
        ("header a list", "RFC 7515, 4", broken, [header], APP),
        ("header null", "RFC 7515, 4", broken, "null", APP),
        ("claims a string", "RFC 7519, 7.2", broken, header, '"app"'),
        ("claims a token", "RFC 7519, 5.2", broken, header, signed(header, APP, secret)),
        ("header not JSON", "RFC 7515, 5.2", broken, "{'alg':'HS256'}", APP),
        ("comment in JSON", "RFC 8259, 2", broken, "/**/" + text, APP),
        ("two values", "RFC 8259, 2", broken, text + text, APP),
        ("comma at the end", "RFC 8259, 4", broken, text[:-1] + ",}", APP),
        ("byte order mark", "RFC 8259, 8.1", broken, b"\xef\xbb\xbf" + text.encode(), APP),
        ("UTF-16", "RFC 8725, 3.7", broken, text.encode("utf-16"), APP),
        ("Latin-1", "RFC 8725, 3.7", broken, header, '{"scope":"app","x":"é"}'.encode("latin-1")),
        ("encoded surrogate", "RFC 3629, 3", broken, header, b'{"scope":"app","x":"\xed\xa0\x80"}'),
        ("raw NUL in a string", "RFC 8259, 7", broken, header, '{"scope":"app","x":"\0"}'),
        ("lists nested deeply", "CVE-2026-102265", broken, "[" * 2 * deep, APP),
        ("objects nested deeply", "CWE-674", broken, '{"a":' * 500, APP),
        ("claims nested deeply", "CWE-674", broken, header, "[" * deep + "]" * deep),
        (
            "digits without end",
            "CVE-2020-10735",
            broken,
            header,
            endless,
        ),
        ("compressed claims", "RFC 8725, 3.6", broken, header, b"\x78\x9c\xab\x56\x2a"),
        ("empty header", "RFC 7515, 4.1.1", Reason.UNSUPPORTED_ALGORITHM, {}, APP),
    )
    for name, source, reason, head, claims in rows:
        yield token_sent(name, source, reason, signed(head, claims, secret))
