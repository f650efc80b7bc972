"""Remedies for a credential that is well formed and does not prove a principal."""

from typing import Final

from keyscope.authorize.jwt import Jwt, is_signed_with
from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.remedies.remedy import Remedies, RemediesByReason, Remedy, otherwise
from keyscope.explain.request import EventKind
from keyscope.model.ids import KEY_KINDS, title_of_holder
from keyscope.model.scopes import scopes_of_key
from keyscope.model.source_address import read_network, read_source_address

MOST_LEEWAY_SECONDS: Final = 60
"""The largest value of the template's parameter `LeewaySeconds`."""
_SHORTEST_TIME: Final = 1_000_000_000
"""Seconds from 1970 to 2001. Smaller values of `exp` are durations."""


def _was_rotated(known: Known) -> bool:
    return known.record is not None and known.record.secret_generation > 1


def _signs(known: Known, secret: str) -> bool:
    token = known.credential
    return isinstance(token, Jwt) and is_signed_with(secret, token)


def _signed_with_line_break(known: Known) -> bool:
    secret = known.opened
    return secret is not None and any(_signs(known, secret + end) for end in ("\n", "\r\n"))


def _signed_with_key_id(known: Known) -> bool:
    return known.credential is not None and _signs(known, known.credential.key_id)


def _seconds_after(known: Known, claim: str) -> float:
    """Return how many seconds ago the time of a claim was."""
    time = known.sent.claims.get(claim)
    return known.now - time if isinstance(time, int) else float("inf")


def _address(known: Known) -> str | None:
    return None if known.request is None else known.request.source_address


def _no_cidr_has_the_addresss_version(known: Known) -> bool:
    address = read_source_address(_address(known) or "")
    cidrs = () if known.record is None else known.record.limits.allowed_cidrs
    return address is not None and all(
        read_network(cidr).version != address.version for cidr in cidrs
    )


WRONG_SIGNATURE: Final[Remedies] = (
    Remedy(
        _signed_with_line_break,
        "The token is signed with the secret and a line break, which `echo` and text editors add."
        " Strip the secret that you read from a file.",
    ),
    Remedy(
        _signed_with_key_id,
        "The token is signed with the key id. Sign it with the key's secret.",
    ),
    Remedy(
        _was_rotated,
        "The token is not signed with this key's secret. The key was rotated: check that the signer"
        " has its new secret, whole and as UTF-8 text.",
    ),
    otherwise(
        "The token is not signed with the secret of the key that `kid` names. Sign with that key's"
        " secret, as UTF-8 text; do not decode it."
    ),
)

WRONG_SECRET: Final[Remedies] = (
    Remedy(
        _was_rotated,
        "The secret is not this key's. The key was rotated more than once: give the caller its"
        " newest secret.",
    ),
    otherwise(
        "The secret is well formed but is not this key's. It may come from another stack. If the"
        " right one is lost, rotate the key."
    ),
)

SOURCE_ADDRESS_UNKNOWN: Final[Remedies] = (
    Remedy(
        lambda known: known.asked.event_kind is EventKind.REST_TOKEN,
        "The key has `allowedCidrs`, and `TOKEN` events do not contain an address. Attach the"
        " authorizer as `REQUEST`, or remove the key's `allowedCidrs`.",
    ),
    Remedy(
        lambda known: _address(known) is None,
        "The key has `allowedCidrs`, and no source address is known. API Gateway always sends one:"
        " add it to the request to explain (`--source-address`).",
    ),
    otherwise(
        "The key has `allowedCidrs`, and the source address is not an IPv4 or IPv6 address. Check"
        " what wrote the event."
    ),
)

SOURCE_ADDRESS_NOT_ALLOWED: Final[Remedies] = (
    Remedy(
        _no_cidr_has_the_addresss_version,
        "The caller's address is IPv4 and all of the key's `allowedCidrs` are IPv6, or the other"
        " way around. Add the caller's network.",
    ),
    otherwise(
        "The key's `allowedCidrs` do not contain the address. Add the caller's network if you trust"
        " it. Behind a proxy or a CDN, the address is the proxy's."
    ),
)

EXPIRED_TOKEN: Final[Remedies] = (
    Remedy(
        lambda known: _seconds_after(known, "exp") > known.now - _SHORTEST_TIME,
        "The claim `exp` is a duration. Set it to the time at which the token expires, in seconds"
        " since 1970-01-01 in UTC.",
    ),
    Remedy(
        lambda known: _seconds_after(known, "exp") <= MOST_LEEWAY_SECONDS,
        "The token's `exp` passed less than a minute ago. Sign a new token. If it is new, set the"
        " signer's clock, or raise the parameter `LeewaySeconds`.",
    ),
    otherwise("The token's `exp` has passed. Sign a new token."),
)

TOKEN_NOT_YET_VALID: Final[Remedies] = (
    Remedy(
        lambda known: -_seconds_after(known, "nbf") <= MOST_LEEWAY_SECONDS,
        "The token's `nbf` is less than a minute ahead. Set the signer's clock, leave `nbf` out, or"
        " raise the parameter `LeewaySeconds`.",
    ),
    otherwise(
        "The token's `nbf` is in the future. Set the signer's clock, and check that `nbf` is in"
        " UTC, not in local time."
    ),
)


def _scopes_of(prefix: str) -> str:
    *others, last = [f"`{scope}`" for scope in sorted(scopes_of_key(prefix))]
    return f"{', '.join(others)} or {last}" if others else last


def _of_key(prefix: str) -> Remedy:
    title = title_of_holder(KEY_KINDS[prefix])
    return Remedy(
        lambda known: known.record is not None and known.record.key_id.startswith(prefix),
        f"A token signed with a key of this {title} can claim {_scopes_of(prefix)}. Claim that"
        " scope, or sign with a key of another owner.",
    )


_FIRST_KIND, *_OTHER_KINDS = KEY_KINDS
SCOPE_NOT_OF_OWNER: Final[Remedies] = (
    *map(_of_key, _OTHER_KINDS),
    otherwise(_of_key(_FIRST_KIND).advice),
)

KEYS: Final[RemediesByReason] = {
    Reason.UNKNOWN_KEY: (
        otherwise(
            "No key has this id here. Check that the key belongs to this stack and, if the stack"
            " uses `ExistingKeysTable`, to that table. With `ReplicaRegion`, a new key arrives some"
            " seconds late. An expired or revoked key's record is deleted after a while: create a"
            " new key."
        ),
    ),
    Reason.REVOKED_KEY: (
        otherwise("The key was revoked, which is final. Create another key for the caller."),
    ),
    Reason.WRONG_SECRET: WRONG_SECRET,
    Reason.WRONG_SIGNATURE: WRONG_SIGNATURE,
    Reason.ROTATED_SECRET: (
        otherwise(
            "The last rotation replaced this secret, and its overlap has ended. Give the caller"
            " the key's new secret, or rotate the key again."
        ),
    ),
    Reason.SUSPENDED_KEY: (
        otherwise(
            "The operator suspended the key's account, and all of its keys with it. To accept them"
            " again, run `keyscope account resume`."
        ),
    ),
    Reason.DISABLED_KEY: (
        otherwise("The key is disabled. To enable it, set its `disabled` to false."),
    ),
    Reason.EXPIRED_KEY: (
        otherwise(
            "The key's `expiresAt` has passed. Set a later one while the key is still listed, or"
            " create another key."
        ),
    ),
    Reason.SOURCE_ADDRESS_UNKNOWN: SOURCE_ADDRESS_UNKNOWN,
    Reason.SOURCE_ADDRESS_NOT_ALLOWED: SOURCE_ADDRESS_NOT_ALLOWED,
    Reason.EXPIRED_TOKEN: EXPIRED_TOKEN,
    Reason.TOKEN_NOT_YET_VALID: TOKEN_NOT_YET_VALID,
    Reason.SCOPE_NOT_OF_OWNER: SCOPE_NOT_OF_OWNER,
    Reason.PERMISSION_NOT_OF_KEY: (
        otherwise(
            "The token's `permissions` contain one that the key does not have. Claim fewer, or add"
            " the permission to the key."
        ),
    ),
    Reason.UNKNOWN_PERMISSION: (
        otherwise(
            "The token's `permissions` contain a name that the deployed access map does not have."
            " `keyscope access check` lists its names; the parameters"
            " `AccessMapLayerArn` or `AccessMap`, and `AccessMapRoutes`, choose the map."
        ),
    ),
}
