"""What a scope is: one row each, from which everything else about scopes is derived.

To add a scope, add its member to `Scope` and its row to `SCOPES`, its rules to the access map, and
its tests. A new kind of owner or a new id starts in `ids`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from keyscope.model.ids import OWNERS, IdName, OwnerType


class Scope(StrEnum):
    """What a principal can reach; the values of the `scope` claim."""

    APP_USER = "appUser"
    APP = "app"
    ACCOUNT = "account"


ClaimedId = Literal[IdName.USER]
"""An id that a token can claim: one that `read_token` reads and `Principal` has a field for."""


class ScopeRow(NamedTuple):
    """One scope.

    `principals` maps each kind of owner whose keys give the scope to the name of the principal.
    With `by_secret`, the secret of such a key gives the scope. Without it, only a token that claims
    the scope does, and the token must also claim the ids in `claims`.

    The scope's rules may contain the placeholders of two kinds of ids: `bound_ids`, which identify
    each principal of the scope, and `open_ended` ones, which represent every id that begins with
    the owner's. A subtree may contain many of the ids in `spans`. A subtree that contains other ids
    is refused unless the rule binds them.
    """

    principals: Mapping[OwnerType, str]
    by_secret: bool
    claims: tuple[ClaimedId, ...] = ()
    open_ended: frozenset[IdName] = frozenset()
    spans: frozenset[IdName] = frozenset()

    @property
    def bound_ids(self) -> frozenset[IdName]:
        """The ids that identify a principal of the scope, for every kind of owner."""
        of_owners = ({*OWNERS[owner_type].places} for owner_type in self.principals)
        return frozenset.intersection(*map(frozenset, of_owners)).union(self.claims)


SCOPES: Final[Mapping[Scope, ScopeRow]] = {
    Scope.APP_USER: ScopeRow(
        principals={OwnerType.APP: "appUser/{appId}/{userId}"},
        by_secret=False,
        claims=(IdName.USER,),
    ),
    Scope.APP: ScopeRow(
        principals={OwnerType.APP: "app/{appId}"},
        by_secret=True,
        spans=frozenset({IdName.USER}),
    ),
    Scope.ACCOUNT: ScopeRow(
        principals={
            OwnerType.ACCOUNT: "account/{accountId}",
            OwnerType.SERVICE_ACCOUNT: "serviceAccount/{serviceAccountId}",
        },
        by_secret=True,
        open_ended=frozenset({IdName.APP}),
        spans=frozenset({IdName.USER}),
    ),
}

SCOPES_BY_OWNER: Final[Mapping[OwnerType, frozenset[Scope]]] = {
    owner_type: frozenset(scope for scope, row in SCOPES.items() if owner_type in row.principals)
    for owner_type in OwnerType
}
"""The scopes that a token signed with a key of this owner may claim."""

SCOPE_OF_BASIC: Final[Mapping[OwnerType, Scope]] = {
    owner_type: scope
    for scope, row in SCOPES.items()
    if row.by_secret
    for owner_type in row.principals
}
"""The scope that a key of this owner gives with Basic."""
