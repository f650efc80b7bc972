"""The directory of owners and their keys, over DirectoryTable and KeysTable.

`owners` and `keys` have its operations, `owner_writes` and `key_writes` the writes that these
combine into transactions, and `tables` what they share.
"""

from dataclasses import dataclass

from keyscope.aws.dynamodb.keys import Keys
from keyscope.aws.dynamodb.owners import Owners


@dataclass(frozen=True, slots=True)
class DirectoryTable(Owners, Keys):
    """DirectoryTable and KeysTable as a `Directory`."""
