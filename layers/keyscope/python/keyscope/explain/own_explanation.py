"""Explanations for a principal: only of requests made with its own keys.

A key that the principal does not manage is explained as if it did not exist, so that an explanation
does not reveal which ids exist.
"""

from dataclasses import dataclass, replace

from keyscope.authorize.pipeline import Authorizer
from keyscope.errors import Forbidden, Reason, Unavailable
from keyscope.explain.explanation import Explanation, explain
from keyscope.explain.request import AskedRequest, reader_of
from keyscope.lifecycle.caller import ProvenKey, Standing
from keyscope.model.key_record import KeyStore, Lookup, RecordSource
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """A key store that contains only the keys of owners below an id.

    Ids nest, so the ids of all that a principal manages begin with the principal's own.
    """

    keys: KeyStore
    own_id: str

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Return the record of a key, or none if the key is not the principal's.

        A damaged record does not show whose it is, so it counts as missing, too.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE`.
        """
        try:
            lookup = self.keys.get(key_id, fresh=fresh)
        except Unavailable as unavailable:
            if unavailable.reason is not Reason.DAMAGED_RECORD:
                raise
            return Lookup(None, RecordSource.TABLE)
        if lookup.record is None or not lookup.record.owner_id.startswith(self.own_id):
            return Lookup(None, lookup.source)
        return lookup


def explain_own(
    asked: AskedRequest, principal: Principal, source_address: str | None, authorizer: Authorizer
) -> Explanation:
    """Explain a request to a principal of account scope; `source_address` is the principal's.

    Raises:
        Forbidden: for any other scope, and when its own credential is not valid now.
        Unavailable: when its own key cannot be read.
    """
    if principal.scope is not Scope.ACCOUNT:
        raise Forbidden
    own_key = authorizer.keys.get(principal.key_id).record
    if own_key is None:
        raise Forbidden
    ProvenKey.of(principal, source_address).judge(Standing.of(own_key), authorizer.clock())
    own_id = principal.service_account_id or principal.account_id
    event = asked.event()
    own = replace(authorizer, keys=OwnKeys(authorizer.keys, own_id))
    explanation = explain(event, reader_of(event), own)
    return explanation.without_operators_detail()
