"""From a principal and an API stage to the IAM policy that API Gateway applies and caches.

In an IAM resource, `*` and `?` match across slashes. So a policy names each method, an allowed
resource has a star only at its very end, and ids match literally. A Deny may be broader than
necessary, because it only refuses.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NotRequired, TypedDict

from keyscope.access.access_map import OPEN_ENDED, AccessMap, Grantee, OtherGrantee, Rule
from keyscope.access.method_arn import LONGEST_REGION, MAX_STAGE_LENGTH, ApiStage, longest_api_stage
from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED, spellings_of
from keyscope.errors import Misconfigured, Reason, Refused, Unavailable
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

MAX_POLICY_BYTES = 8_192
"""AWS documents no limit, but API Gateway has been seen to refuse policies of about 30
statements."""
MAX_RESOURCE_LENGTH = 512
"""The longest resource ARN in a policy, in characters (API Gateway quotas)."""
LONGEST_CACHE_SECONDS = 3_600
"""The longest time that API Gateway can cache a policy (Authorizer, authorizerResultTtl)."""
CACHE_MARGIN_SECONDS = 60
"""How long after the authorizer's clock reading that time may start. API Gateway waits up to 30 s
for an answer; another 30 s allow for clock skew."""
_USER_ACCOUNT = OtherGrantee.USER_ACCOUNT
_GET_AND_PUT = frozenset({"GET", "PUT"})


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


@dataclass(frozen=True, slots=True)
class Grant:
    """What one kind of principal may reach: `METHOD/path` patterns with named placeholders."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """The access map, prepared for rendering.

    `longest_stage_arn` is the longest stage ARN, in characters, with which every policy is known to
    fit its budget. With `conditions`, policies contain the limits on time and source address. REST
    APIs deny the patterns in `climbing`. With `lower_hex`, clients that write escapes in lower case
    also reach their user. `largest_bytes` is the size of the largest policy at the requested stage
    length.
    """

    grants: Mapping[Grantee, Grant]
    websocket_scopes: frozenset[Scope]
    longest_stage_arn: int
    conditions: bool = True
    climbing: tuple[str, ...] = CLIMBING_ENCODED[0]
    lower_hex: bool = True
    largest_bytes: int = 0

    def longest_stage_name(self, region: str) -> int:
        """Return the length of the longest stage name that a region may have, in characters."""
        shortest = longest_api_stage(0, region)
        return min(MAX_STAGE_LENGTH, self.longest_stage_arn - len(shortest.arn))


def prepare_policies(
    access_map: AccessMap,
    max_stage_length: int,
    *,
    conditions: bool = True,
    region: str = LONGEST_REGION,
) -> Policies:
    """Prepare an access map for rendering, and prove that its policies fit their budget.

    The proof covers both kinds of API in a region, for stage names of `max_stage_length` characters
    and for as many more as fit. If the policies do not fit, REST APIs no longer accept user ids in
    lower-case escapes, and then names with a percent sign.

    Raises:
        Misconfigured: when a policy could exceed `MAX_POLICY_BYTES` or a resource
            `MAX_RESOURCE_LENGTH` with the longest ids and the longest stage ARN.
    """
    stage = longest_api_stage(max_stage_length, region)
    policies = Policies(
        grants={
            **{scope: _grant(access_map, scope) for scope in Scope},
            _USER_ACCOUNT: _grant(access_map, Scope.ACCOUNT, _USER_ACCOUNT),
        },
        websocket_scopes=access_map.websocket_scopes,
        longest_stage_arn=len(stage.arn),
        conditions=conditions,
    )
    choices = [
        policies,
        *(replace(policies, lower_hex=False, climbing=denied) for denied in CLIMBING_ENCODED),
    ]
    for choice in choices[:-1]:
        with suppress(Misconfigured):
            return _proven(choice, stage)
    return _proven(choices[-1], stage)


def policy_document(
    principal: Principal, stage: ApiStage, policies: Policies, now: float
) -> PolicyDocument:
    """Return the policy of a principal for one stage of a REST or HTTP API.

    It depends only on the credential and the API, never on the requested method or path: API
    Gateway applies the cached policy to every later request. `now` is in seconds since the epoch.

    Raises:
        Unavailable: `STAGE_NAME_TOO_LONG`, when the policy might exceed its budget.
    """
    if len(stage.arn) > policies.longest_stage_arn:
        raise Unavailable(Reason.STAGE_NAME_TOO_LONG, "raise KEYSCOPE_MAX_STAGE_LENGTH")
    grant = policies.grants[_grantee(principal)]
    allowed = [
        stage.resource(pattern.format_map(ids))
        for ids in _with_forms_of_user_id(principal, stage, policies)
        for pattern in grant.allow
    ]
    condition = _condition(principal, stage, policies, now)
    allow = _statement("Allow", list(dict.fromkeys(allowed)), condition)
    denied = _ids_of_any(principal)
    climbing = CLIMBING_DECODED if stage.decodes_path else policies.climbing
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
        Refused: `WEBSOCKET_NOT_OF_SCOPE`, when the access map does not list the scope.
    """
    if principal.scope not in policies.websocket_scopes:
        raise Refused(Reason.WEBSOCKET_NOT_OF_SCOPE)
    condition = _condition(principal, stage, policies, now)
    allow = _statement("Allow", [stage.resource("$connect")], condition)
    return {"Version": "2012-10-17", "Statement": [allow]}


def size_in_bytes(document: PolicyDocument) -> int:
    """Return the size of a policy as the Lambda runtime serializes it."""
    return len(json.dumps(document).encode())


def policy_sizes(
    policies: Policies, max_stage_length: int, region: str = LONGEST_REGION
) -> dict[Grantee, int]:
    """Return the size of the longest policy of each kind of principal, in bytes."""
    stages = _both_kinds(longest_api_stage(max_stage_length, region))
    return {
        _grantee(principal): max(
            size_in_bytes(policy_document(principal, stage, policies, now=0)) for stage in stages
        )
        for principal in _longest_principals()
    }


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


def _grant(access_map: AccessMap, *grantees: Grantee) -> Grant:
    rules = [rule for grantee in grantees for rule in access_map.rules[grantee]]
    methods: dict[str, set[str]] = {}
    for rule in rules:
        methods.setdefault(rule.path, set()).update(rule.methods)
    allow = (
        f"{_merged(method, methods[rule.path])}{rule.path}"
        for rule in rules
        for method in rule.methods
    )
    deny = (
        f"{method}{pattern}"
        for never in access_map.rules[OtherGrantee.NEVER]
        for method in never.methods
        if (covering := [rule for rule in rules if _covers(rule, method, never)])
        for pattern in _patterns_of(never, min(len(rule.segments) for rule in covering))
    )
    return Grant(*(tuple(dict.fromkeys(patterns)) for patterns in (allow, deny)))


def _merged(method: str, methods: set[str]) -> str:
    """Return the pattern for a method: of API Gateway's seven, `??T` matches only GET and PUT.

    Source: `ANY` covers exactly these seven (API Gateway, "Set up an HTTP method").
    """
    return "??T" if method in _GET_AND_PUT and methods >= _GET_AND_PUT else method


def _patterns_of(never: Rule, bound: int) -> list[str]:
    """Return the patterns of a route that no key reaches, below its first `bound` segments."""
    rest = never.segments[bound:]
    if rest:
        return spellings_of(never.segments[:bound], rest)
    # All that begins with the path: what follows may be some spelling of a slash.
    return ["/" + "/".join(never.segments) + ("?*" if never.tail else "*")]


def _covers(rule: Rule, method: str, never: Rule) -> bool:
    """Return whether a rule allows part of what `never` excludes."""
    common = min(len(rule.segments), len(never.segments))
    same = rule.segments[:common] == never.segments[:common]
    return method in rule.methods and rule.can_be_as_long_as(never) and same


def _grantee(principal: Principal) -> Grantee:
    is_user_account = principal.owner_type is OwnerType.ACCOUNT
    return _USER_ACCOUNT if is_user_account else principal.scope


def _ids_in_paths(principal: Principal) -> dict[str, str]:
    """Return the ids to fill into paths.

    An open-ended id is a prefix, which a star follows: the ids below an owner begin with the
    owner's.
    """
    begun = {name.value: principal.owner_id for name in OPEN_ENDED[_grantee(principal)]}
    return {**begun, **principal.ids}


def _with_forms_of_user_id(
    principal: Principal, stage: ApiStage, policies: Policies
) -> Iterator[dict[str, str]]:
    """Yield the ids to fill into paths, once for each form of the user id."""
    ids = _ids_in_paths(principal)
    if principal.user_id is None:
        yield ids
        return
    for form in _forms_of(principal.user_id, stage, policies):
        yield {**ids, IdName.USER: form}


def _ids_of_any(principal: Principal) -> dict[str, str]:
    """Return the ids to fill into Denies, with a question mark for each character that is open."""
    ids = _ids_in_paths(principal)
    opened = OPEN_ENDED[_grantee(principal)]
    return ids | {name.value: ids[name].ljust(ID_LENGTHS[name], "?") for name in opened}


def _forms_of(user_id: str, stage: ApiStage, policies: Policies) -> tuple[str, ...]:
    """Return the forms of a user id that can appear in the path that a policy sees."""
    if stage.decodes_path:
        return (user_id,)
    encoded = percent_encoded(user_id)
    forms = (user_id, encoded, percent_encoded(user_id, lower_hex=True))
    return tuple(dict.fromkeys(forms if policies.lower_hex else forms[:2]))


def _condition(principal: Principal, stage: ApiStage, policies: Policies, now: float) -> Condition:
    """Return the limits that must hold while the policy is cached.

    The authorizer has already checked them for this request.
    """
    if not policies.conditions:
        return {}
    condition: Condition = {}
    limits = principal.limits
    cached_until = now + LONGEST_CACHE_SECONDS + CACHE_MARGIN_SECONDS
    if limits.expires_at is not None and limits.expires_at < cached_until:
        condition["DateLessThan"] = {"aws:CurrentTime": rfc3339(limits.expires_at)}
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
                owner_type=owner_type,
                owner_id="a" * OWNER_ID_LENGTHS[owner_type],
                user_id=user_id if IdName.USER in row.claims else None,
                limits=KeyLimits(expires_at=0, allowed_cidrs=cidrs),
            )


def _both_kinds(stage: ApiStage) -> tuple[ApiStage, ApiStage]:
    # A private API is a REST API with a longer condition key.
    return replace(stage, is_private=True), replace(stage, decodes_path=True)


def _proven(policies: Policies, stage: ApiStage) -> Policies:
    """Return the policies with their largest size and the longest stage ARN that fits them all.

    Raises:
        Misconfigured: when a policy does not fit on this stage.
    """
    sizes, room = [], MAX_STAGE_LENGTH
    for principal, each in product(_longest_principals(), _both_kinds(stage)):
        document = policy_document(principal, each, policies, now=0)
        sizes.append(_checked_size(principal, document))
        allowed = document["Statement"][0]["Resource"]
        # Only allowed resources name the stage.
        longest = max(map(len, allowed))
        room = min(
            room,
            (MAX_POLICY_BYTES - sizes[-1]) // len(allowed),
            MAX_RESOURCE_LENGTH - longest,
        )
    return replace(policies, largest_bytes=max(sizes), longest_stage_arn=len(stage.arn) + room)


def _checked_size(principal: Principal, document: PolicyDocument) -> int:
    size = size_in_bytes(document)
    if size > MAX_POLICY_BYTES:
        message = (
            f"access map: the policy of {_grantee(principal)} can take {size} bytes, more than"
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
