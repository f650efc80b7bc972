"""From a principal and an API stage to the IAM policy that API Gateway applies and caches.

In an IAM resource, `*` and `?` match across slashes. So a policy names each method, an allowed
resource has a star only at its very end, and ids match literally. A Deny may be broader than
necessary, because it only refuses.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple, NotRequired, TypedDict

from keyscope.access.grants import (
    MAX_GRANTS,
    Grant,
    Permitted,
    grants_of,
    longest_sets,
    open_part,
    permitted_grant,
    permitted_of,
)
from keyscope.access.method_arn import LONGEST_REGION, MAX_STAGE_LENGTH, ApiStage, longest_api_stage
from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED
from keyscope.access.rules import OPEN_ENDED, AccessMap, Grantee, OtherGrantee
from keyscope.errors import Misconfigured, Reason, Refused, Unavailable
from keyscope.model.external_ids import MAX_EXTERNAL_ID_LENGTH, ExternalIds
from keyscope.model.ids import (
    ID_LENGTHS,
    KEY_ID_LENGTH,
    MAX_USER_ID_LENGTH,
    OWNER_ID_LENGTHS,
    IdName,
    OwnerType,
    percent_encoded,
)
from keyscope.model.key_limits import MAX_ALLOWED_CIDRS, KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import SCOPES, Scope
from keyscope.model.times import rfc3339
from keyscope.records import dataclass, replace

MAX_POLICY_BYTES = 8_192
"""AWS documents no limit, but API Gateway has been observed to reject policies of about 30
statements."""
MAX_RESOURCE_LENGTH = 512
"""The longest resource ARN in a policy, in characters (API Gateway quotas)."""
LONGEST_CACHE_SECONDS = 3_600
"""The longest time that API Gateway can cache a policy (Authorizer, authorizerResultTtl)."""
CACHE_MARGIN_SECONDS = 60
"""How long after the authorizer's clock reading that time may start. API Gateway waits up to 30 s
for a response; another 30 s allow for clock skew."""
OWN_KEY_PATH = "/v2/keys/self"
"""The path at which a key's holder reads and revokes it. No access map lists it."""
_OWN_KEY = (f"GET{OWN_KEY_PATH}", f"DELETE{OWN_KEY_PATH}")
_USER_ACCOUNT = OtherGrantee.USER_ACCOUNT
_EXTERNAL = (IdName.ACCOUNT_EXTERNAL, IdName.APP_EXTERNAL)
_BESIDE_PATH = len(longest_api_stage(0).arn) + len('/"", ')
"""Characters of a resource in a policy beside its method, path and stage."""


Condition = dict[str, dict[str, str | list[str]]]
"""IAM's condition operators, each with its condition keys and their values."""


class Statement(TypedDict):
    """A policy statement, with IAM's member names."""

    Effect: Literal["Allow", "Deny"]
    Action: Literal["execute-api:Invoke"]
    Resource: list[str]
    Condition: NotRequired[Condition]


class PolicyDocument(TypedDict):
    """A policy document, with IAM's member names."""

    Version: Literal["2012-10-17"]
    Statement: list[Statement]


class Fit(NamedTuple):
    """How policies are rendered so that each of them fits its budget.

    `longest_stage_arn` is the longest stage ARN, in characters, for which that is proven. REST APIs
    deny the patterns in `climbing`, and HTTP APIs those in `climbing_decoded`. With `lower_hex`,
    clients that write escapes in lower case also reach their user. `largest_bytes` is the size of
    the largest policy at the requested stage length.
    """

    longest_stage_arn: int
    climbing: tuple[str, ...] = CLIMBING_ENCODED[0]
    climbing_decoded: tuple[str, ...] = CLIMBING_DECODED[0]
    lower_hex: bool = True
    largest_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Policies:
    """The access map, prepared for rendering.

    `permissions` are the names that the map knows, each with the scopes that open a WebSocket with
    it. With `conditions`, policies contain the limits on time and source address. `fit` is for keys
    without permissions and `limited_fit` for the others.
    """

    grants: Mapping[Grantee, Grant]
    permitted: Mapping[Grantee, Permitted]
    websocket_scopes: frozenset[Scope]
    permissions: Mapping[str, frozenset[Scope]]
    fit: Fit
    limited_fit: Fit
    conditions: bool = True

    @property
    def largest_bytes(self) -> int:
        """The size of the largest policy at the requested stage length, in bytes."""
        return max(self.fit.largest_bytes, self.limited_fit.largest_bytes)

    def longest_stage_name(self, region: str) -> int:
        """Return the length of the longest stage name that a region may have, in characters."""
        shortest = longest_api_stage(0, region)
        longest = min(self.fit.longest_stage_arn, self.limited_fit.longest_stage_arn)
        return min(MAX_STAGE_LENGTH, longest - len(shortest.arn))


def prepare_policies(
    access_map: AccessMap,
    max_stage_length: int,
    *,
    conditions: bool = True,
    region: str = LONGEST_REGION,
) -> Policies:
    """Prepare an access map for rendering, and prove that its policies fit their budget.

    The proof covers both kinds of API in a region, for stage names of `max_stage_length` characters
    and for as many more as fit, and every set of permissions. If the policies do not fit, REST APIs
    stop accepting user ids in lower-case escapes, and then names with a percent sign. At last, HTTP
    APIs no longer accept those either. Permissions change nothing for keys that have none.

    Raises:
        Misconfigured: when a policy could exceed `MAX_POLICY_BYTES` or a resource
            `MAX_RESOURCE_LENGTH` with the longest ids and the longest stage ARN.
    """
    stage = longest_api_stage(max_stage_length, region)
    first = Fit(len(stage.arn))
    policies = Policies(
        grants=grants_of(access_map),
        permitted=permitted_of(access_map),
        websocket_scopes=access_map.websocket_scopes,
        permissions={name: each.websocket_scopes for name, each in access_map.permissions.items()},
        fit=first,
        limited_fit=first,
        conditions=conditions,
    )
    return replace(
        policies,
        fit=_fit([(principal, 0) for principal in _longest_principals()], policies, stage),
        limited_fit=_fit(list(_longest_limited_principals(policies)), policies, stage),
    )


def policy_document(
    principal: Principal, stage: ApiStage, policies: Policies, now: float
) -> PolicyDocument:
    """Return the policy of a principal for one stage of a REST or HTTP API.

    It depends only on the credential and the API, never on the requested method or path: API
    Gateway applies the cached policy to every later request. `now` is in seconds since the epoch.
    It is a Deny of the whole API if nothing is left to allow.

    Raises:
        Unavailable: `STAGE_NAME_TOO_LONG`, when the policy might exceed its budget.
    """
    permissions, grantee = principal.limits.permissions, _grantee(principal)
    if permissions is None:
        grant, fit = policies.grants[grantee], policies.fit
    else:
        grant, fit = permitted_grant(policies.permitted[grantee], permissions), policies.limited_fit
    if len(stage.arn) > fit.longest_stage_arn:
        raise Unavailable(Reason.STAGE_NAME_TOO_LONG, "raise KEYSCOPE_MAX_STAGE_LENGTH")
    missing = _missing_external_ids(principal, grantee)
    allowed = [
        stage.resource(pattern.format_map(ids))
        for ids in _with_forms_of_user_id(principal, stage, fit)
        for pattern in _without_missing(grant.allow, missing)
    ]
    # An app user has a token from its app, but never the key.
    if SCOPES[principal.scope].by_secret:
        allowed += map(stage.resource, _OWN_KEY)
    if not allowed:
        everything = _statement("Deny", [stage.any_path("*")])
        return {"Version": "2012-10-17", "Statement": [everything]}
    condition = _condition(principal, stage, policies, now)
    allow = _statement("Allow", list(dict.fromkeys(allowed)), condition)
    denied = _ids_of_any(principal)
    climbing = fit.climbing_decoded if stage.decodes_path else fit.climbing
    closed = [
        *(stage.any_path(pattern) for pattern in climbing),
        *(stage.resource(pattern.format_map(denied)) for pattern in grant.deny),
    ]
    deny = _statement("Deny", closed)
    return {"Version": "2012-10-17", "Statement": [allow, deny]}


def websocket_policy_document(
    principal: Principal, stage: ApiStage, policies: Policies, now: float
) -> PolicyDocument:
    """Return the policy that lets the principal open a WebSocket connection.

    `$connect` is the only route that API Gateway authorizes on a WebSocket API.

    Raises:
        Refused: `WEBSOCKET_NOT_OF_SCOPE`, when the access map does not list the scope, and
            `WEBSOCKET_NOT_OF_PERMISSIONS`, when no permission of a limited key lists `websocket`.
    """
    if principal.scope not in policies.websocket_scopes:
        raise Refused(Reason.WEBSOCKET_NOT_OF_SCOPE)
    permissions = principal.limits.permissions
    if permissions is not None and not any(
        principal.scope in policies.permissions.get(name, ()) for name in permissions
    ):
        raise Refused(Reason.WEBSOCKET_NOT_OF_PERMISSIONS)
    condition = _condition(principal, stage, policies, now)
    allow = _statement("Allow", [stage.resource("$connect")], condition)
    return {"Version": "2012-10-17", "Statement": [allow]}


def end_within_cache(expires_at: int | None, now: float) -> int | None:
    """Return the end of a credential if a policy rendered now could still be cached at that time.

    Such a policy contains the end; other policies do not depend on it. Times are in seconds since
    the epoch.
    """
    cached_until = now + LONGEST_CACHE_SECONDS + CACHE_MARGIN_SECONDS
    return expires_at if expires_at is not None and expires_at < cached_until else None


def size_in_bytes(document: PolicyDocument) -> int:
    """Return the size of a policy as the Lambda runtime serializes it."""
    return len(json.dumps(document).encode())


def policy_sizes(
    policies: Policies, max_stage_length: int, region: str = LONGEST_REGION
) -> dict[Grantee, int]:
    """Return the size of the longest policy of each kind of principal, in bytes."""
    stages = _both_kinds(longest_api_stage(max_stage_length, region))
    limited = (principal for principal, _ in _longest_limited_principals(policies))
    principals = (*_longest_principals(), *limited)
    sizes: dict[Grantee, int] = {}
    for principal, stage in product(principals, stages):
        size = size_in_bytes(policy_document(principal, stage, policies, now=0))
        sizes[_grantee(principal)] = max(size, sizes.get(_grantee(principal), 0))
    return sizes


def _statement(
    effect: Literal["Allow", "Deny"], resources: list[str], condition: Condition | None = None
) -> Statement:
    statement: Statement = {
        "Effect": effect,
        "Action": "execute-api:Invoke",
        "Resource": resources,
    }
    if condition:
        statement["Condition"] = condition
    return statement


def _grantee(principal: Principal) -> Grantee:
    is_user_account = principal.owner_type is OwnerType.ACCOUNT
    return _USER_ACCOUNT if is_user_account else principal.scope


def _ids_in_paths(principal: Principal) -> dict[str, str]:
    """Return the ids to fill into paths.

    An open-ended id is a prefix, which a star follows: the ids below an owner begin with the
    owner's. Where a limited key's path continues, question marks complete the id.
    """
    opened, owner_id = OPEN_ENDED[_grantee(principal)], principal.owner_id
    begun = {name.value: owner_id if name in ID_LENGTHS else "" for name in opened}
    if principal.limits.permissions is not None:
        nested = opened & ID_LENGTHS.keys()
        begun |= {open_part(name): "?" * (ID_LENGTHS[name] - len(owner_id)) for name in nested}
    return {**begun, **principal.ids}


def _missing_external_ids(principal: Principal, grantee: Grantee) -> tuple[str, ...]:
    """Return the placeholders of the external ids that a principal neither has nor leaves open."""
    known = {*principal.external_ids.by_name(), *OPEN_ENDED[grantee]}
    return tuple([name.placeholder for name in _EXTERNAL if name not in known])


@lru_cache(maxsize=MAX_GRANTS)
def _without_missing(patterns: tuple[str, ...], missing: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns without those of external ids that the principal does not have.

    Neither a literal nor a star may stand for an id that does not exist.
    """
    return tuple([p for p in patterns if not any(placeholder in p for placeholder in missing)])


def _with_forms_of_user_id(
    principal: Principal, stage: ApiStage, fit: Fit
) -> Iterator[dict[str, str]]:
    """Yield the ids to fill into paths, once for each form of the user id."""
    ids = _ids_in_paths(principal)
    if principal.user_id is None:
        yield ids
        return
    for form in _forms_of(principal.user_id, stage, fit):
        yield {**ids, IdName.USER: form}


def _ids_of_any(principal: Principal) -> dict[str, str]:
    """Return the ids to fill into Denies, with a question mark for each character that is open."""
    ids = _ids_in_paths(principal)
    opened = OPEN_ENDED[_grantee(principal)]
    nested = opened & ID_LENGTHS.keys()
    return ids | {name.value: ids[name].ljust(ID_LENGTHS[name], "?") for name in nested}


def _forms_of(user_id: str, stage: ApiStage, fit: Fit) -> tuple[str, ...]:
    """Return the forms of a user id that can appear in the path that a policy sees."""
    if stage.decodes_path:
        return (user_id,)
    encoded = percent_encoded(user_id)
    forms = (user_id, encoded, percent_encoded(user_id, lower_hex=True))
    return tuple(dict.fromkeys(forms if fit.lower_hex else forms[:2]))


def _condition(principal: Principal, stage: ApiStage, policies: Policies, now: float) -> Condition:
    """Return the limits that must hold while the policy is cached.

    The authorizer has already checked them for this request.
    """
    if not policies.conditions:
        return {}
    condition: Condition = {}
    limits = principal.limits
    ends_at = end_within_cache(limits.expires_at, now)
    if ends_at is not None:
        condition["DateLessThan"] = {"aws:CurrentTime": rfc3339(ends_at)}
    if limits.allowed_cidrs:
        # Behind a VPC endpoint, aws:SourceIp is absent (IAM, "AWS global condition context keys").
        key = "aws:VpcSourceIp" if stage.is_private else "aws:SourceIp"
        condition["IpAddress"] = {key: list(limits.allowed_cidrs)}
    return condition


def _longest_principals() -> Iterator[Principal]:
    """Yield one principal of each kind, with the longest policy of that kind."""
    cidrs = tuple(
        f"{n}fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" for n in range(MAX_ALLOWED_CIDRS)
    )
    # The longest in each form, literal or encoded: the escape of its last character has a letter.
    user_id = "u" * (MAX_USER_ID_LENGTH - len(percent_encoded("+"))) + "+"
    for scope, row in SCOPES.items():
        for owner_type in row.principals:
            yield Principal(
                scope=scope,
                key_id="k" * KEY_ID_LENGTH,
                integration_id=None if row.bound_to is None else "a" * ID_LENGTHS[row.bound_to],
                owner_type=owner_type,
                owner_id="a" * OWNER_ID_LENGTHS[owner_type],
                user_id=user_id if IdName.USER in row.claims else None,
                limits=KeyLimits(expires_at=0, allowed_cidrs=cidrs),
                external_ids=_longest_external_ids(owner_type),
            )


def _longest_external_ids(owner_type: OwnerType) -> ExternalIds:
    longest = "e" * MAX_EXTERNAL_ID_LENGTH
    return ExternalIds(account=longest, app=longest if owner_type is OwnerType.APP else None)


def _longest_limited_principals(policies: Policies) -> Iterator[tuple[Principal, int]]:
    """Yield principals with limited keys, among them the one with the longest policy of each kind.

    Each comes with the largest number of resources in a policy of its kind, or 0 if all of those
    policies are included.
    """
    for principal in _longest_principals():
        permitted = policies.permitted[_grantee(principal)]
        grants = {names: permitted_grant(permitted, names) for names in longest_sets(permitted)}
        limited = {
            names: replace(principal, limits=principal.limits._replace(permissions=names))
            for names in grants
        }
        if principal.user_id is not None:
            # Which is the longest depends on the forms of the user id.
            yield from ((each, 0) for each in limited.values())
            continue
        of_rules = max(len(grant.allow) + len(grant.deny) for grant in grants.values())
        most = of_rules + len(_OWN_KEY)
        longest = max(grants, key=lambda names: _length(grants[names], limited[names]))
        yield limited[longest], most


def _length(grant: Grant, principal: Principal) -> int:
    """Return how many characters the resources of a grant take, apart from their stage."""
    ids = _ids_in_paths(principal)
    opened = _ids_of_any(principal)
    allowed = sum(len(pattern.format_map(ids)) for pattern in grant.allow)
    denied = sum(len(pattern.format_map(opened)) for pattern in grant.deny)
    return allowed + denied + _BESIDE_PATH * (len(grant.allow) + len(grant.deny))


def _both_kinds(stage: ApiStage) -> tuple[ApiStage, ApiStage]:
    # A private API is a REST API with a longer condition key.
    return replace(stage, is_private=True), replace(stage, decodes_path=True)


def _fit(principals: Sequence[tuple[Principal, int]], policies: Policies, stage: ApiStage) -> Fit:
    """Return the first way to render the principals' policies in which all of them fit.

    Each principal comes with the fewest resources to count for it.

    Raises:
        Misconfigured: when there is none.
    """
    widest = policies.fit
    choices = [
        widest,
        *(widest._replace(lower_hex=False, climbing=denied) for denied in CLIMBING_ENCODED),
    ]
    choices.append(choices[-1]._replace(climbing_decoded=CLIMBING_DECODED[-1]))
    for choice in choices[:-1]:
        with suppress(Misconfigured):
            return _proven(choice, principals, policies, stage)
    return _proven(choices[-1], principals, policies, stage)


def _proven(
    fit: Fit, principals: Iterable[tuple[Principal, int]], policies: Policies, stage: ApiStage
) -> Fit:
    """Return the fit with its largest policy and the longest stage ARN with which all policies fit.

    Raises:
        Misconfigured: when a policy does not fit on this stage.
    """
    policies = replace(policies, fit=fit, limited_fit=fit)
    sizes, room = [0], MAX_STAGE_LENGTH
    for (principal, fewest), each in product(principals, _both_kinds(stage)):
        document = policy_document(principal, each, policies, now=0)
        sizes.append(_checked_size(principal, document))
        resources = (r for statement in document["Statement"] for r in statement["Resource"])
        if lengths := [len(r) for r in resources if r.startswith(f"{stage.arn}/")]:
            spare = (MAX_POLICY_BYTES - sizes[-1]) // max(len(lengths), fewest)
            room = min(room, spare, MAX_RESOURCE_LENGTH - max(lengths))
    return fit._replace(largest_bytes=max(sizes), longest_stage_arn=len(stage.arn) + room)


def _kind(principal: Principal) -> str:
    limited = "" if principal.limits.permissions is None else " with limited keys"
    return f"{_grantee(principal)}{limited}"


def _checked_size(principal: Principal, document: PolicyDocument) -> int:
    size = size_in_bytes(document)
    if size > MAX_POLICY_BYTES:
        message = (
            f"access map: the policy of {_kind(principal)} can take {size} bytes, more than"
            f" {MAX_POLICY_BYTES}; merge rules into subtrees, select fewer route sets or lower"
            " KEYSCOPE_MAX_STAGE_LENGTH"
        )
        raise Misconfigured(message)
    for resource in (r for statement in document["Statement"] for r in statement["Resource"]):
        if len(resource) > MAX_RESOURCE_LENGTH:
            message = (
                f"access map: a resource can take {len(resource)} characters, more than"
                f" {MAX_RESOURCE_LENGTH}: {resource}"
            )
            raise Misconfigured(message)
    return size
