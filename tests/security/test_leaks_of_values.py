"""Nothing that holds a secret or a token on its way prints it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.credential import parse_credential
from keyscope.authorize.decision import Decision
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.settings import read_authorizer_settings
from keyscope.lifecycle.directory import Key, NewSecret
from keyscope.lifecycle.operations import CreatedKey
from keyscope.model.key_record import OpenedSecret
from keyscope.model.secret import hash_secret, new_secret
from tests.support.builders import NOW, basic, http_event, make_key, rest_request_event, rotated
from tests.support.leaks import forms_of, found
from tests.support.stores import MemoryKeyStore, SteppedClock

SETTINGS: Final = read_authorizer_settings(
    {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "arn"}
)
POLICIES: Final = prepare_policies(read_access_map(SETTINGS.access_map, ("v2",)), 16)
KEY: Final = make_key()
BASIC, BEARER = parse_credential(KEY.basic()), parse_credential(KEY.bearer(scope="app"))
STORE: Final = MemoryKeyStore({KEY.key_id: rotated(KEY, NOW + 60).record})
MEMORY: Final = KeyCache(
    STORE, SteppedClock(NOW), fresh_seconds=30, stale_seconds=60, max_entries=9
)


def box() -> SecretOpeningBox:
    """Return a box that has opened the key's secret."""
    answers = {"decrypt": lambda **_: {"Plaintext": KEY.secret.encode()}}
    opened = SecretOpeningBox(lambda: SimpleNamespace(**answers), "arn", 9)
    opened.open(KEY.record)
    return opened


def decided(value: str) -> Decision:
    authorizer = Authorizer(MEMORY, box(), POLICIES, SteppedClock(NOW), lambda: 0.0)
    return authorize(rest_request_event(value), read_rest_event, authorizer)


SHOWN: Final = {
    "Basic": BASIC,
    "Bearer": BEARER,
    "AuthorizerRequest": read_rest_event(rest_request_event(KEY.basic())),
    "AuthorizerRequest of HTTP": read_http_event(http_event(KEY.bearer(scope="app"))),
    "KeyRecord": KEY.record,
    "KeyRecord, rotated": STORE.records[KEY.key_id],
    "Lookup": MEMORY.get(KEY.key_id),
    "what KeyCache remembers": vars(MEMORY),
    "KeyCache": MEMORY,
    "SecretOpeningBox": box(),
    "OpenedSecret": OpenedSecret(KEY.secret, from_cache=False),
    "Authorizer": Authorizer(MEMORY, box(), POLICIES, SteppedClock(NOW), lambda: 0.0),
    "Decision, Basic": decided(KEY.basic()),
    "Decision, JWT": decided(KEY.bearer(scope="app")),
    "Decision, refused": decided(basic(KEY.key_id, new_secret(KEY.key_id))),
    "CreatedKey": CreatedKey(Key(KEY.key_id, NOW), KEY.secret),
    "NewSecret": NewSecret(hash_secret(KEY.secret), b"sealed " + KEY.secret.encode()),
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__])
def test_nothing_prints_its_secret(name: str, show: Callable[[object], str]) -> None:
    forms = forms_of(KEY.secret, KEY.basic(), KEY.bearer(scope="app"))
    assert found(forms, show((SHOWN[name],))) == []
