"""Requests to paste for the API of an attached template: one for each scope that reaches a route.

Paths come from the access map, because a route such as `/tenants/{proxy+}` does not show them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from keyscope.access.rules import AccessMap, OtherGrantee, Rule
from keyscope.model.ids import IdName
from keyscope.model.scopes import Scope
from keyscope_local.gateway.api_definition import Api
from keyscope_local.gateway.route_table import find_route
from keyscope_local.tour.event_values import basic
from keyscope_local.tour.seed import ACCOUNT_EXTERNAL_ID, APP_EXTERNAL_ID, INTEGRATION_ID, USER_ID
from keyscope_local.tour.session import Session

SOMETHING: Final = "example"
"""Stands for what comes below a path that ends with a star."""
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def curl_lines(api: Api, url: str, access_map: AccessMap, session: Session) -> list[str]:
    """Return a line for each scope that reaches a route of an API with an authorizer."""
    store = session.store
    credentials = {
        Scope.ACCOUNT: f"-u {store.account_key.key_id}:{store.account_key.secret}",
        Scope.APP: f"-H 'Authorization: {basic(store.app_key)}'",
        Scope.INTEGRATION: f"-H 'Authorization: {basic(store.integration_key)}'",
        Scope.APP_USER: f"-H 'Authorization: Bearer {session.app_user_token}'",
    }
    ids = {
        IdName.ACCOUNT.placeholder: store.account_id,
        IdName.APP.placeholder: store.app_id,
        IdName.INTEGRATION.placeholder: INTEGRATION_ID,
        IdName.USER.placeholder: USER_ID,
        IdName.ACCOUNT_EXTERNAL.placeholder: ACCOUNT_EXTERNAL_ID,
        IdName.APP_EXTERNAL.placeholder: APP_EXTERNAL_ID,
    }
    rules = {
        **access_map.rules,
        # The account's key is that of a user account.
        Scope.ACCOUNT: (
            *access_map.rules[Scope.ACCOUNT],
            *access_map.rules[OtherGrantee.USER_ACCOUNT],
        ),
    }
    return [
        f"  curl -i{'' if method == 'GET' else f' -X {method}'} {url}{path} {credential}"
        for scope, credential in credentials.items()
        for method, path in _first_call(api, rules[scope], ids)
    ]


def _first_call(
    api: Api, rules: tuple[Rule, ...], ids: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    calls = [
        (method, path)
        for rule in rules
        for path in _paths(rule, ids)
        for method in rule.methods
        if _is_guarded(api, method, path)
    ]
    # The first one that changes nothing, if there is one.
    yield from sorted(calls, key=lambda call: call[0] != "GET")[:1]


def _paths(rule: Rule, ids: Mapping[str, str]) -> Iterator[str]:
    """Yield the path of a rule, with these ids, unless it needs others."""
    path = "/" + "/".join(rule.segments)
    if {found[0] for found in _PLACEHOLDER.finditer(path)} <= ids.keys():
        filled = _PLACEHOLDER.sub(lambda found: ids[found[0]], path)
        yield f"{filled}/{SOMETHING}" if rule.tail == "/*" else filled


def _is_guarded(api: Api, method: str, path: str) -> bool:
    found = find_route(api.routes, api.kind, method, path)
    return found is not None and found[0].authorizer is not None
