"""Remedies for a request that the policy denies, and for WebSockets that the access map denies."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final
from urllib.parse import unquote

from keyscope.access.policy import PolicyDocument, policy_document
from keyscope.access.policy_evaluation import Verdict
from keyscope.errors import Reason
from keyscope.explain.evaluation import allows_path, evaluate
from keyscope.explain.known import Known
from keyscope.explain.remedies.remedy import (
    Remedies,
    RemediesByReason,
    Remedy,
    only_if,
    otherwise,
)
from keyscope.model.external_ids import ExternalIds, folded
from keyscope.model.ids import APP_ID_LENGTH, APP_ID_PATTERN, OwnerType

_APP_ID: Final = re.compile(rf"(?<=/){APP_ID_PATTERN}(?=/|$)")
_USER_ID: Final = re.compile(r"(?<=users/)[^/]+")
_SLASHES: Final = re.compile("/{2,}")
_SOME_ACCOUNT, _SOME_APP = "~account", "~app"
"""External ids of an account and an app that have none."""


def _is_denied(known: Known) -> bool:
    """Return whether a statement denies the request, whatever others allow."""
    policy = known.decision.policy
    return policy is not None and evaluate(policy, known).verdict is Verdict.EXPLICITLY_DENIED


def _by_a_list(known: Known) -> bool:
    """Return whether the Deny is one of the access map's list `never`, which names the stage."""
    policy = known.decision.policy
    resource = None if policy is None else evaluate(policy, known).resource
    return known.request is not None and (resource or "").startswith(
        f"{known.request.api_stage.arn}/"
    )


def _would_pass(changed: Callable[[Known], str]) -> Callable[[Known], bool]:
    """Return whether the policy would allow the method on the path that `changed` returns."""

    def would_pass(known: Known) -> bool:
        policy, path = known.decision.policy, changed(known)
        return policy is not None and path != known.asked.path and allows_path(policy, path, known)

    return would_pass


def _without_stage(known: Known) -> str:
    return known.asked.path.removeprefix(f"/{known.asked.stage}")


def _without_last_slash(known: Known) -> str:
    return known.asked.path.removesuffix("/")


def _with_single_slashes(known: Known) -> str:
    return _SLASHES.sub("/", known.asked.path)


def _decoded(known: Known) -> str:
    return unquote(known.asked.path)


def _with_own_user(known: Known) -> str:
    principal = known.decision.principal
    own = None if principal is None else principal.user_id
    return known.asked.path if own is None else _USER_ID.sub(lambda _: own, known.asked.path)


def _with_own_app(known: Known) -> str:
    principal = known.decision.principal
    own = "" if principal is None else principal.owner_id
    return _APP_ID.sub(own.ljust(APP_ID_LENGTH, "0"), known.asked.path)


def _with_external_ids_as_created(known: Known) -> str:
    principal = known.decision.principal
    own = {} if principal is None else principal.external_ids.by_name()
    created = {folded(external_id): external_id for external_id in own.values()}
    segments = known.asked.path.split("/")
    return "/".join(created.get(folded(segment), segment) for segment in segments)


def _would_pass_with_external_ids(known: Known) -> bool:
    """Return whether a rule would allow it if the key had the external ids that it lacks.

    They could be any, so each is taken to be what the path has in the id's position.
    """
    principal, request = known.decision.principal, known.request
    if principal is None or request is None:
        return False
    own = principal.external_ids
    supposed = ExternalIds(
        own.account or _SOME_ACCOUNT,
        own.app or _SOME_APP if principal.owner_type is OwnerType.APP else None,
    )
    policy = policy_document(
        replace(principal, external_ids=supposed), request.api_stage, known.policies, known.now
    )
    return supposed != own and _allows_with_ids(policy, (_SOME_ACCOUNT, _SOME_APP), known)


def _names_other_external_ids(known: Known) -> bool:
    """Return whether the policy would allow the path with the principal's own external ids."""
    policy, principal = known.decision.policy, known.decision.principal
    if policy is None or principal is None:
        return False
    return _allows_with_ids(policy, tuple(principal.external_ids.by_name().values()), known)


def _allows_with_ids(policy: PolicyDocument, ids: Collection[str], known: Known) -> bool:
    """Return whether a policy allows the path with these ids where its resources have them."""
    segments = known.asked.path.split("/")
    return any(
        allows_path(policy, "/".join(_with_ids(segments, resource, ids)), known)
        for statement in policy["Statement"]
        for resource in statement["Resource"]
    )


def _with_ids(segments: Sequence[str], resource: str, ids: Collection[str]) -> Iterator[str]:
    """Yield a path's segments, but with the ids that a policy's resource has in their places."""
    # The resource begins with the API, the stage and the method.
    allowed = resource.split("/")[2 : len(segments) + 2]
    for segment, there in zip_longest(segments, allowed, fillvalue=""):
        yield there if there in ids else segment


def _is_of_one_app(known: Known) -> bool:
    return known.decision.principal is not None and known.decision.principal.app_id is not None


def _has_other_methods(known: Known) -> bool:
    policy = known.decision.policy
    return policy is not None and bool(evaluate(policy, known).other_methods)


def _begins_like_no_route(known: Known) -> bool:
    """Return whether the policy allows no path with the same first segment."""
    policy, first = known.decision.policy, known.asked.path.split("/")[1:2]
    allowed = [
        resource.split("/", 3)[-1].split("/")[0].rstrip("*")
        for statement in (policy or {"Statement": []})["Statement"]
        if statement["Effect"] == "Allow"
        for resource in statement["Resource"]
    ]
    return first != [] and first[0] not in allowed


NOT_ALLOWED: Final[Remedies] = (
    *only_if(
        _is_denied,
        (
            Remedy(
                _by_a_list,
                "No key opens this route: the access map's list `never` names it. Remove it from"
                " the list if keys are to reach it.",
            ),
            Remedy(
                lambda known: "%25" in known.asked.path.lower(),
                "The path is percent-encoded more than once, and some backends would decode it to"
                " another path. Encode it once.",
            ),
            otherwise(
                "The path contains dot segments or escapes, so some backends would read it as"
                " another path. Send the path without them."
            ),
        ),
    ),
    Remedy(
        _would_pass(_without_stage),
        "The path begins with the name of the stage. Leave it out: it is in the URL already, or a"
        " custom domain name maps to it.",
    ),
    Remedy(_would_pass(_without_last_slash), "The path ends with a slash. Remove it."),
    Remedy(_would_pass(_with_single_slashes), "The path contains two slashes in a row. Send one."),
    Remedy(
        _would_pass(_decoded),
        "The path contains escapes of characters that need none. Send those characters as they"
        " are.",
    ),
    Remedy(
        _would_pass(_with_own_user),
        "The path names a user other than the token's. Use the token's own user in the path, or a"
        " token of that user.",
    ),
    Remedy(
        _would_pass(_with_external_ids_as_created),
        "The external id in the path has a different case from the one it was created with, and"
        " paths are case-sensitive. Send the id as it was created.",
    ),
    Remedy(
        _names_other_external_ids,
        "The path has the external id of another account or app. Use a key of that account"
        " or app, or put the external ids of this key's account and app in the path.",
    ),
    Remedy(
        _would_pass_with_external_ids,
        "The rule expects an external id here, and the key's account or app has none. External"
        " ids are set only at creation: create the account or the app again with one (`keyscope"
        " account create --external-id`), or use another path.",
    ),
    *only_if(
        _would_pass(_with_own_app),
        (
            Remedy(
                _is_of_one_app,
                "The path names another app. An app's key reaches only that app. Use a key of"
                " the app in the path.",
            ),
            otherwise(
                "The path names an app that another account or service account created. Use a key"
                " of its creator, or of the account it belongs to."
            ),
        ),
    ),
    Remedy(
        _has_other_methods,
        "The scope reaches this path with other methods only. Use one of those, or a credential"
        " whose scope has this method.",
    ),
    Remedy(
        _begins_like_no_route,
        "Nothing that the scope reaches starts like this path. Check the path, the access map, and"
        " the route sets that the parameter `AccessMapRoutes` selects.",
    ),
    otherwise(
        "The scope does not reach this path. Use a credential whose scope reaches it, or add a rule"
        " to the access map (parameter `AccessMapLayerArn` or `AccessMap`): `keyscope access check`"
        " lists what each scope reaches."
    ),
)

NOT_PERMITTED: Final[Remedies] = (
    Remedy(
        lambda known: (
            known.decision.principal is not None and not known.decision.principal.limits.permissions
        ),
        "The deployed access map has none of the key's `permissions`. Change the key's"
        " permissions, or deploy a map that has them (parameters `AccessMapLayerArn` or"
        " `AccessMap`, and `AccessMapRoutes`).",
    ),
    Remedy(
        lambda known: "permissions" in known.sent.claims,
        "The scope reaches it, and the token's `permissions` do not. Claim a permission that does:"
        " `keyscope access check` lists what each allows.",
    ),
    otherwise(
        "The scope reaches it, and the key's `permissions` do not. Use a key with a permission that"
        " does: `keyscope access check` lists what each allows."
    ),
)

STILL_REFUSED: Final = (
    "If the API still denies it, an earlier policy is cached: wait for `AuthorizerCacheSeconds`"
    " plus `KeyCacheSeconds`. With `PolicyConditions`, a cached policy also keeps the old expiry"
    " and addresses."
)
"""What to do if a request that passes was refused."""

WEBSOCKETS: Final[RemediesByReason] = {
    Reason.WEBSOCKET_NOT_OF_SCOPE: (
        otherwise(
            "The access map's list `websocket` does not include this scope. Connect with another"
            " scope, or add this one to the list (parameter `AccessMapLayerArn` or `AccessMap`)."
        ),
    ),
    Reason.WEBSOCKET_NOT_OF_PERMISSIONS: (
        otherwise(
            "None of the key's `permissions` opens a WebSocket. Give the key one that lists"
            " `websocket` in the access map."
        ),
    ),
}
