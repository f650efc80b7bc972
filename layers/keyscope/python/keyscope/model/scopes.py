"""What a scope is: one row each, from which everything else about scopes derives.

To add a scope, add its member to `Scope` and its row to `SCOPES`, its rules to the access map, and
its tests. A new kind of owner or a new id starts in `ids`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from keyscope.model.ids import OWNERS, IdName, OwnerType


class Scope(StrEnum):
    """How far a principal reaches; the values of the `scope` claim."""

    APP_USER = "appUser"
    APP = "app"
    ACCOUNT = "account"


ClaimedId = Literal[IdName.USER]
"""An id that a token can claim: one that `read_token` reads and `Principal` has a field for."""


class ScopeRow(NamedTuple):
    """What one scope is.

    `principals` names the owners whose keys give the scope, each with the principal's name. With
    `by_secret`, the secret of such a key gives the scope; without, only a token that claims it.
    The token must then claim the ids of `claims`, too.

    The scope's rules may contain the placeholders of two kinds of ids: those that identify each of
    its principals (`bound_ids`), and `open_ended` ones, which represent every id that begins with
    the owner's. `spans` are the ids of which a subtree may contain many; a subtree that contains
    other ids is refused unless the rule binds them.
    """

    principals: Mapping[OwnerType, str]
    by_secret: bool
    claims: tuple[ClaimedId, ...] = ()
    open_ended: frozenset[IdName] = frozenset()
    spans: frozenset[IdName] = frozenset()

    @property
    def bound_ids(self) -> frozenset[IdName]:
        """The ids that identify a principal of the scope, whichever owner gives it."""
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
