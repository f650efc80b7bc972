"""What Keyscope found at each step, in words that contain no secret and no token."""

from collections.abc import Callable, Mapping
from typing import Final, assert_never

from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.steps import Step
from keyscope.model.ids import OWNERS, kind_of_key, title_of_holder
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import ProvenSecret
from keyscope.model.scopes import scope_of_secret, scopes_of_key
from keyscope.model.secret import key_id_of_secret
from keyscope.model.times import rfc3339

_UNLIMITED: Final = "The key is not limited to permissions"


def detail_of(step: Step, known: Known) -> str:
    """Return what Keyscope found at a step, or an empty text if there is nothing to report."""
    return DETAILS[step](known)


def shown_time(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC. Any number from a token has a text."""
    try:
        return rfc3339(seconds)
    except (OverflowError, ValueError, OSError):
        return "the end of the calendar" if seconds > 0 else "the beginning of the calendar"


def _credential(known: Known) -> str:
    if known.credential is None:
        return _two_keys(known) if known.decision.reason is Reason.SECRET_OF_ANOTHER_KEY else ""
    shown = f"{known.credential.title}, key id {known.credential.key_id}"
    claims = known.credential.claims
    if claims is None:
        return shown
    user = f", userId {claims.user_id}" if claims.user_id else ""
    return f"{shown}, claims scope {claims.scope}{user}"


def _two_keys(known: Known) -> str:
    key_id, _, secret = known.sent.text.partition(":")
    return f"Key id {key_id}; the secret names {key_id_of_secret(secret)}"


def _key(known: Known) -> str:
    if known.record is None:
        return "Key not found" if known.decision.record_source is not None else ""
    owner = f"Key of the {_owner_type(known.record)} {known.record.owner_id}"
    external_ids = known.record.external_ids.by_name()
    if external_ids:
        owner += f" ({', '.join(f'{name} {value}' for name, value in external_ids.items())})"
    if known.record.integration_id is not None:
        owner += f", bound to the integration {known.record.integration_id}"
    revoked = known.record.revoked_at
    return owner if revoked is None else f"{owner}, revoked at {shown_time(revoked)}"


def _secret(known: Known) -> str:
    previous = None if known.record is None else known.record.previous
    principal = known.decision.principal
    if previous is None:
        return ""
    proven = None if principal is None else principal.secret
    match proven:
        case ProvenSecret.PREVIOUS:
            return f"The previous secret, accepted until {shown_time(previous.ends_at)}"
        case ProvenSecret.CURRENT | None if known.now >= previous.ends_at:
            return f"The overlap of the last rotation ended at {shown_time(previous.ends_at)}"
        case ProvenSecret.CURRENT | None:
            return ""
        case _:
            assert_never(proven)


def _enabled(known: Known) -> str:
    suspended_at = known.record.suspended_at if known.record else None
    if suspended_at is not None:
        return f"Suspended with its account since {shown_time(suspended_at)}"
    since = known.record.limits.disabled_at if known.record else None
    return "" if since is None else f"Disabled since {shown_time(since)}"


def _unexpired(known: Known) -> str:
    ends = known.record.limits.expires_at if known.record else None
    if ends is None:
        return "The key does not expire"
    verb = "Expired" if known.now >= ends else "Expires"
    return f"{verb} at {shown_time(ends)}"


def _source_address(known: Known) -> str:
    cidrs = known.record.limits.allowed_cidrs if known.record else ()
    if not cidrs:
        return "The key is not limited to source addresses"
    address = known.request.source_address if known.request else None
    return f"{address or 'No address'}. Allowed: {', '.join(cidrs)}"


def _token_times(known: Known) -> str:
    claims = None if known.credential is None else known.credential.claims
    if claims is None:
        return "No token"
    times = {"Valid from": claims.not_before, "until": claims.expires_at}
    told = ", ".join(f"{name} {shown_time(at)}" for name, at in times.items() if at is not None)
    if not told:
        return "The token has neither exp nor nbf"
    leeway = f", {known.leeway_seconds} s leeway" if known.leeway_seconds else ""
    return f"{told[0].upper()}{told[1:]}{leeway}; now {shown_time(known.now)}"


def _scope(known: Known) -> str:
    if known.record is None or known.credential is None:
        return ""
    claims = known.credential.claims
    if claims is None:
        return f"{known.credential.title}: scope {scope_of_secret(known.record.key_id)}"
    given = ", ".join(sorted(scopes_of_key(known.record.key_id)))
    holder = title_of_holder(kind_of_key(known.record.key_id))
    return f"Claims {claims.scope}; a key of this {holder} can claim {given}"


def _permissions(known: Known) -> str:
    if known.record is None:
        return ""
    held = known.record.limits.permissions
    shown = _UNLIMITED
    if held is not None:
        shown = f"The key is limited to {', '.join(held)}"
    claims = None if known.credential is None else known.credential.claims
    if claims is None or claims.permissions is None:
        return shown
    return f"{shown}; the token claims {', '.join(claims.permissions)}"


def _policy(known: Known) -> str:
    principal = known.decision.principal
    if principal is None:
        return ""
    ends, permissions = principal.limits.expires_at, principal.limits.permissions
    limited = "" if permissions is None else f", limited to {', '.join(permissions)}"
    until = "" if ends is None else f"; valid until {shown_time(ends)}"
    return f"For {principal.name}, scope {principal.scope}{limited}{until}"


def _reach(known: Known) -> str:
    principal = known.decision.principal
    if principal is None:
        return ""
    permissions = principal.limits.permissions
    if permissions is None:
        return _UNLIMITED
    return f"The key is limited to {', '.join(permissions) or 'permissions that no longer exist'}"


def _owner_type(record: KeyRecord) -> str:
    return OWNERS[record.owner_type].title


def _nothing(_: Known) -> str:
    return ""


DETAILS: Final[Mapping[Step, Callable[[Known], str]]] = {
    Step.EVENT: _nothing,
    Step.CREDENTIAL: _credential,
    Step.KEY: _key,
    Step.SECRET: _secret,
    Step.ENABLED: _enabled,
    Step.UNEXPIRED: _unexpired,
    Step.SOURCE_ADDRESS: _source_address,
    Step.TOKEN_TIMES: _token_times,
    Step.SCOPE: _scope,
    Step.PERMISSIONS: _permissions,
    Step.POLICY: _policy,
    Step.REACH: _reach,
    Step.ACCESS: _nothing,
}
