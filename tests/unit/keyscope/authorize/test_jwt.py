import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.authorize.jwt import Claims, Jwt, is_signed_with, read_jwt
from keyscope.errors import Reason, Refused
from keyscope.model.ids import MAX_USER_ID_LENGTH, percent_encoded
from keyscope.model.scopes import Scope
from keyscope.model.secret import new_secret
from tests.support.builders import compact, make_key, token

KEY = make_key()
HEADER = {"alg": "HS256", "kid": KEY.key_id}
CLAIMS = {"scope": "app"}


def signed(**claims: object) -> str:
    return token(KEY.key_id, KEY.secret, claims)


def reason_of(text: str) -> Reason:
    with pytest.raises(Refused) as refused:
        read_jwt(text)
    return refused.value.reason


def test_a_token_tells_key_scope_and_times() -> None:
    text = signed(scope="app", exp=1_800_000_060, nbf=1_800_000_000)
    claims = Claims(Scope.APP, None, 1_800_000_060, 1_800_000_000)
    signature = urlsafe_b64decode(text.rpartition(".")[2] + "=")
    assert read_jwt(text) == Jwt(text, signature, KEY.key_id, claims)


def test_an_app_user_token_tells_the_user() -> None:
    assert read_jwt(signed(scope="appUser", userId="jane@example.org")).claims.user_id == (
        "jane@example.org"
    )


def test_the_user_of_another_scope_is_not_taken() -> None:
    assert read_jwt(signed(scope="app", userId="jane")).claims.user_id is None


@pytest.mark.parametrize("typ", ["JWT", "jwt"])
def test_the_type_jwt_is_taken(typ: str) -> None:
    assert read_jwt(token(KEY.key_id, KEY.secret, CLAIMS, {"typ": typ})).key_id == KEY.key_id


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param({**HEADER, "alg": "none"}, Reason.UNSUPPORTED_ALGORITHM, id="alg none"),
        pytest.param({**HEADER, "alg": "hs256"}, Reason.UNSUPPORTED_ALGORITHM, id="alg case"),
        pytest.param({**HEADER, "alg": "RS256"}, Reason.UNSUPPORTED_ALGORITHM, id="RS256"),
        pytest.param({**HEADER, "alg": ["HS256"]}, Reason.UNSUPPORTED_ALGORITHM, id="alg list"),
        pytest.param({"kid": KEY.key_id}, Reason.UNSUPPORTED_ALGORITHM, id="no alg"),
        pytest.param({"alg": "HS256"}, Reason.MALFORMED_KEY_ID, id="no kid"),
        pytest.param({**HEADER, "kid": 1}, Reason.MALFORMED_KEY_ID, id="kid a number"),
        pytest.param({**HEADER, "kid": "../../x"}, Reason.MALFORMED_KEY_ID, id="kid a path"),
        pytest.param({**HEADER, "kid": "x" * 2_000}, Reason.MALFORMED_KEY_ID, id="kid long"),
        pytest.param({**HEADER, "typ": "at+jwt"}, Reason.UNSUPPORTED_TOKEN_TYPE, id="typ at+jwt"),
        pytest.param({**HEADER, "typ": None}, Reason.UNSUPPORTED_TOKEN_TYPE, id="typ null"),
        pytest.param({**HEADER, "crit": ["exp"]}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="crit"),
        pytest.param({**HEADER, "b64": False}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="b64"),
        pytest.param({**HEADER, "jwk": {}}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="jwk"),
        pytest.param({**HEADER, "jku": "u"}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="jku"),
        pytest.param({**HEADER, "x5u": "u"}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="x5u"),
        pytest.param({**HEADER, "x5c": []}, Reason.UNSUPPORTED_HEADER_PARAMETER, id="x5c"),
        pytest.param([HEADER], Reason.MALFORMED_TOKEN, id="a list"),
        pytest.param('{"alg":"HS256","alg":"none"}', Reason.DUPLICATE_TOKEN_MEMBER, id="alg twice"),
        pytest.param("[" * 3_000, Reason.MALFORMED_TOKEN, id="nested deeply"),
        pytest.param('{"alg":NaN}', Reason.MALFORMED_TOKEN, id="NaN"),
    ],
)
def test_a_header_outside_the_profile_is_refused(header: object, reason: Reason) -> None:
    assert reason_of(compact(header, CLAIMS)) is reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({}, Reason.MISSING_SCOPE, id="no scope"),
        pytest.param({"scope": None}, Reason.MISSING_SCOPE, id="scope null"),
        pytest.param({"scope": ["app"]}, Reason.MALFORMED_CLAIM, id="scope a list"),
        pytest.param({"scope": "app account"}, Reason.UNKNOWN_SCOPE, id="two scopes"),
        pytest.param({"scope": "webhook"}, Reason.UNKNOWN_SCOPE, id="a scope not ours"),
        pytest.param('{"scope":"app","scope":"app"}', Reason.DUPLICATE_TOKEN_MEMBER, id="twice"),
        pytest.param('{"scope":"app","x":{"a":1,"a":2}}', Reason.DUPLICATE_TOKEN_MEMBER, id="deep"),
        pytest.param({**CLAIMS, "exp": "1800000060"}, Reason.MALFORMED_CLAIM, id="exp a string"),
        pytest.param({**CLAIMS, "exp": 1.8e9}, Reason.MALFORMED_CLAIM, id="exp a float"),
        pytest.param('{"scope":"app","exp":1e400}', Reason.MALFORMED_CLAIM, id="exp infinite"),
        pytest.param({**CLAIMS, "exp": True}, Reason.MALFORMED_CLAIM, id="exp a boolean"),
        pytest.param({**CLAIMS, "exp": None}, Reason.MALFORMED_CLAIM, id="exp null"),
        pytest.param({**CLAIMS, "nbf": "0"}, Reason.MALFORMED_CLAIM, id="nbf a string"),
        pytest.param({"scope": "appUser"}, Reason.MISSING_USER_ID, id="no user"),
        pytest.param({"scope": "appUser", "userId": ""}, Reason.MISSING_USER_ID, id="user empty"),
        pytest.param({"scope": "appUser", "userId": 7}, Reason.MALFORMED_CLAIM, id="user a number"),
        pytest.param({"scope": "user"}, Reason.MISSING_USER_ID, id="SDK token without user"),
        pytest.param(
            {"scope": "appUser", "external_id": "jane"}, Reason.MISSING_USER_ID, id="half SDK token"
        ),
        pytest.param(
            {"scope": "user", "userId": "jane"}, Reason.CONFLICTING_CLAIMS, id="user with userId"
        ),
        pytest.param(
            {"scope": "user", "userId": "jane", "external_id": "jane"},
            Reason.CONFLICTING_CLAIMS,
            id="SDK token with both",
        ),
        pytest.param(
            {"scope": "appUser", "userId": "jane", "external_id": "jane"},
            Reason.CONFLICTING_CLAIMS,
            id="token with both",
        ),
        pytest.param(
            {"scope": "app", "userId": "jane", "external_id": "jane"},
            Reason.CONFLICTING_CLAIMS,
            id="app token with both",
        ),
        pytest.param("null", Reason.MALFORMED_TOKEN, id="null"),
        pytest.param("{", Reason.MALFORMED_TOKEN, id="not JSON"),
    ],
)
def test_claims_outside_the_profile_are_refused(claims: object, reason: Reason) -> None:
    assert reason_of(compact(HEADER, claims)) is reason


def test_an_sdk_token_claims_the_app_user_of_its_external_id() -> None:
    sdk = read_jwt(signed(scope="user", external_id="jane@example.com"))
    assert sdk.claims == read_jwt(signed(scope="appUser", userId="jane@example.com")).claims


@pytest.mark.parametrize(
    "user_id",
    [
        "*",
        "a*",
        "a?",
        "a/b",
        "..",
        ".",
        "..jane",
        "jane+x2f..doe",
        "jane@5C..doe",
        "a%2Fb",
        "a b",
        "a\n",
        "ü",
        "${aws:username}",
        'a"',
        "a\\b",
    ],
)
def test_a_user_id_that_could_widen_a_policy_or_a_path_is_refused(user_id: str) -> None:
    claims = {"scope": "appUser", "userId": user_id}
    assert reason_of(compact(HEADER, claims)) is Reason.UNSAFE_USER_ID


@pytest.mark.parametrize(
    "user_id", [".jane", "jane..doe", "jane..", "jane@..doe", "jane+..doe", "+."]
)
def test_dots_that_make_no_dot_segment_are_part_of_a_user_id(user_id: str) -> None:
    assert read_jwt(signed(scope="appUser", userId=user_id)).claims.user_id == user_id


@pytest.mark.parametrize(
    "user_id", ["u" * (MAX_USER_ID_LENGTH + 1), "@" * (MAX_USER_ID_LENGTH // 3 + 1)]
)
def test_a_user_id_too_long_for_a_policy_is_refused(user_id: str) -> None:
    claims = {"scope": "appUser", "userId": user_id}
    assert reason_of(compact(HEADER, claims)) is Reason.UNSAFE_USER_ID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", Reason.MALFORMED_TOKEN, id="empty"),
        pytest.param("a.b", Reason.MALFORMED_TOKEN, id="two segments"),
        pytest.param(signed(scope="app") + ".x", Reason.MALFORMED_TOKEN, id="four segments"),
        pytest.param(compact(HEADER, CLAIMS, ""), Reason.UNSUPPORTED_ALGORITHM, id="unsigned"),
        pytest.param(
            compact(HEADER, CLAIMS, "A" * 44), Reason.MALFORMED_TOKEN, id="long signature"
        ),
        pytest.param(compact(HEADER, CLAIMS, "A" * 42 + "B"), Reason.MALFORMED_TOKEN, id="bits"),
        pytest.param(signed(scope="app") + "\n", Reason.MALFORMED_TOKEN, id="trailing newline"),
        pytest.param(signed(scope="app") + "=", Reason.MALFORMED_TOKEN, id="padding"),
        pytest.param('{"payload":"","signatures":[]}', Reason.MALFORMED_TOKEN, id="JSON"),
        pytest.param("A." + signed(scope="app")[2:], Reason.MALFORMED_TOKEN, id="odd base64"),
    ],
)
def test_another_serialization_is_refused(text: str, reason: Reason) -> None:
    assert reason_of(text) is reason


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=5))
def test_no_claims_are_more_than_refused(claims: dict[str, object]) -> None:
    with pytest.raises(Refused):
        read_jwt(compact(HEADER, {**claims, "scope": "nobody"}))


@pytest.mark.parametrize("padding", ["", "x", "xx"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_last_character_with_bits_that_encode_nothing_is_refused(
    padding: str, place: int
) -> None:
    """RFC 4648, section 3.5: several last characters encode the same octets."""
    parts = signed(scope="app", padding=padding).split(".")
    segment = parts[place]
    for last in string.ascii_letters + string.digits + "-_":
        parts[place] = segment[:-1] + last
        octets = urlsafe_b64decode(parts[place] + "=" * (-len(segment) % 4))
        if urlsafe_b64encode(octets).rstrip(b"=").decode() != parts[place]:
            assert reason_of(".".join(parts)) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("last", "AEIMQUYcgkosw048")
def test_every_signature_without_such_bits_is_read(last: str) -> None:
    text = signed(scope="app")[:-1] + last
    assert read_jwt(text).signature == urlsafe_b64decode(text.rpartition(".")[2] + "=")


def test_a_signature_made_with_the_secret_is_proven() -> None:
    assert is_signed_with(KEY.secret, read_jwt(signed(scope="app")))


def test_a_signature_made_with_another_secret_proves_nothing() -> None:
    assert not is_signed_with(new_secret(KEY.key_id), read_jwt(signed(scope="app")))


def test_a_claim_changed_after_signing_proves_nothing() -> None:
    parts = signed(scope="app").split(".")
    forged = ".".join([parts[0], signed(scope="account").split(".")[1], parts[2]])
    assert not is_signed_with(KEY.secret, read_jwt(forged))


def test_the_claims_that_pyjwt_would_judge_are_left_alone() -> None:
    text = jwt.encode(
        {"scope": "app", "aud": "x", "iat": 9_000_000_000}, KEY.secret, headers={"kid": KEY.key_id}
    )
    assert is_signed_with(KEY.secret, read_jwt(text))


def test_a_user_id_has_the_form_that_clients_put_into_paths() -> None:
    assert percent_encoded("a@b+c:d-e") == "a%40b%2Bc%3Ad-e"


def test_a_token_may_claim_permissions() -> None:
    text = signed(scope="app", permissions=["read", "users:write", "read"])
    assert read_jwt(text).claims.permissions == ("read", "users:write")


@pytest.mark.parametrize(
    "claimed",
    [None, "read", [], ["read"] * 17, ["read", 1], ["read write"], [["read"]], {"read": True}],
)
def test_permissions_of_another_shape_are_refused(claimed: object) -> None:
    assert reason_of(signed(scope="app", permissions=claimed)) is Reason.MALFORMED_CLAIM
