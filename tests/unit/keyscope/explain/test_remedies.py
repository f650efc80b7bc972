"""Remedies: each cause of a refusal or a failure has its own, and explanations name it."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Final, cast

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.jwt import REFUSED_PARAMETERS
from keyscope.authorize.pipeline import Authorizer
from keyscope.errors import Reason, Unavailable
from keyscope.explain.explanation import Explanation, RequestResult, StepVerdict, explain
from keyscope.explain.reasons import REMEDIES, STEPS_OF
from keyscope.explain.remedies.access import NOT_ALLOWED, NOT_PERMITTED, STILL_REFUSED
from keyscope.explain.request import AskedRequest, EventKind, reader_of
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import KeyStore, Lookup, OpenedSecret, RecordSource, SecretOpener
from keyscope.model.scopes import scopes_of_key
from keyscope.model.secret import new_secret
from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.builders import (
    APP,
    NOW,
    OTHER_APP,
    MadeKey,
    basic,
    compact,
    http_event,
    limited,
    make_integration_key,
    make_key,
    rest_request_event,
    rotated,
)
from tests.support.every_attack import every_attack
from tests.support.signing import signed
from tests.support.stacks import TEMPLATE
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock

MAP: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
POLICIES: Final = prepare_policies(read_access_map(MAP, ["v2"]), 10)
NAMED_MAP: Final = read_access_map(
    '[main]\napp = ["GET /tenants/{accountExternalId}/projects/{appExternalId}"]', ["main"]
)
KEY: Final = make_key()
ACCOUNT_KEY: Final = make_key(OwnerType.ACCOUNT)
SERVICE_KEY: Final = make_key(OwnerType.SERVICE_ACCOUNT)
OTHER_KEY: Final = make_key()
KEYS: Final = (KEY, ACCOUNT_KEY, SERVICE_KEY)
USERS: Final = f"/v2/apps/{APP}/users"
ADDRESS: Final = "192.0.2.7"


def authorizer(
    *keys: MadeKey, store: KeyStore | None = None, opener: SecretOpener | None = None
) -> Authorizer:
    records = {key.key_id: key.record for key in keys or KEYS}
    return Authorizer(
        keys=store or MemoryKeyStore(records),
        secrets=opener or MemorySecretOpener(),
        policies=POLICIES,
        clock=SteppedClock(NOW),
        timer=SteppedClock(0),
    )


@dataclass(frozen=True)
class Failing:
    """A key store, or a box of secrets, that fails."""

    reason: Reason
    detail: str

    def get(self, _key_id: str, /, *, fresh: bool = False) -> Lookup:
        del fresh
        raise Unavailable(self.reason, self.detail)

    def open(self, _record: object, /) -> OpenedSecret:
        raise Unavailable(self.reason, self.detail)


class Stale(MemoryKeyStore):
    """A key store that has only an old record."""

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        return replace(super().get(key_id, fresh=fresh), source=RecordSource.STALE)


@dataclass(frozen=True)
class Case:
    """A request, its reason, or `None` for a policy that denies it, and words of its remedy."""

    reason: Reason | None
    words: str
    event: object = field(repr=False)
    by: Authorizer = field(default_factory=authorizer, repr=False)

    def explained(self) -> Explanation:
        return explain(self.event, reader_of(self.event), self.by)


def sent(reason: Reason, words: str, authorization: str | None, *keys: MadeKey) -> Case:
    return Case(reason, words, rest_request_event(authorization), authorizer(*keys))


def encoded(text: str | bytes) -> str:
    octets = text if isinstance(text, bytes) else text.encode()
    return "Basic " + base64.b64encode(octets).decode()


def numbers_of_credentials() -> Iterator[Case]:
    none = Reason.NO_CREDENTIAL
    yield Case(
        none, "`x-api-key`", rest_request_event(None, multiValueHeaders={"X-Api-Key": ["x"]})
    )
    yield Case(
        none,
        "Only WebSocket APIs read the query parameter",
        rest_request_event(None, queryStringParameters={"authorization": "x"}),
    )
    yield Case(
        none,
        "Open the WebSocket with",
        AskedRequest(None, "GET", "", None, EventKind.WEBSOCKET).event(),
    )
    yield sent(none, "header is empty", "")
    yield sent(none, "Send an `Authorization` header", None)
    two = Reason.AMBIGUOUS_CREDENTIAL
    connect = AskedRequest(KEY.basic(), "GET", "", None, EventKind.WEBSOCKET).event()
    yield Case(two, "both an", {**connect, "queryStringParameters": {"authorization": "x"}})
    query = {"authorization": ["x", "y"]}
    yield Case(
        two, "is repeated", {**connect, "headers": {}, "multiValueQueryStringParameters": query}
    )
    yield Case(
        two,
        "more than one `Authorization` header",
        rest_request_event(None, multiValueHeaders={"Authorization": ["x", "y"]}),
    )
    yield sent(Reason.CREDENTIAL_TOO_LONG, "fewer or shorter claims", "Bearer " + "x" * 4_096)
    yield sent(Reason.CREDENTIAL_TOO_LONG, "one key id and secret", "Basic " + "x" * 4_096)


def schemes() -> Iterator[Case]:
    secret, both = KEY.secret, f"{KEY.key_id}:{KEY.secret}"
    code = base64.b64encode(both.encode()).decode()
    other = Reason.UNSUPPORTED_SCHEME
    yield sent(other, "The secret has no scheme", secret)
    yield sent(other, "The token has no scheme", KEY.bearer(scope="app").partition(" ")[2])
    yield sent(other, "neither encoded nor preceded", both)
    yield sent(other, "base64 of key id and secret has no scheme", code)
    yield sent(other, "begins with a quotation mark", f'"Basic {code}"')
    yield sent(other, "white space", f" Basic {code}")
    yield sent(other, "white space", f"Basic\t{code}")
    yield sent(other, "punctuation mark", f"Basic: {code}")
    yield sent(other, "AWS credentials", "AWS4-HMAC-SHA256 Credential=x")
    yield sent(other, "no other scheme", f"ApiKey {secret}")


def basics() -> Iterator[Case]:
    secret, both = KEY.secret, f"{KEY.key_id}:{KEY.secret}"
    code = base64.b64encode(both.encode()).decode()
    bad = Reason.MALFORMED_BASIC
    yield sent(bad, "Nothing follows `Basic`", "Basic ")
    yield sent(bad, "Send it with `Bearer`", f"Basic {secret}")
    yield sent(bad, "contains a comma", f"Basic {code},Basic {code}")
    yield sent(bad, "are not encoded", f"Basic {both}")
    yield sent(bad, "quotation marks around it", f'Basic "{code}"')
    yield sent(bad, "wraps long lines", f"Basic {code[:76]} {code[76:]}")
    yield sent(bad, "wraps long lines", f"Basic {code[:76]}\n{code[76:]}")
    url_safe = base64.urlsafe_b64encode(b"app_:\xc3\xbf\xc3\xbf??>>").decode()
    yield sent(bad, "URL-safe alphabet", f"Basic {url_safe}")
    padded = base64.b64encode(f"{both}x".encode()).decode()
    unpadded = next(one for one in (padded, code + "xx") if len(one.rstrip("=")) % 4)
    yield sent(bad, "lacks its padding", f"Basic {unpadded.rstrip('=')}")
    yield sent(bad, "is cut", f"Basic {code[:9]}")
    yield sent(bad, "character that base64 does not have", f"Basic {code[:-4]}!{code[-3:]}")
    yield sent(bad, "UTF-16", encoded(both.encode("utf-16")))
    yield sent(Reason.MALFORMED_KEY_ID, "UTF-16", encoded(both.encode("utf-16-le")))
    yield sent(bad, "not UTF-8", encoded(b"\xff" + both.encode()))
    yield sent(bad, "stray bits", "Basic YXBwOnh=")
    yield sent(bad, "the secret alone", encoded(secret))
    yield sent(bad, "the key id alone", encoded(KEY.key_id + "\n"))
    yield sent(bad, "encoded twice", encoded(code))
    yield sent(bad, "contains a token", encoded(KEY.bearer(scope="app").partition(" ")[2]))
    yield sent(bad, "no colon", encoded("something else"))


def key_ids_and_secrets() -> Iterator[Case]:
    secret, wrong = KEY.secret, Reason.MALFORMED_KEY_ID
    yield sent(wrong, "are swapped", basic(secret, KEY.key_id))
    yield sent(wrong, "Nothing is before the colon", basic("", secret))
    yield sent(wrong, "a space or a line break around it", basic(KEY.key_id + " ", secret))
    yield sent(wrong, "quotation marks around it", basic(f'"{KEY.key_id}"', secret))
    yield sent(wrong, "uppercase", basic(KEY.key_id.upper(), secret))
    yield sent(wrong, "id of an app or an account", basic(APP, secret))
    yield sent(wrong, "cut or too long", basic(KEY.key_id[:-1], secret))
    yield sent(wrong, "is not a key id", basic("admin", "secret"))
    cut = Reason.MALFORMED_SECRET
    yield sent(cut, "is empty", basic(KEY.key_id, ""))
    yield sent(cut, "`echo` adds", basic(KEY.key_id, secret + "\n"))
    yield sent(cut, "`echo` adds", basic(KEY.key_id, secret + "\r\n"))
    yield sent(cut, "`echo` adds", f"Bearer {secret}\n")
    yield sent(cut, "a space around it", basic(KEY.key_id, f" {secret}"))
    yield sent(cut, "quotation marks around it", basic(KEY.key_id, f'"{secret}"'))
    yield sent(cut, "contains a comma", f"Bearer {secret},Bearer {secret}")
    yield sent(cut, "begin with `ks_`", basic(KEY.key_id, "hunter2"))
    yield sent(cut, "is cut", f"Bearer {secret[:-1]}")
    yield sent(cut, "follows the secret", f"Bearer {secret}x")
    yield sent(cut, "a character that no secret has", f"Bearer {secret[:-1]}-")
    swapped = "a" if secret[-7] != "a" else "b"
    yield sent(Reason.MISTYPED_SECRET, "checksum", f"Bearer {secret[:-7]}{swapped}{secret[-6:]}")
    yield sent(
        Reason.SECRET_OF_ANOTHER_KEY, "belongs to another key", basic(KEY.key_id, OTHER_KEY.secret)
    )


def header(**members: object) -> Mapping[str, object]:
    return {"alg": "HS256", "kid": KEY.key_id, **members}


def with_header(reason: Reason, words: str, **members: object) -> Case:
    kept = {name: value for name, value in header(**members).items() if value is not ...}
    return sent(reason, words, f"Bearer {compact(kept, {'scope': 'app'})}")


def with_claims(reason: Reason, words: str, **claims: object) -> Case:
    return sent(reason, words, f"Bearer {compact(header(), claims)}")


def tokens() -> Iterator[Case]:
    good = KEY.bearer(scope="app").partition(" ")[2]
    head, claims, signature = good.split(".")
    both = f"{KEY.key_id}:{KEY.secret}"
    bad = Reason.MALFORMED_TOKEN
    yield sent(bad, "Nothing follows `Bearer`", "Bearer ")
    yield sent(bad, "Put `Basic` in front", encoded(both).replace("Basic", "Bearer"))
    yield sent(bad, "Send the secret alone", f"Bearer {both}")
    yield sent(bad, "The key id follows `Bearer`", f"Bearer {KEY.key_id}")
    yield sent(bad, "is in uppercase", f"Bearer {KEY.secret.upper()}")
    yield sent(bad, "has two schemes", f"Bearer Bearer {good}")
    yield sent(bad, "contains a comma", f"Bearer {good},{good}")
    yield sent(bad, "quotation marks", f"Bearer '{good}'")
    yield sent(bad, "space or a line break", f"Bearer {good}\n")
    yield sent(bad, "no dots", "Bearer 0123456789abcdef")
    yield sent(bad, "is encrypted", "Bearer a.b.c.d.e")
    yield sent(bad, "three segments", f"Bearer {head}.{claims}")
    yield sent(bad, "without padding", f"Bearer {head}=.{claims}.{signature}")
    yield sent(
        bad, "an algorithm other than", f"Bearer {compact(header(alg='RS256'), {}, 'A' * 342)}"
    )
    yield sent(bad, "header is not a JSON object", f"Bearer {compact('x', {})}")
    yield sent(bad, "claims are not a JSON object", f"Bearer {compact(header(), '[]')}")
    yield sent(bad, "cut or changed", f"Bearer {good[:-1]}")
    repeated = '{"scope": "app", "scope": "app"}'
    twice = Reason.DUPLICATE_TOKEN_MEMBER
    yield sent(twice, "claims contain a member twice", f"Bearer {compact(header(), repeated)}")
    yield sent(twice, "header contains a member twice", f"Bearer {compact(repeated, {})}")
    other = Reason.UNSUPPORTED_ALGORITHM
    yield with_header(other, "not signed", alg="none")
    yield sent(other, "not signed", f"Bearer {head}.{claims}.")
    yield with_header(other, "has no `alg`", alg=...)
    yield with_header(other, "case-sensitive", alg="hs256")
    yield with_header(other, "another HMAC", alg="HS512")
    yield with_header(other, "private key", alg="RS256")
    yield with_header(other, "is unknown", alg=5)
    yield with_header(Reason.UNSUPPORTED_TOKEN_TYPE, "not a string", typ=None)
    yield with_header(Reason.UNSUPPORTED_TOKEN_TYPE, "`at+jwt`", typ="at+jwt")
    for name in sorted(REFUSED_PARAMETERS):
        words = f"Leave `{name}` out"
        yield with_header(Reason.UNSUPPORTED_HEADER_PARAMETER, words, **{name: "x"})
    wrong = Reason.MALFORMED_KEY_ID
    yield sent(
        wrong,
        "`kid` is among the token's claims",
        "Bearer " + compact({"alg": "HS256"}, {"kid": KEY.key_id}),
    )
    yield with_header(wrong, "has no `kid`", kid=...)
    yield with_header(wrong, "`kid` is not a string", kid=5)
    yield with_header(wrong, "Rotate the key", kid=KEY.secret)
    yield with_header(wrong, "`kid` is not a key id", kid=APP)


def claims() -> Iterator[Case]:
    bad = Reason.MALFORMED_CLAIM
    yield with_claims(bad, "`scope` is a list", scope=["app"])
    yield with_claims(bad, "`scope` must be a string", scope=5)
    yield with_claims(bad, "`external_id` is a number", scope="user", external_id=5)
    yield with_claims(bad, "`external_id` must be a string", scope="user", external_id=["u"])
    yield with_claims(bad, "`userId` is a number", scope="appUser", userId=5)
    yield with_claims(bad, "`userId` must be a string", scope="appUser", userId=["u"])
    for name in ("exp", "nbf"):
        for words, value in {
            "is null": None,
            "is a string": "1800000000",
            "is not a number": True,
            "is a fraction": NOW + 0.5,
            "is in milliseconds": NOW * 1_000,
            "is negative": -1,
        }.items():
            yield with_claims(bad, f"`{name}` {words}", scope="app", **{name: value})
    yield with_claims(bad, "`permissions` is a string", scope="app", permissions="read")
    yield with_claims(bad, "`permissions` must be a list", scope="app", permissions=None)
    yield with_claims(bad, "`permissions` is empty", scope="app", permissions=[])
    yield with_claims(bad, "more than 16", scope="app", permissions=["read"] * 17)
    yield with_claims(bad, "not a permission's name", scope="app", permissions=["a b"])
    yield with_claims(Reason.MISSING_SCOPE, "Name the claim `scope`", scp="app")
    yield with_claims(Reason.MISSING_SCOPE, "no claim `scope`", sub="x")
    unknown = Reason.UNKNOWN_SCOPE
    yield with_claims(unknown, "case-sensitive", scope="appuser", userId="u")
    yield with_claims(unknown, "more than one word", scope="app account")
    yield with_claims(unknown, "looks like a permission", scope="conversations:read")
    yield with_claims(unknown, "No scope has the name", scope="admin")
    missing = Reason.MISSING_USER_ID
    yield with_claims(missing, "needs the claim `external_id`", scope="user")
    yield with_claims(missing, "`external_id` belongs to", scope="appUser", external_id="u")
    yield with_claims(missing, "`userId` is empty", scope="appUser", userId="")
    yield with_claims(missing, "claim of another name", scope="appUser", sub="u")
    yield with_claims(missing, "needs the claim `userId`", scope="appUser")
    unsafe = Reason.UNSAFE_USER_ID
    yield with_claims(unsafe, "outside ASCII", scope="appUser", userId="Zoë")
    yield with_claims(unsafe, "contains a slash", scope="appUser", userId="a/b")
    yield with_claims(unsafe, "meaning in paths", scope="user", external_id="a*")
    yield with_claims(unsafe, "longer than 64", scope="appUser", userId="u" * 65)
    yield with_claims(unsafe, "path traversal", scope="appUser", userId="..")
    both = Reason.CONFLICTING_CLAIMS
    yield with_claims(
        both, "both `userId` and `external_id`", scope="appUser", userId="u", external_id="u"
    )
    yield with_claims(both, "scope `user` with `userId`", scope="user", userId="u")


def signed_with(secret: str) -> str:
    return f"Bearer {signed(header(), {'scope': 'app'}, secret)}"


def keys() -> Iterator[Case]:
    yield sent(Reason.UNKNOWN_KEY, "`ReplicaRegion`", OTHER_KEY.basic())
    gone = make_key(revoked_at=NOW - 1)
    yield sent(Reason.REVOKED_KEY, "which is final", gone.basic(), gone)
    forged = new_secret(KEY.key_id)
    after = rotated(KEY, NOW - 5)
    wrong = Reason.WRONG_SECRET
    yield sent(wrong, "may come from another stack", basic(KEY.key_id, forged))
    yield sent(wrong, "rotated more than once", basic(KEY.key_id, forged), after)
    yield sent(Reason.ROTATED_SECRET, "its overlap has ended", KEY.basic(), after)
    unproven = Reason.WRONG_SIGNATURE

    yield sent(unproven, "`echo`", signed_with(KEY.secret + "\n"))
    yield sent(unproven, "signed with the key id", signed_with(KEY.key_id))
    yield sent(unproven, "do not decode it", signed_with(forged))
    yield sent(unproven, "was rotated", signed_with(forged), after)
    disabled = replace(KEY, record=limited(KEY.record, disabled_at=NOW))
    yield sent(Reason.DISABLED_KEY, "`disabled`", disabled.basic(), disabled)
    suspended = replace(KEY, record=replace(KEY.record, suspended_at=NOW))
    words = "`keyscope account resume`"
    yield sent(Reason.SUSPENDED_KEY, words, suspended.basic(), suspended)
    ended = make_key(expires_at=NOW)
    yield sent(Reason.EXPIRED_KEY, "`expiresAt`", ended.basic(), ended)
    unknown, bound = Reason.SOURCE_ADDRESS_UNKNOWN, make_key(allowed_cidrs=("198.51.100.0/24",))
    for words, kind, address in (
        ("Attach the authorizer as `REQUEST`", EventKind.REST_TOKEN, None),
        ("add it to the request to explain", EventKind.REST, None),
        ("not an IPv4 or IPv6 address", EventKind.HTTP, "nowhere"),
    ):
        event = AskedRequest(bound.basic(), "GET", "/", address, kind).event()
        yield Case(unknown, words, event, authorizer(bound))
    refused = Reason.SOURCE_ADDRESS_NOT_ALLOWED
    yield sent(refused, "`allowedCidrs` do not contain", bound.basic(), bound)
    other = make_key(allowed_cidrs=("2001:db8::/32",))
    yield sent(refused, "the other", other.basic(), other)
    late = Reason.EXPIRED_TOKEN
    yield sent(late, "is a duration", KEY.bearer(scope="app", exp=3_600))
    yield sent(late, "`LeewaySeconds`", KEY.bearer(scope="app", exp=NOW - 5))
    yield sent(late, "`exp` has passed", KEY.bearer(scope="app", exp=NOW - 500))
    early = Reason.TOKEN_NOT_YET_VALID
    yield sent(early, "`LeewaySeconds`", KEY.bearer(scope="app", nbf=NOW + 5))
    yield sent(early, "not in local time", KEY.bearer(scope="app", nbf=NOW + 3_600))
    for made in (*map(make_key, OwnerType), make_integration_key()):
        scopes = scopes_of_key(made.key_id)
        scope = "account" if "account" not in scopes else "app"
        words = f"can claim `{min(scopes)}`"
        yield sent(Reason.SCOPE_NOT_OF_OWNER, words, made.bearer(scope=scope), made)
    narrow = replace(KEY, record=limited(KEY.record, permissions=("read",)))
    claimed = narrow.bearer(scope="app", permissions=["users:write"])
    yield sent(Reason.PERMISSION_NOT_OF_KEY, "the key does not have", claimed, narrow)
    unnamed = KEY.bearer(scope="app", permissions=["gone"])
    yield sent(Reason.UNKNOWN_PERMISSION, "`AccessMapRoutes`", unnamed)


def failures() -> Iterator[Case]:
    yield Case(
        Reason.KEY_STORE_UNAVAILABLE,
        "`StaleSeconds` allows",
        rest_request_event(basic(KEY.key_id, new_secret(KEY.key_id))),
        authorizer(store=Stale({KEY.key_id: KEY.record})),
    )
    for reason, details in {
        Reason.KEY_STORE_UNAVAILABLE: {
            "AccessDeniedException": "`PermissionsBoundary`",
            "ResourceNotFoundException": "`ExistingKeysTable`",
            "ProvisionedThroughputExceededException": "throttles",
            "ConnectTimeoutError": "did not answer",
        },
        Reason.KMS_UNAVAILABLE: {
            "AccessDeniedException": "`PermissionsBoundary`",
            "NotFoundException": "`ExistingKeyId`",
            "DisabledException": "disabled",
            "KMSInvalidStateException": "disabled",
            "ThrottlingException": "throttles",
            "ReadTimeoutError": "did not answer",
        },
        Reason.DAMAGED_RECORD: {
            "IncorrectKeyException": "`ExistingKeyId`",
            "attribute format": "newer Keyscope",
            "attribute owner_id": "Something other than Keyscope",
        },
        Reason.INTERNAL_ERROR: {"KeyError in x.py:1 f": "a fault in Keyscope"},
    }.items():
        for detail, words in details.items():
            failing = Failing(reason, detail)
            of_secrets = reason is Reason.KMS_UNAVAILABLE
            by = authorizer(opener=failing) if of_secrets else authorizer(store=failing)
            yield Case(reason, words, rest_request_event(KEY.bearer(scope="app")), by)
    bad = Reason.MALFORMED_EVENT
    first = rest_request_event(KEY.basic(), version="1.0")
    yield Case(bad, "AuthorizerPayloadFormatVersion", first)
    yield Case(bad, "lacks what an HTTP API sends", http_event(KEY.basic(), requestContext=None))
    yield Case(bad, "not as a backend", {"httpMethod": "GET"})
    yield Case(bad, "not as a backend", None)
    yield Case(bad, "neither `TOKEN` nor `REQUEST`", rest_request_event(KEY.basic(), type="X"))
    yield Case(bad, "always sends", rest_request_event(KEY.basic(), requestContext=None))
    small = replace(POLICIES, fit=POLICIES.fit._replace(longest_stage_arn=70))
    for stage, words in (("ESTestInvoke-stage", "Test authorizer"), ("s" * 128, "`StageName`")):
        event = AskedRequest(KEY.basic(), "GET", "/", ADDRESS, stage=stage).event()
        yield Case(Reason.STAGE_NAME_TOO_LONG, words, event, replace(authorizer(), policies=small))


def asked(words: str, authorization: str, path: str, *keys: MadeKey, method: str = "GET") -> Case:
    event = AskedRequest(authorization, method, path, ADDRESS).event()
    return Case(None, words, event, authorizer(*keys))


def denials() -> Iterator[Case]:
    own = KEY.basic()
    never = f"/v1.1/apps/{APP}/attachments/cookie"
    by_never = replace(authorizer(), policies=prepare_policies(read_access_map(MAP, ["v1.1"]), 10))
    event = AskedRequest(ACCOUNT_KEY.basic(), "GET", never, ADDRESS).event()
    yield Case(None, "the access map's list `never`", event, by_never)
    yield asked("encoded more than once", own, f"{USERS}/%252e%252e/x")
    yield asked("dot segments", own, f"{USERS}/../x")
    yield asked("name of the stage", own, f"/prod{USERS}")
    yield asked("ends with a slash", own, f"/v2/apps/{APP}/")
    yield asked("two slashes", own, f"/{USERS}")
    yield asked("need none", own, USERS.replace("users", "use%72s"))
    user = KEY.bearer(scope="appUser", userId="u-1")
    yield asked("a user other than", user, f"{USERS}/u-2")
    named_key = replace(KEY, record=replace(KEY.record, external_ids=ExternalIds("Acme", "Shop")))
    by_name = replace(authorizer(named_key), policies=prepare_policies(NAMED_MAP, 10))
    for words, path in (
        ("as it was created", "/tenants/acme/projects/SHOP"),
        ("external id of another", "/tenants/Other/projects/Shop"),
        ("external id of another", "/tenants/Other/projects/other"),
        ("with other methods", "/tenants/Acme/projects/Shop"),
        ("`AccessMapLayerArn` or `AccessMap`", "/tenants/Other/projects"),
    ):
        method = "GET" if words != "with other methods" else "POST"
        yield Case(None, words, AskedRequest(own, method, path, ADDRESS).event(), by_name)
    event = AskedRequest(own, "GET", "/tenants/acme/projects/SHOP", ADDRESS).event()
    for some in (ExternalIds(), ExternalIds(account="acme"), ExternalIds(app="SHOP")):
        unnamed_key = replace(KEY, record=replace(KEY.record, external_ids=some))
        unnamed = replace(authorizer(unnamed_key), policies=prepare_policies(NAMED_MAP, 10))
        yield Case(None, "account or app has none", event, unnamed)
    yield asked("another app", own, f"/v2/apps/{OTHER_APP}/users")
    yield asked("service account created", ACCOUNT_KEY.basic(), f"/v2/apps/{OTHER_APP}/users")
    yield asked("service account created", SERVICE_KEY.basic(), f"/v2/apps/{APP}/users")
    yield asked("with other methods", own, USERS, method="DELETE")
    yield asked("`AccessMapRoutes`", own, f"/v1.1/apps/{APP}/appusers")
    yield asked("`AccessMapLayerArn` or `AccessMap`", own, "/v2/apps")
    limited_key = replace(KEY, record=limited(KEY.record, permissions=("conversations:read",)))
    yield asked("the key's `permissions` do not", limited_key.basic(), USERS, limited_key)
    claimed = KEY.bearer(scope="app", permissions=["conversations:read"])
    yield asked("the token's `permissions` do not", claimed, USERS)
    stale_names = replace(KEY, record=limited(KEY.record, permissions=("gone",)))
    yield asked("none of the key's `permissions`", stale_names.basic(), USERS, stale_names)
    yield asked("another app", limited_key.basic(), f"/v2/apps/{OTHER_APP}/users", limited_key)


def websockets() -> Iterator[Case]:
    event = AskedRequest(KEY.basic(), "GET", "", ADDRESS, EventKind.WEBSOCKET).event()
    closed = replace(authorizer(), policies=replace(POLICIES, websocket_scopes=frozenset()))
    yield Case(Reason.WEBSOCKET_NOT_OF_SCOPE, "list `websocket`", event, closed)
    narrow = replace(KEY, record=limited(KEY.record, permissions=("read",)))
    yield Case(Reason.WEBSOCKET_NOT_OF_PERMISSIONS, "opens a WebSocket", event, authorizer(narrow))


CASES: Final = [
    case
    for kind in (
        numbers_of_credentials,
        schemes,
        basics,
        key_ids_and_secrets,
        tokens,
        claims,
        keys,
        failures,
        denials,
        websockets,
    )
    for case in kind()
]


def advice_of(explanation: Explanation) -> str:
    failed = [step.advice for step in explanation.steps if step.verdict is StepVerdict.FAILED]
    return " ".join(failed)


@pytest.fixture(scope="module")
def explained() -> list[tuple[Case, Explanation]]:
    return [(case, case.explained()) for case in CASES]


Explained = list[tuple[Case, Explanation]]


def test_each_cause_is_explained_by_a_remedy_of_its_own(explained: Explained) -> None:
    wrong = [
        (case.reason, case.words, found.decision.reason, advice_of(found))
        for case, found in explained
        if found.decision.reason is not case.reason or case.words not in advice_of(found)
    ]
    assert wrong == []


def test_every_remedy_is_reached_by_a_cause(explained: Explained) -> None:
    reached = {(case.reason, advice_of(found)) for case, found in explained}
    remedies = {(reason, remedy.advice) for reason, each in REMEDIES.items() for remedy in each} | {
        (None, remedy.advice) for remedy in (*NOT_ALLOWED, *NOT_PERMITTED)
    }
    assert remedies - reached == set()


def test_every_reason_that_stops_a_step_has_remedies() -> None:
    assert set(REMEDIES) == set(STEPS_OF)
    assert all(REMEDIES.values())


def test_no_two_causes_of_a_reason_share_a_remedy() -> None:
    for remedies in (*REMEDIES.values(), (*NOT_ALLOWED, *NOT_PERMITTED)):
        texts = [remedy.advice for remedy in remedies]
        assert len(texts) == len(set(texts))


def test_no_explanation_of_a_cause_contains_what_the_caller_must_keep(
    explained: Explained,
) -> None:
    secrets = [key.secret for key in (*KEYS, OTHER_KEY)]
    for _, found in explained:
        shown = json.dumps(found.members())
        assert [secret for secret in secrets if secret in shown] == []


def test_every_hostile_credential_gets_a_remedy_of_its_reason() -> None:
    wrong = []
    for attack in every_attack(KEY.key_id, KEY.secret):
        for event in filter(None, (attack.rest_request(), attack.rest_token(), attack.http())):
            found = explain(event, reader_of(event), authorizer())
            reason = found.decision.reason
            texts = [each.advice for each in REMEDIES[reason]] if reason else []
            if advice_of(found) not in texts or KEY.secret in json.dumps(found.members()):
                wrong.append((attack.name, reason))
    assert wrong == []


def test_a_secret_of_another_key_is_shown_with_the_key_that_it_names() -> None:
    found = sent(Reason.SECRET_OF_ANOTHER_KEY, "", basic(KEY.key_id, OTHER_KEY.secret)).explained()
    (step,) = [step for step in found.steps if step.verdict is StepVerdict.FAILED]
    assert step.detail == f"Key id {KEY.key_id}; the secret names {OTHER_KEY.key_id}"


def test_a_request_that_passes_says_why_it_may_have_been_refused() -> None:
    found = asked("", KEY.basic(), USERS).explained()
    assert found.result is RequestResult.PASSES
    assert found.steps[-1].advice == STILL_REFUSED
    assert [step.advice for step in found.steps[:-1] if step.advice] == []


NEVER_REFUSE: Final = {
    "HttpApiEnabled": "without the API there is nothing to request",
    "ConsoleEnabled": "the console's page needs no credential",
    "CorsAllowOrigin": "browsers apply it to answers; the authorizer does not know it",
    "AuthorizerMemorySize": "with too little memory no function starts, so nothing is explained",
    "MaxAppsPerCreator": "the management API answers 409 and names the limit",
    "AwsClient": "both clients make the same calls",
    "SnapStartEnabled": "it decides how a container starts",
    "LogLevel": "it decides what is logged",
    "LogAllowedSample": "it decides what is logged",
    "LogRetentionDays": "it decides how long logs are kept",
    "MetricsNamespace": "it names metrics",
    "AuditEventBus": "it names where events go",
    "DeletionProtection": "it guards tables against deletion",
    "TrafficShifting": "it decides how a new version is deployed",
    "RollbackFailures": "it decides when a deployment is undone",
    "ExistingDirectoryTable": "no authorizer reads the directory",
    "TakesChanges": "the functions that it stops are not the authorizers",
    "AlarmsEnabled": "alarms only watch",
    "AlarmTopicArn": "alarms only watch",
    "AlarmFailedPercent": "alarms only watch",
    "AlarmDecisionMilliseconds": "alarms only watch",
    "AlarmUnknownKeys": "alarms only watch",
    "AlarmEndedKeyUses": "alarms only watch",
    "AlarmPolicyBytes": "alarms only watch",
    "DashboardEnabled": "a dashboard only shows",
    "AccessLogEnabled": "an access log only records",
}
"""Parameters of the template that cannot cause a refusal or a failure, each with the reason."""


def test_a_remedy_names_every_parameter_that_can_cause_a_refusal() -> None:
    template = parse_yaml(TEMPLATE.read_text("utf-8"))
    parameters = set(cast("Mapping[str, object]", template["Parameters"]))
    remedies = [each for found in REMEDIES.values() for each in found]
    texts = [each.advice for each in (*remedies, *NOT_ALLOWED, *NOT_PERMITTED)]
    named = set(re.findall(r"`(\w+)`", " ".join([*texts, STILL_REFUSED])))
    assert parameters - named == set(NEVER_REFUSE)
