"""Reservations of external ids: one item of DirectoryTable for each, which nothing deletes.

Its partition key is the id in the form in which ids are unique, so two writers of one id always
meet at one item. Accounts and apps have separate ids.
"""

from keyscope.aws.dynamodb.directory_items import Attributes
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.transactions import Write
from keyscope.lifecycle.directory import Reservation
from keyscope.model.external_ids import folded
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import RECORD_FORMAT


def reservation_key(owner_type: OwnerType, external_id: str) -> Attributes:
    """Return the primary key of the item that reserves an external id.

    No account id has a `#`, so no account's items are among them.
    """
    return {
        "account_id": {"S": f"{owner_type.lower()}externalid#{folded(external_id)}"},
        "entity": {"S": "externalid"},
    }


def reserve(table: str, reservation: Reservation) -> Write:
    """Reserve an external id, unless it was ever reserved."""
    optional = {"key_id": reservation.key_id, "client_token": reservation.client_token}
    return {
        "Put": {
            "TableName": table,
            "Item": {
                **reservation_key(reservation.owner_type, reservation.external_id),
                "format": {"N": str(RECORD_FORMAT)},
                "external_id": {"S": reservation.external_id},
                "owner_type": {"S": reservation.owner_type.value},
                "owner_id": {"S": reservation.owner_id},
                **{name: {"S": value} for name, value in optional.items() if value is not None},
            },
            "ConditionExpression": "attribute_not_exists(entity)",
        }
    }


def reservation_of_item(owner_type: OwnerType, item: Item) -> Reservation:
    """Read the item that reserves an external id.

    Raises:
        Unavailable: `DAMAGED_RECORD`, with the name of the attribute.
    """
    reader = AttributeReader(item)
    return Reservation(
        owner_type=owner_type,
        external_id=reader.text("external_id"),
        owner_id=reader.text("owner_id"),
        key_id=reader.optional_text("key_id"),
        client_token=reader.optional_text("client_token"),
    )
