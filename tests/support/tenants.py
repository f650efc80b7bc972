"""Tenants drawn at random, what the one may send to reach the other, and how a backend reads it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Final

from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import Policies, PolicyDocument, policy_document, prepare_policies
from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import INTEGRATION, NOW
from tests.support.path_readers import disguised
from tests.support.route_tables import ROWS, SERVED

HEX: Final = "0123456789abcdef"
UNRESERVED: Final = "abcxyzABCXYZ0189-._~"
SOURCE_ADDRESS: Final = "192.0.2.7"
STAGE: Final = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
HTTP_STAGE: Final = replace(STAGE, decodes_path=True)
STAGES: Final = st.sampled_from([STAGE, HTTP_STAGE])
"""A REST API, whose policies see a path as it was sent, and an HTTP API, which decodes it once."""
METHODS: Final = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])

USER_IDS: Final = st.text(UNRESERVED + "@+:", min_size=1, max_size=8).filter(
    lambda user_id: (
        user_id != "."
        and not user_id.startswith("..")
        and re.search(r"[@+:].*(2[fF]|5[cC])\.\.", user_id) is None
    )
)
"""Every `userId` that a token may hold, but for its length."""


@dataclass(frozen=True)
class Tenant:
    """A principal of some kind, and an app, a user and an integration that are its own."""

    kind: str
    principal: Principal
    app_id: str
    user_id: str
    integration_id: str
    external_ids: ExternalIds = NO_EXTERNAL_IDS

    def named(self, external_ids: ExternalIds) -> "Tenant":
        """Return the tenant with external ids; a key of an account has none of an app."""
        is_app = self.principal.owner_type is OwnerType.APP
        own = external_ids if is_app else external_ids._replace(app=None)
        principal = replace(self.principal, external_ids=own)
        return replace(self, principal=principal, external_ids=external_ids)

    @property
    def ids(self) -> dict[str, str]:
        """What stands for the placeholders of the tables' paths."""
        return {
            "appId": self.app_id,
            "serviceAccountId": self.app_id[:12] + "c0de",
            "integrationId": self.integration_id,
            **dict.fromkeys(("userId", "userIdOrExternalId", "zendeskId"), self.user_id),
        }

    def owns_app(self, app_id: str) -> bool:
        """Tell whether an id is one of an app of this tenant, or of none at all."""
        principal = self.principal
        if principal.scope is Scope.ACCOUNT:
            return app_id.startswith(principal.service_account_id or principal.account_id)
        return app_id == principal.app_id

    def owns(self, placeholder: str, value: str) -> bool:
        """Tell whether what stands for a placeholder of a table's path is this tenant's."""
        if placeholder == "appId":
            return self.owns_app(value)
        if placeholder == "serviceAccountId":
            return value.startswith(self.principal.account_id)
        if placeholder == "integrationId":
            return self.principal.integration_id in (None, value)
        return self.principal.scope is not Scope.APP_USER or value == self.principal.user_id


def tenant(kind: str, app_id: str, user_id: str, integration_id: str = INTEGRATION) -> Tenant:
    """Return a tenant of a kind: the app's own key, or a key of one who owns the app."""
    account_id = app_id[:12]
    app = Principal(Scope.APP, "app_1", OwnerType.APP, app_id)
    account = Principal(Scope.ACCOUNT, "act_1", OwnerType.ACCOUNT, account_id)
    principals = {
        "appUser": replace(app, scope=Scope.APP_USER, user_id=user_id),
        "app": app,
        "integration": replace(
            app, scope=Scope.INTEGRATION, key_id="int_1", integration_id=integration_id
        ),
        "account": account,
        "service account": replace(
            account, owner_type=OwnerType.SERVICE_ACCOUNT, owner_id=app_id[:16]
        ),
    }
    return Tenant(kind, principals[kind], app_id, user_id, integration_id)


KINDS: Final = ("appUser", "app", "integration", "account", "service account")
_APP_IDS: Final = st.builds(
    "{}{}{}".format,
    st.text(HEX, min_size=12, max_size=12),
    st.sampled_from(["0000", "c0de", "ffff"]),
    st.text(HEX, min_size=8, max_size=8),
)
_INTEGRATION_IDS: Final = st.text(HEX, min_size=24, max_size=24)
TENANTS: Final = st.builds(
    tenant, st.sampled_from(KINDS), _APP_IDS, USER_IDS, _INTEGRATION_IDS
).filter(lambda drawn: drawn.kind != "service account" or drawn.app_id[12:16] != "0000")


@st.composite
def pairs(draw: st.DrawFn, tenants: st.SearchStrategy[Tenant] = TENANTS) -> tuple[Tenant, Tenant]:
    """Draw a tenant and one whose ids are like its own: longer, or another in one character."""
    one = draw(tenants)
    position = draw(st.integers(0, len(one.app_id) - 1))
    app_id, integration_id = (
        draw(
            st.sampled_from(
                [own, own[:position] + draw(st.sampled_from(HEX)) + own[position + 1 :]]
            )
        )
        for own in (one.app_id, one.integration_id)
    )
    user_ids = st.one_of(USER_IDS, USER_IDS.map(lambda more: one.user_id + more))
    user_id = draw(st.one_of(st.just(one.user_id), user_ids))
    return one, tenant("app", app_id, user_id, integration_id)


SEPARATORS: Final = (
    *("/", "//", "\\", "/./", "/;/", "%2f", "%2F", "%5c", "%5C"),
    *("%252f", "%252F", "%255c", "%255C"),
)
_DOTS: Final = (".", "%2e", "%2E", "%252e", "%252E")
CLIMBS: Final = tuple(
    first + second + rest for first, second, rest in product(_DOTS, _DOTS, ("", ";", ";a=b"))
)
ODD_SEGMENTS: Final = (
    *("", ".", "...", "*", "?", "**", "$", "${aws:username}", "{proxy+}", "%00", "%2A", "%3F"),
    *("\n", "\t", " ", "é", "\uff0e\uff0e", "%c0%ae%c0%ae", ";", "#", "%", "%25", "%zz"),
)


@st.composite
def hostile_paths(draw: st.DrawFn, own: str, others: str, *, decoded: bool = False) -> str:
    """Draw a path made of one's own and another's, with climbs and odd segments between them.

    Parts of it are disguised as what backends read as them. A `decoded` path is one that an HTTP
    API has decoded; others hold what a request line can.
    """
    separators = st.sampled_from(SEPARATORS)
    climb = st.sampled_from(CLIMBS)
    odd = st.sampled_from(ODD_SEGMENTS)
    steps = draw(st.lists(st.one_of(climb, climb, odd), max_size=10))
    between = "".join(draw(separators) + step for step in steps)
    cut = draw(st.integers(0, others.count("/")))
    rest = draw(separators).join(others.split("/")[1 + cut :])
    shapes = (
        own + between + draw(separators) + rest,
        others + between + own,
        own + between + others,
        others + between,
        others[:-1] + draw(odd) + others[-1:],
    )
    path = draw(st.sampled_from(shapes)) + draw(st.sampled_from(["", "/", "//", "/."]))
    return draw(disguised(path, raw_controls=decoded))


def strangers(reader: Tenant, path: str) -> list[str]:
    """Return the ids in a path that the tables give to others than the tenant."""
    return [
        found[1]
        for placeholder, expression in _PLACES
        if (found := expression.match(path)) and not reader.owns(placeholder, found[1])
    ]


@cache
def policies_of(*route_sets: str) -> Policies:
    """Return the packaged access map's policies."""
    packaged = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
    return prepare_policies(read_access_map(packaged, route_sets), max_stage_length=10)


def policy_of(
    reader: Tenant, policies: Policies | None = None, stage: ApiStage = STAGE
) -> PolicyDocument:
    """Return a tenant's policy, by default for the default route sets of a REST API."""
    return policy_document(reader.principal, stage, policies or policies_of(*SERVED), NOW)


def allows(document: object, method: str, path: str, now: float = NOW) -> bool:
    """Tell whether a policy allows a request to the stage."""
    resource = STAGE.resource(method + path)
    request = AccessRequest("execute-api:Invoke", resource, now, SOURCE_ADDRESS)
    return evaluate(document, request) is Verdict.ALLOWED


def _places() -> Iterator[tuple[str, str]]:
    for row in ROWS:
        for found in re.finditer(r"\{(\w+)\}", row.path):
            if found[1] in _OWNED:
                before = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(row.path[: found.start()]))
                yield found[1], f"{before}([^/]+)"


_OWNED: Final = (
    *("appId", "serviceAccountId", "integrationId"),
    *("userId", "userIdOrExternalId", "zendeskId"),
)
_PLACES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (placeholder, re.compile(expression)) for placeholder, expression in sorted({*_places()})
)
"""Where an id of a tenant stands in the paths of the tables."""


def filled(path: str, ids: Mapping[str, str]) -> str:
    """Return a table's path with the ids, and `x1` for what belongs to no tenant."""
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "x1"), path)
