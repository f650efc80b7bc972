"""The operations where the directory, not the store, decides: random ids that are taken."""

from dataclasses import dataclass
from typing import cast

import pytest

from keyscope.directory import Directory, IdTaken, Key, Owner
from keyscope.errors import Unavailable
from keyscope.key_record import KeyRecord
from keyscope.provisioning import KeyRequest, Provisioning
from local.seed import NoAuditTrail, NoCachedPolicies
from tests.support.builders import NOW


@dataclass
class CrowdedDirectory:
    """A directory in which the first ids that are tried are taken."""

    taken: int
    tried: int = 0

    def add_account(self, account: Owner, key: Key, record: KeyRecord, /) -> None:
        del account, key, record
        self.tried += 1
        if self.tried <= self.taken:
            raise IdTaken


class PlainSealer:
    """Seals nothing."""

    def seal(self, key_id: str, secret: str, /) -> bytes:
        del key_id
        return secret.encode()


def operations_over(directory: CrowdedDirectory) -> Provisioning:
    return Provisioning(
        directory=cast("Directory", directory),
        sealer=PlainSealer(),
        policies=NoCachedPolicies(),
        audit_trail=NoAuditTrail(),
        clock=lambda: NOW,
    )


def test_a_taken_id_is_replaced_by_another() -> None:
    directory = CrowdedDirectory(taken=2)
    operations_over(directory).create_account("Acme", KeyRequest())
    assert directory.tried == 3


def test_ids_that_are_always_taken_are_a_failure() -> None:
    with pytest.raises(Unavailable, match="key_store_unavailable"):
        operations_over(CrowdedDirectory(taken=10**6)).create_account("Acme", KeyRequest())
