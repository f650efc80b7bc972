"""Remedies for a token that cannot be read, or whose claims break a rule."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from keyscope.authorize.jwt import ALGORITHM, REFUSED_PARAMETERS
from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.remedies.credentials import KEY_ID_FORM, KEY_ID_IN_BASIC, is_quoted
from keyscope.explain.remedies.remedy import (
    Remedies,
    RemediesByReason,
    Remedy,
    only_if,
    otherwise,
)
from keyscope.model.ids import KEY_KINDS, MAX_USER_ID_LENGTH, IdName, is_key_id, percent_encoded
from keyscope.model.key_limits import MAX_PERMISSIONS, is_permission
from keyscope.model.scopes import SCOPES, Scope
from keyscope.model.secret import SECRET_PREFIX

_LIBRARY: Final = "Sign tokens with a JWT library, as the README shows."
_KEY_ID_PREFIXES: Final = tuple(KEY_KINDS)
_END_OF_CALENDAR: Final = 253_402_300_800
_OTHER_SCOPE_NAMES: Final = frozenset({"scp", "scopes", "Scope", "role", "roles"})
_OTHER_USER_NAMES: Final = frozenset({"sub", "user_id", "userid", "userID", "externalId"})
_SAFE_CHARACTERS: Final[frozenset[str]] = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@+:"
)
_TOKEN_SEGMENTS: Final = 3
_ENCRYPTED_SEGMENTS: Final = 5


def _any_of(names: Iterator[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


SCOPE_NAMES: Final = _any_of(f"`{scope}`" for scope in Scope)
_OF_USERS: Final = _any_of(
    f"`{scope}`" for scope, row in SCOPES.items() if IdName.USER in row.claims
)


def _segments(known: Known) -> int:
    return len(known.sent.segments)


def _algorithm(known: Known) -> object:
    return known.sent.header.get("alg")


def _algorithm_name(known: Known) -> str:
    name = _algorithm(known)
    return name if isinstance(name, str) else ""


def _claim(known: Known, name: str) -> object:
    return known.sent.claims.get(name)


MALFORMED_TOKEN: Final[Remedies] = (
    Remedy(
        lambda known: not known.sent.rest,
        "Nothing follows `Bearer`. Check that the variable with the secret or the token is set.",
    ),
    Remedy(
        lambda known: known.sent.text.startswith(_KEY_ID_PREFIXES) and ":" in known.sent.text,
        "The value is the base64 of key id and secret. Put `Basic` in front of it instead of"
        " `Bearer`.",
    ),
    Remedy(
        lambda known: known.sent.rest.startswith(_KEY_ID_PREFIXES) and ":" in known.sent.rest,
        "Key id and secret follow `Bearer`. Send the secret alone, without the key id.",
    ),
    Remedy(
        lambda known: is_key_id(known.sent.rest.strip()),
        "The key id follows `Bearer`. Send the secret, or a token signed with it.",
    ),
    Remedy(
        lambda known: known.sent.rest.strip().lower().startswith(SECRET_PREFIX),
        f"The secret has a space before it, or its prefix `{SECRET_PREFIX}` is in uppercase. Copy"
        " the secret again, whole.",
    ),
    Remedy(
        lambda known: known.sent.rest.lower().startswith(("bearer ", "basic ")),
        "The value has two schemes. Your client adds `Bearer` itself: pass it the secret or the"
        " token alone.",
    ),
    Remedy(
        lambda known: "," in known.sent.rest,
        "The value contains a comma: API Gateway joins repeated headers with one. Send one"
        " `Authorization` header.",
    ),
    Remedy(
        lambda known: is_quoted(known.sent.rest),
        "The token has quotation marks around it. Remove them.",
    ),
    Remedy(
        lambda known: any(character.isspace() for character in known.sent.rest),
        "The token contains a space or a line break. Remove it.",
    ),
    Remedy(
        lambda known: _segments(known) == 1,
        "The value has no dots, so it is not a JWT. Send a Keyscope secret or a token signed with"
        " one; tokens of other providers do not work.",
    ),
    Remedy(
        lambda known: _segments(known) == _ENCRYPTED_SEGMENTS,
        "The token is encrypted (JWE). Send a signed token with three segments.",
    ),
    Remedy(
        lambda known: _segments(known) != _TOKEN_SEGMENTS,
        "The token does not have three segments, so it is cut or joined with something else. Send"
        " it whole.",
    ),
    Remedy(
        lambda known: "=" in known.sent.rest or "+" in known.sent.rest or "/" in known.sent.rest,
        "The token is encoded in base64. Its segments must be base64url without padding.",
    ),
    Remedy(
        lambda known: _algorithm(known) not in {None, ALGORITHM},
        f"The token is signed with an algorithm other than {ALGORITHM}. Sign with {ALGORITHM} and"
        " the key's secret.",
    ),
    Remedy(
        lambda known: not known.sent.header,
        f"The token's header is not a JSON object. {_LIBRARY}",
    ),
    Remedy(
        lambda known: not known.sent.claims,
        f"The token's claims are not a JSON object, or they are empty. {_LIBRARY}",
    ),
    otherwise(f"A segment of the token is cut or changed. Send the token whole. {_LIBRARY}"),
)

UNSUPPORTED_ALGORITHM: Final[Remedies] = (
    Remedy(
        lambda known: known.sent.rest.endswith(".") or _algorithm_name(known).lower() == "none",
        f"The token is not signed. Sign it with {ALGORITHM} and the key's secret.",
    ),
    Remedy(
        lambda known: "alg" not in known.sent.header,
        f"The token's header has no `alg`. Set it to `{ALGORITHM}`.",
    ),
    Remedy(
        lambda known: _algorithm_name(known).upper() == ALGORITHM,
        f"The value of `alg` is case-sensitive. Write `{ALGORITHM}`.",
    ),
    Remedy(
        lambda known: _algorithm_name(known).startswith("HS"),
        f"The token's `alg` is another HMAC. Sign with {ALGORITHM}; a longer hash does not make a"
        " token safer here.",
    ),
    Remedy(
        lambda known: _algorithm_name(known).startswith(("RS", "PS", "ES", "Ed")),
        f"The token is signed with a private key. Sign with {ALGORITHM} and the key's secret.",
    ),
    otherwise(f"The token's `alg` is unknown. Set it to `{ALGORITHM}`."),
)

UNSUPPORTED_TOKEN_TYPE: Final[Remedies] = (
    Remedy(
        lambda known: not isinstance(known.sent.header.get("typ"), str),
        "The token's `typ` is not a string. Leave it out, or set it to `JWT`.",
    ),
    otherwise(
        "The token's `typ` is not `JWT`; tokens of OAuth servers have `at+jwt`, for example. Leave"
        " it out, or set it to `JWT`."
    ),
)

_WHY_REFUSED: Final[Mapping[str, str]] = {
    "crit": "Keyscope supports no extensions.",
    "b64": "Keyscope supports no extensions.",
    "zip": "Keyscope does not support compressed tokens.",
    "enc": "Keyscope does not support encrypted tokens.",
    "jwk": "A token cannot bring its own key; `kid` names the key.",
    "jku": "A token cannot bring its own key; `kid` names the key.",
    "x5u": "Keyscope does not support certificates; `kid` names the key.",
    "x5c": "Keyscope does not support certificates; `kid` names the key.",
    "x5t": "Keyscope does not support certificates; `kid` names the key.",
    "x5t#S256": "Keyscope does not support certificates; `kid` names the key.",
}


def _has_parameter(name: str) -> Callable[[Known], bool]:
    return lambda known: name in known.sent.header


UNSUPPORTED_HEADER_PARAMETER: Final[Remedies] = (
    *(
        Remedy(
            _has_parameter(name),
            f"Leave `{name}` out of the token's header. {_WHY_REFUSED[name]}",
        )
        for name in sorted(REFUSED_PARAMETERS - {"crit"})
    ),
    otherwise(f"Leave `crit` out of the token's header. {_WHY_REFUSED['crit']}"),
)

KEY_ID_IN_TOKEN: Final[Remedies] = (
    Remedy(
        lambda known: "kid" not in known.sent.header and "kid" in known.sent.claims,
        "`kid` is among the token's claims. Set it in the token's header.",
    ),
    Remedy(
        lambda known: "kid" not in known.sent.header,
        "The token's header has no `kid`. Set it to the id of the key that signs the token.",
    ),
    Remedy(
        lambda known: not isinstance(known.sent.header["kid"], str),
        "The token's `kid` is not a string. Set it to the id of the key that signs the token.",
    ),
    Remedy(
        lambda known: str(known.sent.header["kid"]).startswith(SECRET_PREFIX),
        "The token's `kid` contains the secret, and anyone can read a token. Rotate the key, and"
        " set `kid` to the key id.",
    ),
    otherwise(f"The token's `kid` is not a key id. A key id is {KEY_ID_FORM}."),
)


def _of_time(name: str) -> Iterator[Remedy]:
    """Yield the remedies of `exp` or `nbf`, which is in seconds since the epoch."""

    def about(holds: Callable[[object], bool], advice: str) -> Remedy:
        return Remedy(
            lambda known: name in known.sent.claims and holds(known.sent.claims[name]),
            f"{advice} Set `{name}` to whole seconds since 1970-01-01 in UTC.",
        )

    def is_number(value: object) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    yield about(lambda value: value is None, f"The claim `{name}` is null.")
    yield about(lambda value: isinstance(value, str), f"The claim `{name}` is a string.")
    yield about(lambda value: not is_number(value), f"The claim `{name}` is not a number.")
    yield about(
        lambda value: isinstance(value, float),
        f"The claim `{name}` is a fraction: round it down.",
    )
    yield about(
        lambda value: isinstance(value, int) and value >= _END_OF_CALENDAR,
        f"The claim `{name}` is in milliseconds: divide it by 1,000.",
    )
    yield about(
        lambda value: isinstance(value, int) and value < 0,
        f"The claim `{name}` is negative.",
    )


def _of_user(name: str) -> Iterator[Remedy]:
    """Yield the remedies of a claim with the user's id."""

    def is_no_string(known: Known) -> bool:
        return name in known.sent.claims and not isinstance(known.sent.claims[name], str)

    yield Remedy(
        lambda known: is_no_string(known) and isinstance(known.sent.claims[name], int),
        f"The claim `{name}` is a number. Put quotation marks around it: it must be a string.",
    )
    yield Remedy(is_no_string, f"The claim `{name}` must be a string.")


MALFORMED_CLAIM: Final[Remedies] = (
    Remedy(
        lambda known: isinstance(_claim(known, "scope"), list),
        "The claim `scope` is a list. Set it to one scope, a string.",
    ),
    Remedy(
        lambda known: not isinstance(_claim(known, "scope"), str),
        "The claim `scope` must be a string.",
    ),
    *only_if(
        lambda known: _claim(known, "scope") == "user",
        tuple(_of_user("external_id")),
    ),
    *only_if(
        lambda known: IdName.USER in _claims_of(known),
        tuple(_of_user("userId")),
    ),
    *_of_time("exp"),
    *_of_time("nbf"),
    Remedy(
        lambda known: isinstance(_claim(known, "permissions"), str),
        "The claim `permissions` is a string. Set it to a list of names.",
    ),
    Remedy(
        lambda known: not isinstance(_claim(known, "permissions"), list),
        "The claim `permissions` must be a list of names. Leave it out for all that the key has.",
    ),
    Remedy(
        lambda known: _claim(known, "permissions") == [],
        "The claim `permissions` is empty. Leave it out for all that the key has.",
    ),
    Remedy(
        lambda known: _number_of_permissions(known) > MAX_PERMISSIONS,
        f"The claim `permissions` has more than {MAX_PERMISSIONS} names. Claim fewer.",
    ),
    otherwise("The claim `permissions` contains something that is not a permission's name."),
)


def _claims_of(known: Known) -> tuple[IdName, ...]:
    claimed = _claim(known, "scope")
    return next((row.claims for scope, row in SCOPES.items() if scope == claimed), ())


def _number_of_permissions(known: Known) -> int:
    claimed = _claim(known, "permissions")
    return len(claimed) if isinstance(claimed, list) else 0


MISSING_SCOPE: Final[Remedies] = (
    Remedy(
        lambda known: not _OTHER_SCOPE_NAMES.isdisjoint(known.sent.claims),
        f"The scope is in a claim of another name. Name the claim `scope`: {SCOPE_NAMES}.",
    ),
    otherwise(f"The token has no claim `scope`. Set it to {SCOPE_NAMES}."),
)

UNKNOWN_SCOPE: Final[Remedies] = (
    Remedy(
        lambda known: str(_claim(known, "scope")).lower() in {scope.lower() for scope in Scope},
        f"Scopes are case-sensitive. Set the claim `scope` to {SCOPE_NAMES}.",
    ),
    Remedy(
        lambda known: len(str(_claim(known, "scope")).split()) > 1,
        f"The claim `scope` has more than one word. Claim one scope: {SCOPE_NAMES}.",
    ),
    Remedy(
        lambda known: ":" in str(_claim(known, "scope")) and is_permission(_claim(known, "scope")),
        "The claim `scope` looks like a permission. Permissions are a list in the claim"
        f" `permissions`; the scope is {SCOPE_NAMES}.",
    ),
    otherwise(f"No scope has the name in the claim `scope`. Set it to {SCOPE_NAMES}."),
)

MISSING_USER_ID: Final[Remedies] = (
    Remedy(
        lambda known: _claim(known, "scope") == "user",
        "The token claims the scope `user`, which needs the claim `external_id`. Set it to the"
        " user's id.",
    ),
    Remedy(
        lambda known: "external_id" in known.sent.claims,
        "The claim `external_id` belongs to the scope `user`. Claim that scope, or name the claim"
        " `userId`.",
    ),
    Remedy(
        lambda known: "userId" in known.sent.claims,
        "The claim `userId` is empty. Set it to the user's id.",
    ),
    Remedy(
        lambda known: not _OTHER_USER_NAMES.isdisjoint(known.sent.claims),
        "The user's id is in a claim of another name. Name the claim `userId`.",
    ),
    otherwise(f"The scope {_OF_USERS} needs the claim `userId`. Set it to the user's id."),
)


def _user_id(known: Known) -> str:
    name = "external_id" if _claim(known, "scope") == "user" else "userId"
    return str(_claim(known, name))


UNSAFE_USER_ID: Final[Remedies] = (
    Remedy(
        lambda known: not _user_id(known).isascii(),
        "The user's id contains a letter outside ASCII. Use letters A to Z, digits and"
        " `- . _ ~ @ + :`, or a hash of the id.",
    ),
    Remedy(
        lambda known: "/" in _user_id(known) or "\\" in _user_id(known),
        "The user's id contains a slash, which would be part of a path. Use letters, digits and"
        " `- . _ ~ @ + :`.",
    ),
    Remedy(
        lambda known: not set(_user_id(known)) <= _SAFE_CHARACTERS,
        "The user's id contains a character with a meaning in paths or policies. Use"
        " letters, digits and `- . _ ~ @ + :`.",
    ),
    Remedy(
        lambda known: len(percent_encoded(_user_id(known))) > MAX_USER_ID_LENGTH,
        f"The user's id is longer than {MAX_USER_ID_LENGTH} characters, where each of `@ + :`"
        " counts as three. Use a shorter id.",
    ),
    otherwise(
        "The user's id looks like a path traversal. It must not be `.`, begin with `..`, or"
        " contain an encoded slash before `..`."
    ),
)


def _in_token(known: Known) -> bool:
    return known.sent.scheme == "bearer"


TOKENS: Final[RemediesByReason] = {
    Reason.MALFORMED_KEY_ID: (*only_if(_in_token, KEY_ID_IN_TOKEN), *KEY_ID_IN_BASIC),
    Reason.MALFORMED_TOKEN: MALFORMED_TOKEN,
    Reason.DUPLICATE_TOKEN_MEMBER: (
        Remedy(
            lambda known: known.sent.header_repeats,
            "The token's header contains a member twice, and readers disagree on which of the two"
            f" counts. {_LIBRARY}",
        ),
        otherwise(
            "The token's claims contain a member twice, and readers disagree on which of the two"
            f" counts. {_LIBRARY}"
        ),
    ),
    Reason.UNSUPPORTED_ALGORITHM: UNSUPPORTED_ALGORITHM,
    Reason.UNSUPPORTED_TOKEN_TYPE: UNSUPPORTED_TOKEN_TYPE,
    Reason.UNSUPPORTED_HEADER_PARAMETER: UNSUPPORTED_HEADER_PARAMETER,
    Reason.MALFORMED_CLAIM: MALFORMED_CLAIM,
    Reason.MISSING_SCOPE: MISSING_SCOPE,
    Reason.UNKNOWN_SCOPE: UNKNOWN_SCOPE,
    Reason.MISSING_USER_ID: MISSING_USER_ID,
    Reason.UNSAFE_USER_ID: UNSAFE_USER_ID,
    Reason.CONFLICTING_CLAIMS: (
        Remedy(
            lambda known: "external_id" in known.sent.claims,
            "The token has both `userId` and `external_id`. Send `userId` with the scope `appUser`,"
            " or `external_id` with the scope `user`.",
        ),
        otherwise(
            "The token claims the scope `user` with `userId`. Name the claim `external_id`, or"
            " claim the scope `appUser`."
        ),
    ),
}
