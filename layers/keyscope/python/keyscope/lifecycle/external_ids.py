"""External ids that a creation sets, and keys whose secrets were lost.

Only the response to a creation contains the new key's secret, so the secret is lost if the response
is. When the caller repeats the request, the error says that the external id is taken. The caller
then looks up the key by its client token and replaces it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keyscope.lifecycle.directory import Directory, Key, KeyNotFound, Owner
from keyscope.lifecycle.key_use import LastUse
from keyscope.model.ids import OwnerType


@dataclass(frozen=True, slots=True)
class ExternalName:
    """The operator's id of a new account or app.

    `client_token` is something that only the caller of the creation knows.
    """

    external_id: str
    client_token: str | None = None


@dataclass(frozen=True, slots=True)
class NamedOwner:
    """An account or an app with an external id.

    `lost_key` is the key that was created with it, if the caller knows the token of that creation
    and the key is as it was then. A key that was used has a user who knows its secret.
    """

    owner: Owner
    lost_key: Key | None


def find_named_owner(
    owner_type: OwnerType,
    name: ExternalName,
    directory: Directory,
    last_use_of: Callable[[Key], LastUse],
) -> NamedOwner:
    """Return what has an external id; raises `OwnerNotFound`."""
    reserved = directory.find_external_id(owner_type, name.external_id)
    owner = directory.get_owner(reserved.owner_id)
    is_own = name.client_token is not None and name.client_token == reserved.client_token
    if not is_own or reserved.key_id is None:
        return NamedOwner(owner, None)
    try:
        key = directory.get_key(owner.owner_id, reserved.key_id)
    except KeyNotFound:
        return NamedOwner(owner, None)
    return NamedOwner(owner, None if isinstance(last_use_of(key), int) else key)
