"""The table of scopes, from which everything else about scopes is derived.

To add a scope, add its member to `Scope` and its row to `SCOPES`, its rules to the access map, and
its tests. A new kind of owner or a new id starts in `ids`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from keyscope.model.ids import KEY_KINDS, OWNERS, IdName, KeyKind, OwnerType, kind_of_key


class Scope(StrEnum):
    """What a principal can reach; the values of the `scope` claim."""

    APP_USER = "appUser"
    APP = "app"
    INTEGRATION = "integration"
    ACCOUNT = "account"


ClaimedId = Literal[IdName.USER]
"""An id that a token can claim: one that `read_token` reads and `Principal` has a field for."""


BoundId = Literal[IdName.INTEGRATION]
"""An id that a key can be bound to: one that `KeyRecord` and `Principal` have a field for."""


class ScopeRow(NamedTuple):
    """One scope.

    `principals` maps each kind of owner whose keys give the scope to the name of the principal. The
    keys are those that are bound to the id `bound_to`; without one, those that are bound to nothing
    but their owner. With `by_secret`, the secret of such a key gives the scope. Without it, only a
    token that claims the scope does, and the token must also claim the ids in `claims`.

    The scope's rules may contain the placeholders of two kinds of ids: `bound_ids`, which identify
    each principal of the scope, and `open_ended` ones, which represent every id that begins with
    the owner's. A third kind, `external`, gives a principal without such an id no rule. A subtree
    may contain many of the ids in `spans`. A subtree that contains other ids is refused unless the
    rule binds them.
    """

    principals: Mapping[OwnerType, str]
    by_secret: bool
    bound_to: BoundId | None = None
    claims: tuple[ClaimedId, ...] = ()
    open_ended: frozenset[IdName] = frozenset()
    spans: frozenset[IdName] = frozenset()
    external: frozenset[IdName] = frozenset()

    @property
    def bound_ids(self) -> frozenset[IdName]:
        """The ids that identify a principal of the scope, for every kind of owner."""
        of_owners = ({*OWNERS[owner_type].places} for owner_type in self.principals)
        of_keys = self.claims if self.bound_to is None else (*self.claims, self.bound_to)
        return frozenset.intersection(*map(frozenset, of_owners)).union(of_keys)


_OF_ONE_APP: Final = frozenset({IdName.ACCOUNT_EXTERNAL, IdName.APP_EXTERNAL})

SCOPES: Final[Mapping[Scope, ScopeRow]] = {
    Scope.APP_USER: ScopeRow(
        principals={OwnerType.APP: "appUser/{appId}/{userId}"},
        by_secret=False,
        claims=(IdName.USER,),
        external=_OF_ONE_APP,
    ),
    Scope.APP: ScopeRow(
        principals={OwnerType.APP: "app/{appId}"},
        by_secret=True,
        spans=frozenset({IdName.INTEGRATION, IdName.USER}),
        external=_OF_ONE_APP,
    ),
    Scope.INTEGRATION: ScopeRow(
        principals={OwnerType.APP: "integration/{appId}/{integrationId}"},
        by_secret=True,
        bound_to=IdName.INTEGRATION,
        spans=frozenset({IdName.USER}),
        external=_OF_ONE_APP,
    ),
    Scope.ACCOUNT: ScopeRow(
        principals={
            OwnerType.ACCOUNT: "account/{accountId}",
            OwnerType.SERVICE_ACCOUNT: "serviceAccount/{serviceAccountId}",
        },
        by_secret=True,
        open_ended=frozenset({IdName.APP}),
        # Not even the account's: service accounts share these rules, and an external id does not
        # say which of them created an app.
        spans=frozenset({IdName.INTEGRATION, IdName.USER}),
    ),
}

_SCOPES_OF_KEYS: Final[Mapping[KeyKind, frozenset[Scope]]] = {
    (owner_type, bound_to): frozenset(
        scope
        for scope, row in SCOPES.items()
        if owner_type in row.principals and row.bound_to is bound_to
    )
    for owner_type, bound_to in KEY_KINDS.values()
}
_SCOPE_OF_SECRETS: Final[Mapping[KeyKind, Scope]] = {
    kind: scope
    for kind, scopes in _SCOPES_OF_KEYS.items()
    for scope in scopes
    if SCOPES[scope].by_secret
}


def scopes_of_key(key_id: str) -> frozenset[Scope]:
    """Return the scopes that a token signed with a key of this kind may claim."""
    return _SCOPES_OF_KEYS[kind_of_key(key_id)]


def scope_of_secret(key_id: str) -> Scope:
    """Return the scope that the secret of a key of this kind gives."""
    return _SCOPE_OF_SECRETS[kind_of_key(key_id)]
