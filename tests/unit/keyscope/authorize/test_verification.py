from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.authorize.credential import parse_credential
from keyscope.authorize.verification import Circumstances, verify
from keyscope.errors import Reason, Refused, Unavailable
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import KeyRecord, PreviousSecret
from keyscope.model.principal import CredentialKind, Principal, ProvenSecret
from keyscope.model.scopes import Scope
from keyscope.model.secret import SECRET_LENGTH, hash_secret, new_secret
from tests.support.builders import (
    ACCOUNT,
    APP,
    NOW,
    SERVICE_ACCOUNT,
    MadeKey,
    basic,
    limited,
    make_key,
    rotated,
)
from tests.support.stores import MemorySecretOpener

HERE = Circumstances(NOW, "192.0.2.7")
APP_KEY = make_key(OwnerType.APP)
VALUES = APP_KEY.of_each_kind(scope="app")
OF_EACH_KIND = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


def verified(
    value: str, record: KeyRecord | None, circumstances: Circumstances = HERE
) -> Principal:
    opener = MemorySecretOpener()
    return verify(
        parse_credential(value), record, lambda known: opener.open(known).secret, circumstances
    )


def reason_of(value: str, record: KeyRecord | None, circumstances: Circumstances = HERE) -> Reason:
    with pytest.raises(Refused) as refused:
        verified(value, record, circumstances)
    return refused.value.reason


@pytest.mark.parametrize(
    ("owner_type", "expected"),
    [
        (
            OwnerType.APP,
            Principal(Scope.APP, "", OwnerType.APP, APP),
        ),
        (
            OwnerType.ACCOUNT,
            Principal(Scope.ACCOUNT, "", OwnerType.ACCOUNT, ACCOUNT),
        ),
        (
            OwnerType.SERVICE_ACCOUNT,
            Principal(Scope.ACCOUNT, "", OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT),
        ),
    ],
)
def test_basic_gives_the_scope_of_the_keys_owner(
    owner_type: OwnerType, expected: Principal
) -> None:
    key = make_key(owner_type)
    principal = verified(key.basic(), key.record)
    assert principal.key_id == key.key_id
    assert (principal.scope, principal.owner_type, principal.name, principal.account_id) == (
        expected.scope,
        expected.owner_type,
        expected.name,
        expected.account_id,
    )


@pytest.mark.parametrize("kind", CredentialKind)
def test_every_credential_of_a_key_has_its_external_ids(kind: CredentialKind) -> None:
    ids = ExternalIds("Acme", "acme-Shop")
    key = make_key()
    named = replace(key.record, external_ids=ids)
    principal = verified(key.of_each_kind(scope="app")[kind], named)
    assert principal.external_ids == ids
    context = principal.context()
    assert (context["accountExternalId"], context["appExternalId"]) == ids


def test_an_app_key_signs_for_a_user_of_its_app() -> None:
    principal = verified(APP_KEY.bearer(scope="appUser", userId="jane"), APP_KEY.record)
    assert principal.context() == {
        "keyId": APP_KEY.key_id,
        "scope": "appUser",
        "ownerType": "app",
        "accountId": ACCOUNT,
        "appId": APP,
        "userId": "jane",
        "credentialKind": "jwt",
        "secretGeneration": "1",
    }


@pytest.mark.parametrize(
    ("owner_type", "scope"),
    [
        (OwnerType.APP, "account"),
        (OwnerType.ACCOUNT, "app"),
        (OwnerType.ACCOUNT, "appUser"),
        (OwnerType.SERVICE_ACCOUNT, "app"),
        (OwnerType.SERVICE_ACCOUNT, "appUser"),
    ],
)
def test_a_scope_that_the_owner_may_not_claim_is_refused(owner_type: OwnerType, scope: str) -> None:
    key = make_key(owner_type)
    value = key.bearer(scope=scope, userId="jane")
    assert reason_of(value, key.record) is Reason.SCOPE_NOT_OF_OWNER


@pytest.mark.parametrize(
    ("owner_type", "scope"),
    [
        (OwnerType.APP, "app"),
        (OwnerType.ACCOUNT, "account"),
        (OwnerType.SERVICE_ACCOUNT, "account"),
    ],
)
def test_a_scope_that_the_owner_may_claim_is_given(owner_type: OwnerType, scope: str) -> None:
    key = make_key(owner_type)
    assert verified(key.bearer(scope=scope), key.record).scope is Scope(scope)


@OF_EACH_KIND
def test_an_unknown_key_is_refused(value: str) -> None:
    assert reason_of(value, None) is Reason.UNKNOWN_KEY


def test_a_token_of_an_unknown_key_signed_with_the_stand_in_secret_is_refused() -> None:
    stand_in = MadeKey(APP_KEY.record, "0" * SECRET_LENGTH)
    assert reason_of(stand_in.bearer(scope="app"), None) is Reason.UNKNOWN_KEY


@OF_EACH_KIND
def test_a_revoked_key_is_refused(value: str) -> None:
    revoked = KeyRecord(APP_KEY.key_id, OwnerType.APP, APP, b"", b"", revoked_at=NOW)
    assert reason_of(value, revoked) is Reason.REVOKED_KEY


def test_another_secret_is_refused() -> None:
    value = basic(APP_KEY.key_id, new_secret(APP_KEY.key_id))
    assert reason_of(value, APP_KEY.record) is Reason.WRONG_SECRET


def test_another_signature_is_refused() -> None:
    value = MadeKey(APP_KEY.record, new_secret(APP_KEY.record.key_id)).bearer(scope="app")
    assert reason_of(value, APP_KEY.record) is Reason.WRONG_SIGNATURE


def test_basic_never_opens_the_sealed_secret() -> None:
    opener = MemorySecretOpener()
    verify(
        parse_credential(APP_KEY.basic()),
        APP_KEY.record,
        lambda known: opener.open(known).secret,
        HERE,
    )
    assert opener.opened == 0


def test_a_key_holds_until_the_second_before_its_expiry() -> None:
    key = make_key(expires_at=NOW + 1)
    assert verified(key.basic(), key.record).limits.expires_at == NOW + 1


@pytest.mark.parametrize("kind", CredentialKind)
def test_a_key_ends_at_its_expiry(kind: CredentialKind) -> None:
    key = make_key(expires_at=NOW)
    value = key.of_each_kind(scope="app")[kind]
    assert reason_of(value, key.record) is Reason.EXPIRED_KEY


def test_a_wrong_secret_of_an_expired_key_is_not_told_that_it_expired() -> None:
    key = make_key(expires_at=NOW)
    assert reason_of(basic(key.key_id, new_secret(key.key_id)), key.record) is Reason.WRONG_SECRET


def test_a_token_ends_at_its_exp() -> None:
    assert reason_of(APP_KEY.bearer(scope="app", exp=NOW), APP_KEY.record) is Reason.EXPIRED_TOKEN


def test_a_token_holds_until_the_second_before_its_exp() -> None:
    principal = verified(APP_KEY.bearer(scope="app", exp=NOW + 1), APP_KEY.record)
    assert principal.limits.expires_at == NOW + 1


def test_a_token_begins_at_its_nbf() -> None:
    assert verified(APP_KEY.bearer(scope="app", nbf=NOW), APP_KEY.record).scope is Scope.APP
    value = APP_KEY.bearer(scope="app", nbf=NOW + 1)
    assert reason_of(value, APP_KEY.record) is Reason.TOKEN_NOT_YET_VALID


def test_leeway_widens_both_ends_of_a_token() -> None:
    lenient = Circumstances(NOW, "192.0.2.7", leeway_seconds=5)
    value = APP_KEY.bearer(scope="app", exp=NOW - 4, nbf=NOW + 5)
    assert verified(value, APP_KEY.record, lenient).limits.expires_at == NOW + 1
    late = APP_KEY.bearer(scope="app", exp=NOW - 5)
    assert reason_of(late, APP_KEY.record, lenient) is Reason.EXPIRED_TOKEN


@pytest.mark.parametrize(("token_ends", "key_ends"), [(NOW + 10, NOW + 20), (NOW + 20, NOW + 10)])
def test_the_earlier_of_token_and_key_ends_the_proof(token_ends: int, key_ends: int) -> None:
    key = make_key(expires_at=key_ends)
    principal = verified(key.bearer(scope="app", exp=token_ends), key.record)
    assert principal.limits.expires_at == NOW + 10


def test_the_last_exp_of_the_calendar_is_taken() -> None:
    principal = verified(APP_KEY.bearer(scope="app", exp=253_402_300_799), APP_KEY.record)
    assert principal.limits.expires_at == 253_402_300_799


@pytest.mark.parametrize(
    ("cidrs", "address"),
    [
        (("192.0.2.0/24",), "192.0.2.7"),
        (("198.51.100.0/24", "192.0.2.7/32"), "192.0.2.7"),
        (("2001:db8::/32",), "2001:db8::1"),
        (("192.0.2.0/24",), "192.0.2.7:39870"),
        (("192.0.2.0/24",), "::ffff:192.0.2.7"),
        (("2001:db8::/32",), "[2001:db8::1]:443"),
    ],
)
def test_an_address_of_the_keys_cidrs_is_let_in(cidrs: tuple[str, ...], address: str) -> None:
    key = make_key(allowed_cidrs=cidrs)
    principal = verified(key.basic(), key.record, Circumstances(NOW, address))
    assert principal.limits.allowed_cidrs == cidrs


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.3.1", Reason.SOURCE_ADDRESS_NOT_ALLOWED),
        ("2001:db8::1", Reason.SOURCE_ADDRESS_NOT_ALLOWED),
        ("192.0.3.1:39870", Reason.SOURCE_ADDRESS_NOT_ALLOWED),
        ("::ffff:192.0.3.1", Reason.SOURCE_ADDRESS_NOT_ALLOWED),
        ("fe80::1%eth0", Reason.SOURCE_ADDRESS_UNKNOWN),
        ("192.0.2.7, 10.0.0.1", Reason.SOURCE_ADDRESS_UNKNOWN),
        (None, Reason.SOURCE_ADDRESS_UNKNOWN),
    ],
)
def test_any_other_address_is_refused(address: str | None, reason: Reason) -> None:
    key = make_key(allowed_cidrs=("192.0.2.0/24",))
    assert reason_of(key.basic(), key.record, Circumstances(NOW, address)) is reason


OVERLAP = APP_KEY.of_each_kind(scope="app")
"""The credentials that the rotation of `APP_KEY` makes previous ones."""


@pytest.mark.parametrize("kind", OVERLAP)
def test_a_previous_secret_is_accepted_until_the_second_before_its_end(
    kind: CredentialKind,
) -> None:
    principal = verified(OVERLAP[kind], rotated(APP_KEY, NOW + 1).record)
    assert (principal.secret, principal.limits.expires_at) == (ProvenSecret.PREVIOUS, NOW + 1)


@pytest.mark.parametrize("kind", OVERLAP)
@pytest.mark.parametrize("leeway_seconds", [0, 60])
def test_a_previous_secret_is_refused_from_its_end_on_whatever_the_leeway(
    kind: CredentialKind, leeway_seconds: int
) -> None:
    circumstances = Circumstances(NOW, None, leeway_seconds)
    record = rotated(APP_KEY, NOW).record
    assert reason_of(OVERLAP[kind], record, circumstances) is Reason.ROTATED_SECRET


def test_the_leeway_that_widens_a_token_does_not_widen_the_overlap() -> None:
    lenient = Circumstances(NOW, None, leeway_seconds=60)
    value = APP_KEY.bearer(scope="app", exp=NOW + 10)
    assert verified(value, rotated(APP_KEY, NOW + 20).record, lenient).limits.expires_at == NOW + 20


def test_a_previous_secret_is_accepted_to_the_last_fraction_of_its_last_second() -> None:
    record = rotated(APP_KEY, NOW + 1).record
    late = Circumstances(NOW + 0.999, None)
    assert verified(APP_KEY.basic(), record, late).secret is ProvenSecret.PREVIOUS


@pytest.mark.parametrize("ends_at", [NOW - 60, NOW, NOW + 60])
@pytest.mark.parametrize("kind", OVERLAP)
def test_the_current_secret_is_accepted_during_the_overlap_and_after_it(
    kind: CredentialKind, ends_at: int
) -> None:
    key = rotated(APP_KEY, ends_at)
    value = key.of_each_kind(scope="app")[kind]
    principal = verified(value, key.record)
    assert (principal.secret, principal.limits.expires_at) == (ProvenSecret.CURRENT, None)


@pytest.mark.parametrize(
    ("key_ends", "token_ends", "overlap_ends"),
    [
        (NOW + 10, NOW + 20, NOW + 30),
        (NOW + 30, NOW + 10, NOW + 20),
        (NOW + 20, NOW + 30, NOW + 10),
    ],
)
def test_the_earliest_of_key_token_and_overlap_ends_the_proof_of_a_previous_secret(
    key_ends: int, token_ends: int, overlap_ends: int
) -> None:
    old = make_key(expires_at=key_ends)
    value = old.bearer(scope="app", exp=token_ends)
    assert verified(value, rotated(old, overlap_ends).record).limits.expires_at == NOW + 10


def test_a_secret_replaced_by_two_rotations_is_wrong() -> None:
    record = rotated(rotated(APP_KEY, NOW + 60), NOW + 60).record
    assert reason_of(OVERLAP[CredentialKind.BASIC], record) is Reason.WRONG_SECRET
    assert reason_of(OVERLAP[CredentialKind.JWT], record) is Reason.WRONG_SIGNATURE


@pytest.mark.parametrize("ends_at", [NOW, NOW + 60])
def test_a_secret_that_is_neither_is_wrong(ends_at: int) -> None:
    record = rotated(APP_KEY, ends_at).record
    stranger = MadeKey(record, new_secret(record.key_id))
    assert reason_of(stranger.basic(), record) is Reason.WRONG_SECRET
    assert reason_of(stranger.bearer(scope="app"), record) is Reason.WRONG_SIGNATURE


def opened_for(value: str, record: KeyRecord) -> list[bytes]:
    """Return the ciphertexts that were opened to prove the credential, in order."""
    opener = MemorySecretOpener()
    ciphertexts: list[bytes] = []

    def open_secret(known: KeyRecord) -> str:
        ciphertexts.append(known.secret_ciphertext)
        return opener.open(known).secret

    with suppress(Refused):
        verify(parse_credential(value), record, open_secret, HERE)
    return ciphertexts


def test_the_previous_secret_is_opened_only_when_the_current_one_did_not_sign() -> None:
    key = rotated(APP_KEY, NOW + 60)
    current, previous = key.record.secret_ciphertext, APP_KEY.record.secret_ciphertext
    assert opened_for(key.bearer(scope="app"), key.record) == [current]
    assert opened_for(OVERLAP[CredentialKind.JWT], key.record) == [current, previous]


def test_a_wrong_signature_opens_one_secret_of_a_key_that_was_not_rotated() -> None:
    value = MadeKey(APP_KEY.record, new_secret(APP_KEY.record.key_id)).bearer(scope="app")
    assert opened_for(value, APP_KEY.record) == [APP_KEY.record.secret_ciphertext]


def test_basic_opens_no_previous_secret_either() -> None:
    assert opened_for(OVERLAP[CredentialKind.BASIC], rotated(APP_KEY, NOW + 60).record) == []


@pytest.mark.parametrize("kind", OVERLAP)
def test_a_principal_has_the_generation_of_the_secret_that_it_proved(kind: CredentialKind) -> None:
    key = rotated(APP_KEY, NOW + 60)
    current = key.of_each_kind(scope="app")[kind]
    now, before = verified(current, key.record), verified(OVERLAP[kind], key.record)
    assert (now.credential_kind, now.secret_generation) == (kind, 2)
    assert (before.credential_kind, before.secret_generation) == (kind, 1)


def test_the_previous_secret_is_opened_with_its_own_hash() -> None:
    opened: list[KeyRecord] = []

    def open_secret(known: KeyRecord) -> str:
        opened.append(known)
        return MemorySecretOpener().open(known).secret

    key = rotated(APP_KEY, NOW + 60)
    verify(parse_credential(OVERLAP[CredentialKind.JWT]), key.record, open_secret, HERE)
    assert opened == [key.record, APP_KEY.record]


def test_a_previous_secret_that_cannot_be_opened_is_no_refusal() -> None:
    opener = MemorySecretOpener(failure=Reason.KMS_UNAVAILABLE, opens=1)
    with pytest.raises(Unavailable) as unavailable:
        verify(
            parse_credential(OVERLAP[CredentialKind.JWT]),
            rotated(APP_KEY, NOW + 60).record,
            lambda known: opener.open(known).secret,
            HERE,
        )
    assert unavailable.value.reason is Reason.KMS_UNAVAILABLE


def disabled(record: KeyRecord) -> KeyRecord:
    return limited(record, disabled_at=NOW - 60)


@pytest.mark.parametrize("kind", OVERLAP)
def test_a_disabled_key_is_refused_with_either_secret(kind: CredentialKind) -> None:
    key = rotated(APP_KEY, NOW + 60)
    current = key.of_each_kind(scope="app")[kind]
    assert reason_of(current, disabled(key.record)) is Reason.DISABLED_KEY
    assert reason_of(OVERLAP[kind], disabled(key.record)) is Reason.DISABLED_KEY


def test_a_key_that_expired_while_it_was_disabled_is_told_to_be_disabled() -> None:
    key = make_key(expires_at=NOW)
    assert reason_of(key.basic(), disabled(key.record)) is Reason.DISABLED_KEY


def test_without_the_secret_nobody_is_told_that_a_key_is_disabled() -> None:
    record = disabled(APP_KEY.record)
    stranger = MadeKey(record, new_secret(record.key_id))
    assert reason_of(stranger.basic(), record) is Reason.WRONG_SECRET
    assert reason_of(stranger.bearer(scope="app"), record) is Reason.WRONG_SIGNATURE


def test_a_secret_that_was_rotated_away_does_not_tell_that_the_key_is_disabled() -> None:
    record = disabled(rotated(APP_KEY, NOW).record)
    assert reason_of(APP_KEY.basic(), record) is Reason.ROTATED_SECRET


def suspended(record: KeyRecord) -> KeyRecord:
    return replace(record, suspended_at=NOW - 60)


@pytest.mark.parametrize("kind", OVERLAP)
def test_a_suspended_key_is_refused_with_either_secret(kind: CredentialKind) -> None:
    key = rotated(APP_KEY, NOW + 60)
    current = key.of_each_kind(scope="app")[kind]
    assert reason_of(current, suspended(key.record)) is Reason.SUSPENDED_KEY
    assert reason_of(OVERLAP[kind], suspended(key.record)) is Reason.SUSPENDED_KEY


def test_the_operators_suspension_is_told_before_the_keys_own_limits() -> None:
    key = make_key(expires_at=NOW)
    assert reason_of(key.basic(), suspended(disabled(key.record))) is Reason.SUSPENDED_KEY


def test_without_the_secret_nobody_is_told_that_a_key_is_suspended() -> None:
    record = suspended(APP_KEY.record)
    stranger = MadeKey(record, new_secret(record.key_id))
    assert reason_of(stranger.basic(), record) is Reason.WRONG_SECRET
    assert reason_of(stranger.bearer(scope="app"), record) is Reason.WRONG_SIGNATURE


SECRETS = {name: new_secret(APP_KEY.key_id) for name in ("current", "previous", "other")}
OWNED = replace(APP_KEY.record, secret_hash=b"", secret_ciphertext=b"")
CREDENTIALS = {
    (kind, name): credential
    for name, secret in SECRETS.items()
    for kind, credential in MadeKey(OWNED, secret).of_each_kind(scope="app").items()
}


def record_with(current: str, previous: str | None, ends_at: int) -> KeyRecord:
    def sealed(secret: str) -> tuple[bytes, bytes]:
        return hash_secret(secret), b"sealed " + secret.encode()

    secret_hash, secret_ciphertext = sealed(current)
    return replace(
        OWNED,
        secret_hash=secret_hash,
        secret_ciphertext=secret_ciphertext,
        previous=None if previous is None else PreviousSecret(*sealed(previous), ends_at),
    )


@given(
    credential=st.sampled_from(sorted(CREDENTIALS)),
    current=st.sampled_from(sorted(SECRETS)),
    previous=st.none() | st.sampled_from(sorted(SECRETS)),
    ends_at=st.integers(NOW - 3, NOW + 3),
    now=st.integers(NOW - 3, NOW + 3) | st.floats(NOW - 3, NOW + 3),
    leeway_seconds=st.integers(0, 5),
)
def test_only_the_current_secret_and_until_its_end_the_previous_one_prove_a_key(  # noqa: PLR0913 - all that decides
    *,
    credential: tuple[CredentialKind, str],
    current: str,
    previous: str | None,
    ends_at: int,
    now: float,
    leeway_seconds: int,
) -> None:
    record = record_with(SECRETS[current], None if previous is None else SECRETS[previous], ends_at)
    sent = credential[1]
    try:
        principal = verified(
            CREDENTIALS[credential], record, Circumstances(now, None, leeway_seconds)
        )
    except Refused:
        accepted, end = False, None
    else:
        accepted, end = True, principal.limits.expires_at
    assert accepted is (sent == current or (sent == previous and now < ends_at))
    assert end == (ends_at if accepted and sent != current else None)


def test_two_keys_of_one_app_prove_the_same_principal_name() -> None:
    other = make_key(OwnerType.APP)
    assert (
        verified(APP_KEY.basic(), APP_KEY.record).name == verified(other.basic(), other.record).name
    )


def test_a_key_record_does_not_print_its_secret() -> None:
    shown = repr(APP_KEY.record)
    assert APP_KEY.secret not in shown
    assert repr(APP_KEY.record.secret_hash) not in shown


KNOWN = Circumstances(NOW, None, permissions=("read", "users:read", "users:write"))


def with_permissions(*names: str) -> MadeKey:
    return replace(APP_KEY, record=limited(APP_KEY.record, permissions=names or None))


def test_a_key_without_permissions_is_not_limited() -> None:
    for value in (APP_KEY.basic(), APP_KEY.bearer(scope="app")):
        assert verified(value, APP_KEY.record, KNOWN).limits.permissions is None


def test_a_limited_key_gives_its_permissions() -> None:
    key = with_permissions("read", "users:write")
    for value in (key.basic(), key.bearer(scope="app")):
        permissions = verified(value, key.record, KNOWN).limits.permissions
        assert permissions == ("read", "users:write")


def test_a_permission_that_the_map_no_longer_knows_gives_nothing() -> None:
    key = with_permissions("gone", "read")
    assert verified(key.basic(), key.record, KNOWN).limits.permissions == ("read",)
    key = with_permissions("gone")
    assert verified(key.basic(), key.record, KNOWN).limits.permissions == ()


@pytest.mark.parametrize("held", [(), ("read", "users:write")])
def test_a_token_may_claim_fewer_permissions_than_its_key_has(held: tuple[str, ...]) -> None:
    key = with_permissions(*held)
    value = key.bearer(scope="app", permissions=["read"])
    assert verified(value, key.record, KNOWN).limits.permissions == ("read",)


@pytest.mark.parametrize(
    ("held", "claimed", "reason"),
    [
        (("read",), ["read", "users:read"], Reason.PERMISSION_NOT_OF_KEY),
        (("read",), ["gone"], Reason.PERMISSION_NOT_OF_KEY),
        (("read", "gone"), ["gone"], Reason.UNKNOWN_PERMISSION),
        ((), ["read", "gone"], Reason.UNKNOWN_PERMISSION),
    ],
)
def test_a_token_that_claims_more_than_its_key_has_is_refused(
    held: tuple[str, ...], claimed: list[str], reason: Reason
) -> None:
    key = with_permissions(*held)
    assert reason_of(key.bearer(scope="app", permissions=claimed), key.record, KNOWN) is reason


def test_what_a_token_claims_is_told_only_to_those_who_can_sign_it() -> None:
    key = with_permissions("read")
    stranger = replace(key, secret=new_secret(key.key_id))
    value = stranger.bearer(scope="app", permissions=["users:read"])
    assert reason_of(value, key.record, KNOWN) is Reason.WRONG_SIGNATURE
