"""Hostile tokens, signed with the right secret wherever that is not the attack itself."""

import json
from collections.abc import Iterator

from keyscope.errors import Reason
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.secret import new_secret
from tests.support.attacks import Attack
from tests.support.claim_attacks import claim_attacks, json_attacks
from tests.support.signing import APP, segment, signed, token_sent


def token_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    """Yield every attack on the Bearer scheme."""
    for attacks in (
        _algorithm_attacks,
        _header_parameter_attacks,
        claim_attacks,
        json_attacks,
        _serialization_attacks,
        _proof_attacks,
    ):
        yield from attacks(key_id, secret)


def _algorithm_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    refused = Reason.UNSUPPORTED_ALGORITHM
    for name in ("none", "None", "NONE", "nOnE"):
        header = {"alg": name, "kid": key_id}
        unsigned = f"{segment(header)}.{segment(APP)}."
        yield token_sent(
            f"alg {name}, unsigned", "RFC 8725, 2.1; CVE-2022-23540", refused, unsigned
        )
        yield token_sent(
            f"alg {name}, signed", "RFC 8725, 2.1", refused, signed(header, APP, secret)
        )
    others: tuple[tuple[object, str], ...] = (
        ("hs256", "RFC 7515, 4.1.1"),
        ("HS256 ", "RFC 7515, 4.1.1"),
        ("HS256\0", "CWE-158"),
        ("HS\u2082\u2085\u2086", "CWE-176"),
        ("RS256", "RFC 8725, 2.1; CVE-2015-9235"),
        ("ES256", "CVE-2022-29217"),
        ("PS256", "CVE-2016-10555"),
        ("EdDSA", "CVE-2022-29217"),
        ("HMAC", "RFC 8725, 3.1"),
        ("", "RFC 7515, 4.1.1"),
        (["HS256"], "RFC 7515, 4.1.1"),
        ({"HS256": True}, "RFC 7515, 4.1.1"),
        (None, "RFC 7515, 4.1.1"),
        (256, "RFC 7515, 4.1.1"),
    )
    for alg, source in others:
        token = signed({"alg": alg, "kid": key_id}, APP, secret)
        yield token_sent(f"alg {json.dumps(alg)}", source, refused, token)
    yield token_sent("no alg", "RFC 7515, 4.1.1", refused, signed({"kid": key_id}, APP, secret))
    yield token_sent(
        "ALG instead of alg",
        "RFC 7515, 4",
        refused,
        signed({"ALG": "HS256", "kid": key_id}, APP, secret),
    )
    for alg in ("HS384", "HS512"):
        token = signed({"alg": alg, "kid": key_id}, APP, secret, alg)
        # Its signature is longer than any that is read.
        yield token_sent(f"{alg}, rightly signed", "RFC 8725, 3.1", Reason.MALFORMED_TOKEN, token)


def _header_parameter_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    right = {"alg": "HS256", "kid": key_id}
    jwk = {"kty": "oct", "k": segment(secret), "alg": "HS256"}
    rows: tuple[tuple[str, object, str, Reason], ...] = (
        *(
            (name, value, source, Reason.UNSUPPORTED_HEADER_PARAMETER)
            for name, value, source in (
                ("jwk", jwk, "CVE-2018-0114"),
                ("jku", "https://attacker.example/keys", "RFC 8725, 3.10; CWE-918"),
                ("x5u", "https://attacker.example/key", "RFC 8725, 3.10; CWE-918"),
                ("x5c", ["AAAA"], "CVE-2018-0114"),
                ("x5t", "AAAA", "RFC 7515, 4.1.7"),
                ("x5t#S256", "AAAA", "RFC 7515, 4.1.8"),
                ("crit", ["exp"], "RFC 7515, 4.1.11; CVE-2026-32597"),
                ("crit", [], "RFC 7515, 4.1.11"),
                ("crit", None, "RFC 7515, 4.1.11"),
                ("b64", False, "RFC 7797, 6"),
                ("b64", True, "RFC 7797, 6"),
                ("zip", "DEF", "RFC 8725, 3.6"),
                ("enc", "A128GCM", "RFC 7516, 4.1.2"),
            )
        ),
        *(
            ("typ", value, "RFC 8725, 3.11", Reason.UNSUPPORTED_TOKEN_TYPE)
            for value in ("at+jwt", "JWE", "", None, 1, ["JWT"], "application/jwt")
        ),
        *(
            ("kid", value, source, Reason.MALFORMED_KEY_ID)
            for value, source in (
                ("../../../../dev/null", "RFC 8725, 3.10; CWE-22"),
                ("x' UNION SELECT 'secret", "RFC 8725, 3.10; CWE-89"),
                ("| sleep 10 |", "RFC 8725, 3.10; CWE-78"),
                ("https://attacker.example/" + key_id, "RFC 8725, 3.10; CWE-918"),
                (7, "RFC 7515, 4.1.4"),
                ([key_id], "RFC 7515, 4.1.4"),
                ({"S": key_id}, "RFC 7515, 4.1.4"),
                (None, "RFC 7515, 4.1.4"),
                ("", "RFC 8725, 3.10"),
                (key_id + "\0", "CWE-158"),
                (key_id + "\n", "CWE-93"),
                (key_id.upper(), "RFC 7515, 4.1.4"),
                (key_id[:-1] + "\u0661", "CWE-176"),
                ("\ud800", "RFC 8259, 8.2"),
                ("x" * 2_000, "CWE-400"),
            )
        ),
    )
    for name, value, source, reason in rows:
        token = signed({**right, name: value}, APP, secret)
        yield token_sent(f"{name} {json.dumps(value)[:40]}", source, reason, token)
    no_kid = signed({"alg": "HS256"}, APP, secret)
    yield token_sent("no kid", "RFC 8725, 3.10", Reason.MALFORMED_KEY_ID, no_kid)
    long = signed({**right, "kid": "x" * 102_400}, APP, secret)
    yield token_sent("kid of 100 KB", "CWE-400", Reason.CREDENTIAL_TOO_LONG, long)


def _serialization_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    header = {"alg": "HS256", "kid": key_id}
    right = signed(header, APP, secret)
    head, claims, mac = right.split(".")
    flattened = {"protected": head, "payload": claims, "signature": mac}
    general = {"payload": claims, "signatures": [{"protected": head, "signature": mac}]}
    mixed = {f"{head}.{claims}.": "", **flattened}
    refused, unsigned = Reason.MALFORMED_TOKEN, Reason.UNSUPPORTED_ALGORITHM
    rows: tuple[tuple[str, str, Reason, str], ...] = (
        ("flattened JSON", "RFC 7515, 7.2.2", refused, json.dumps(flattened)),
        ("general JSON", "RFC 7515, 7.2.1", refused, json.dumps(general)),
        ("JSON and compact mixed", "CVE-2022-39227", refused, json.dumps(mixed)),
        ("JWE, five parts", "RFC 7516, 7.1", refused, f"{head}.AAAA.AAAA.{claims}.{mac}"),
        ("four parts", "RFC 7515, 7.1", refused, f"{right}.{mac}"),
        ("two parts", "RFC 7515, 7.1", refused, f"{head}.{claims}"),
        ("only dots", "RFC 7515, 7.1", unsigned, ".."),
        ("nothing", "RFC 6750, 2.1", refused, ""),
        ("blank signature", "CVE-2020-28042", unsigned, f"{head}.{claims}."),
        ("signature cut", "RFC 7518, 3.2", refused, right[:-1]),
        ("signature lengthened", "RFC 7518, 3.2", refused, right + "A"),
        ("empty header segment", "RFC 7515, 7.1", refused, f".{claims}.{mac}"),
        ("empty payload segment", "RFC 7515, 7.1", refused, f"{head}..{mac}"),
        ("detached payload", "RFC 7515, F", refused, f"{head}..{mac}"),
        ("padding", "RFC 7515, 2", refused, f"{head}=.{claims}.{mac}"),
        ("padding of the signature", "RFC 7515, 2", refused, f"{right}="),
        ("standard alphabet", "RFC 7515, 2", refused, f"{head}+/.{claims}.{mac}"),
        ("one character too many", "RFC 4648, 4", refused, f"A.{claims}.{mac}"),
        ("bits that encode nothing", "RFC 4648, 3.5", refused, f"{head}.{claims}.{mac[:-1]}B"),
        ("space inside", "RFC 7515, 2", refused, f"{head}. {claims}.{mac}"),
        ("line break inside", "RFC 7515, 2", refused, f"{head}.{claims}.\n{mac}"),
        ("line break at the end", "RFC 7515, 2", refused, f"{right}\n"),
        ("quoted", "RFC 6750, 2.1", refused, f'"{right}"'),
        ("NUL at the end", "CWE-158", refused, f"{right}\0"),
        ("lone surrogate", "RFC 8259, 8.2", refused, f"{head}.\udfff{claims}.{mac}"),
        ("full-width letters", "CWE-176", refused, f"{head}.{claims}." + "\uff21" * 43),
        ("two joined by a comma", "RFC 9110, 5.3", refused, f"{right},Bearer {right}"),
        ("10 KB", "CWE-400", Reason.CREDENTIAL_TOO_LONG, "A" * 10_240),
        ("4 KB of dots", "CWE-1333", refused, "." * 4_000),
    )
    for name, source, reason, token in rows:
        yield token_sent(name, source, reason, token)


def _proof_attacks(key_id: str, secret: str) -> Iterator[Attack]:
    header = {"alg": "HS256", "kid": key_id}
    claims = segment({"scope": "appUser", "userId": "customer-8"})
    head, _, mac = signed(header, APP, secret).split(".")
    unknown = {"alg": "HS256", "kid": new_key_id(OwnerType.APP)}
    wrong = Reason.WRONG_SIGNATURE
    zeros = "A" * 43
    rows = (
        ("signature of zeros", "CVE-2022-21449", wrong, f"{head}.{claims}.{zeros}"),
        ("claims changed after signing", "RFC 7515, 5.2", wrong, f"{head}.{claims}.{mac}"),
        ("another secret", "RFC 7515, 5.2", wrong, signed(header, APP, new_secret(key_id))),
        ("blank secret", "CVE-2019-20933", wrong, signed(header, APP, "")),
        ("key id as secret", "RFC 8725, 3.5", wrong, signed(header, APP, key_id)),
        ("secret without prefix", "RFC 8725, 3.5", wrong, signed(header, APP, secret[3:])),
        ("unknown key", "CWE-204", Reason.UNKNOWN_KEY, signed(unknown, APP, secret)),
    )
    for name, source, reason, token in rows:
        yield token_sent(name, source, reason, token)
