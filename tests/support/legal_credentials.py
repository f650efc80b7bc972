"""Every legal way to send a credential: what strictness must not refuse."""

import json
from collections.abc import Mapping

from tests.support.builders import NOW, basic
from tests.support.signing import APP, signed


def legal_values(key_id: str, secret: str) -> Mapping[str, str]:
    """Return values of `Authorization` by what is particular of each."""
    credentials = basic(key_id, secret).removeprefix("Basic ")
    header = {"alg": "HS256", "kid": key_id}
    spaced = json.dumps(header, indent=2)
    token = signed({**header, "typ": "JWT"}, APP, secret)
    times = {**APP, "exp": 253_402_300_799, "nbf": 0, "iat": NOW}
    others = {**APP, "iss": "shop", "aud": ["x"], "sub": "y", "jti": "z", "rate": 1e300}
    return {
        "Basic": f"Basic {credentials}",
        "Basic in small letters": f"basic {credentials}",
        "Basic in capitals": f"BASIC {credentials}",
        "Basic after several spaces": f"Basic    {credentials}",
        "Bearer secret": f"Bearer {secret}",
        "Bearer secret in small letters": f"bearer {secret}",
        "Bearer secret after several spaces": f"BEARER   {secret}",
        "JWT": f"Bearer {token}",
        "JWT in capitals": f"BEARER {token}",
        "JWT after several spaces": f"bearer   {token}",
    } | {
        name: f"Bearer {signed(head, claims, secret)}"
        for name, head, claims in (
            ("JWT without a type", header, APP),
            ("JWT with a type in small letters", {**header, "typ": "jwt"}, APP),
            ("JWT with a parameter not understood", {**header, "x": {"a": [1]}}, APP),
            ("JWT with members in another order", {"kid": key_id, "alg": "HS256"}, APP),
            ("JWT with white space", spaced, '\t{ "scope" : "app" }\n'),
            ("JWT with escapes", header, '{"sc\\u006fpe":"\\u0061pp"}'),
            ("JWT with a pair of surrogates", header, '{"scope":"app","x":"\\ud83d\\ude00"}'),
            ("JWT with half a pair in another claim", header, '{"scope":"app","x":"\\ud800"}'),
            ("JWT with all times", header, times),
            ("JWT with other claims", header, others),
            ("JWT issued within a second", header, {**APP, "iat": NOW + 0.25}),
            ("JWT issued in milliseconds", header, {**APP, "iat": NOW * 1_000}),
            ("JWT issued at a time that is none", header, {**APP, "iat": "today"}),
        )
    }
