"""What an access map decides for each kind of caller.

The decision is that of the real policy, evaluated as IAM does, on a REST API and on an HTTP API.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, assert_never
from urllib.parse import unquote

from keyscope.access.access_map import WEBSOCKET
from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import (
    Policies,
    PolicyDocument,
    policy_document,
    websocket_policy_document,
)
from keyscope.access.policy_evaluation import (
    AccessRequest,
    ParsedStatement,
    Verdict,
    deciding_statement,
    parsed_statements,
    wildcard_expression,
)
from keyscope.access.rules import OtherGrantee
from keyscope.errors import Refused
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import KEY_ID_LENGTH, IdName, OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import SCOPES, Scope

PLACEHOLDER: Final = re.compile(r"\{([^{}/]+)\}")
"""A placeholder in a path; its group is the name."""
_ACCOUNT, _OTHER_ACCOUNT = "4f1c0a9b2d3e", "b07d5e6f8a91"
_BY_ACCOUNT, _BY_SERVICE, _BY_OTHER_SERVICE = "0000", "7a21", "9c3d"
_APP, _OTHER_APP = "5e8c1f02", "61d9b3a7"
_INTEGRATION, _OTHER_INTEGRATION = "63c2b7de09f14a58a1d07e36", "63c2b7de09f14a58a1d07e37"
_CHOSEN: Final[Mapping[IdName, str]] = {
    IdName.USER: "user",
    IdName.ACCOUNT_EXTERNAL: "acme",
    IdName.APP_EXTERNAL: "acme-shop",
}
"""Ids that Keyscope does not create."""
_REST = ApiStage("arn:aws:execute-api:us-east-1:123456789012:abcdefghij/prod")
_HTTP = ApiStage(_REST.arn, decodes_path=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """A kind of caller: a scope, and the kind of owner whose key gives it."""

    scope: Scope
    owner_type: OwnerType

    @property
    def name(self) -> str:
        """The scope, or the kind of account if accounts of more than one kind have the scope."""
        if len(SCOPES[self.scope].principals) == 1:
            return self.scope.value
        is_user_account = self.owner_type is OwnerType.ACCOUNT
        return (OtherGrantee.USER_ACCOUNT if is_user_account else self.owner_type).value

    def own(self, name: IdName) -> str:
        """Return an example of an id that is the caller's, or within what it owns."""
        match name:
            case IdName.ACCOUNT:
                return _ACCOUNT
            case IdName.SERVICE_ACCOUNT:
                return _ACCOUNT + _BY_SERVICE
            case IdName.APP:
                is_service = self.owner_type is OwnerType.SERVICE_ACCOUNT
                return _ACCOUNT + (_BY_SERVICE if is_service else _BY_ACCOUNT) + _APP
            case IdName.INTEGRATION:
                return _INTEGRATION
            case IdName.USER | IdName.ACCOUNT_EXTERNAL | IdName.APP_EXTERNAL:
                return _CHOSEN[name]
            case _:
                assert_never(name)

    def other(self, name: IdName) -> str:
        """Return an id of the same kind that is not the caller's: as near to it as there is one."""
        account = _OTHER_ACCOUNT if self.owner_type is OwnerType.ACCOUNT else _ACCOUNT
        match name:
            case IdName.ACCOUNT:
                return _OTHER_ACCOUNT
            case IdName.SERVICE_ACCOUNT:
                return account + _BY_OTHER_SERVICE
            case IdName.APP:
                return account + _BY_ACCOUNT + _OTHER_APP
            case IdName.INTEGRATION:
                return _OTHER_INTEGRATION
            case IdName.USER | IdName.ACCOUNT_EXTERNAL | IdName.APP_EXTERNAL:
                return f"{_CHOSEN[name]}-2"
            case _:
                assert_never(name)

    def fill(self, path: str) -> str:
        """Return a path with examples in place of its placeholders.

        Raises:
            KeyError: with the name of a placeholder that is not in `EXAMPLES`.
        """
        return PLACEHOLDER.sub(lambda found: EXAMPLES[found[1]].of(self), path)

    def principal(self, permissions: tuple[str, ...] | None) -> Principal:
        """Return an example of the caller, with a key that is limited to some permissions."""
        row = SCOPES[self.scope]
        return Principal(
            scope=self.scope,
            key_id="k" * KEY_ID_LENGTH,
            owner_type=self.owner_type,
            owner_id=self.own(_OWNER_IDS[self.owner_type]),
            user_id=self.own(IdName.USER) if IdName.USER in row.claims else None,
            integration_id=None if row.bound_to is None else self.own(row.bound_to),
            limits=KeyLimits(permissions=permissions),
            external_ids=ExternalIds(
                account=self.own(IdName.ACCOUNT_EXTERNAL),
                app=self.own(IdName.APP_EXTERNAL) if self.owner_type is OwnerType.APP else None,
            ),
        )


class Example(NamedTuple):
    """An example id in a path: the caller's own, or another one."""

    id_name: IdName
    is_own: bool

    def of(self, caller: Caller) -> str:
        """Return the id."""
        return caller.own(self.id_name) if self.is_own else caller.other(self.id_name)


EXAMPLES: Final[Mapping[str, Example]] = {
    name: example
    for each in IdName
    for name, example in (
        (each.value, Example(each, is_own=True)),
        (f"other{each.value[0].upper()}{each.value[1:]}", Example(each, is_own=False)),
    )
}
"""The placeholders of example paths, such as `appId` and `otherAppId`."""

_OWNER_IDS: Final[Mapping[OwnerType, IdName]] = {
    OwnerType.APP: IdName.APP,
    OwnerType.ACCOUNT: IdName.ACCOUNT,
    OwnerType.SERVICE_ACCOUNT: IdName.SERVICE_ACCOUNT,
}

CALLERS: Final[tuple[Caller, ...]] = tuple(
    Caller(scope, owner_type) for scope, row in SCOPES.items() for owner_type in row.principals
)

CALLERS_BY_NAME: Final[Mapping[str, tuple[Caller, ...]]] = {
    **{caller.name: (caller,) for caller in CALLERS},
    **{scope.value: tuple(each for each in CALLERS if each.scope is scope) for scope in Scope},
}
"""The callers that a name means: a scope's, or those of one kind of account."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdicts of both kinds of API, and the policy's resource that decided on a REST API."""

    rest: Verdict
    http: Verdict
    resource: str

    @property
    def allowed(self) -> bool | None:
        """Whether the request passes; `None` if that depends on the kind of API."""
        rest, http = (verdict is Verdict.ALLOWED for verdict in (self.rest, self.http))
        return rest if rest is http else None


class _Policy(NamedTuple):
    document: PolicyDocument
    statements: list[ParsedStatement]


_NOTHING: Final[PolicyDocument] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": [_REST.any_path("*")]}
    ],
}
"""In place of an authorizer's refusal, for which there is no policy."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one access map decides. Caches its policies."""

    policies: Policies
    _made: dict[tuple[Caller, tuple[str, ...] | None, str], _Policy] = field(
        default_factory=dict, repr=False
    )

    def decide(
        self, caller: Caller, method: str, path: str, permissions: tuple[str, ...] | None = None
    ) -> Decision:
        """Decide a request for a path without placeholders, with a key of some permissions.

        The method `websocket` opens a WebSocket connection; its path is ignored.
        """
        if method == WEBSOCKET:
            verdict, resource = self._verdict(caller, permissions, WEBSOCKET, "$connect")
            return Decision(verdict, verdict, resource)
        rest, resource = self._verdict(caller, permissions, "rest", f"{method}{path}")
        http, _ = self._verdict(caller, permissions, "http", f"{method}{unquote(path)}")
        return Decision(rest, http, resource)

    def documents(
        self, caller: Caller, permissions: tuple[str, ...] | None
    ) -> list[PolicyDocument]:
        """Return every policy of a caller: for REST APIs, HTTP APIs and WebSocket APIs."""
        return [
            self._policy(caller, permissions, api).document for api in ("rest", "http", WEBSOCKET)
        ]

    def _verdict(
        self, caller: Caller, permissions: tuple[str, ...] | None, api: str, asked: str
    ) -> tuple[Verdict, str]:
        policy = self._policy(caller, permissions, api)
        arn = _REST.resource(asked)
        request = AccessRequest("execute-api:Invoke", arn, now=0, source_address="192.0.2.1")
        found = deciding_statement(policy.statements, request)
        if found is None:
            return Verdict.IMPLICITLY_DENIED, ""
        resources = policy.document["Statement"][found.index]["Resource"]
        matching = (each for each in resources if wildcard_expression(each).fullmatch(arn))
        return found.verdict, next(matching).removeprefix(f"{_REST.arn}/")

    def _policy(self, caller: Caller, permissions: tuple[str, ...] | None, api: str) -> _Policy:
        place = (caller, permissions, api)
        if place not in self._made:
            document = self._document(caller.principal(permissions), api)
            self._made[place] = _Policy(document, parsed_statements(document))
        return self._made[place]

    def _document(self, principal: Principal, api: str) -> PolicyDocument:
        if api != WEBSOCKET:
            stage = _HTTP if api == "http" else _REST
            return policy_document(principal, stage, self.policies, now=0)
        try:
            return websocket_policy_document(principal, _REST, self.policies, now=0)
        except Refused:
            return _NOTHING
