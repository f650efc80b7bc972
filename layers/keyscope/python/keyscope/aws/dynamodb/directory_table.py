"""The directory of owners and their keys, in DirectoryTable and KeysTable.

`owners`, `keys` and `accounts` contain its operations. `owner_writes`, `key_writes` and
`account_writes` contain the writes that the operations combine into transactions, and `tables` what
the operations share.
"""

from dataclasses import dataclass

from keyscope.aws.dynamodb.keys import Keys
from keyscope.aws.dynamodb.owners import Owners


@dataclass(frozen=True, slots=True)
class DirectoryTable(Owners, Keys):
    """DirectoryTable and KeysTable as an `OperatorsDirectory`."""
