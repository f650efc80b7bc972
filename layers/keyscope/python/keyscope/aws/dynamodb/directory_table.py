"""The directory of owners and their keys, in DirectoryTable and KeysTable.

`owners` and `keys` contain its operations. `owner_writes` and `key_writes` contain the writes that
the operations combine into transactions, and `tables` what the operations share.
"""

from dataclasses import dataclass

from keyscope.aws.dynamodb.keys import Keys
from keyscope.aws.dynamodb.owners import Owners


@dataclass(frozen=True, slots=True)
class DirectoryTable(Owners, Keys):
    """DirectoryTable and KeysTable as a `Directory`."""
