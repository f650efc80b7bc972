from keyscope.model import ids
from keyscope.model.ids import OwnerType
from tests.support.builders import ACCOUNT, APP, APP_OF_SERVICE_ACCOUNT, SERVICE_ACCOUNT


def test_an_account_id_is_12_hex_characters() -> None:
    assert ids.is_account_id(ids.new_account_id())


def test_a_service_account_id_begins_with_its_account() -> None:
    made = ids.new_service_account_id(ACCOUNT)
    assert made.startswith(ACCOUNT)
    assert ids.is_service_account_id(made)


def test_no_service_account_is_named_like_the_user_account() -> None:
    suffixes = iter(["0000", "beef"])
    assert ids.new_service_account_id(ACCOUNT, lambda _: next(suffixes)) == ACCOUNT + "beef"


def test_an_app_id_names_the_service_account_that_created_it() -> None:
    assert ids.creator_of_app(ids.new_app_id(ACCOUNT, SERVICE_ACCOUNT)) == SERVICE_ACCOUNT


def test_an_app_id_of_a_user_account_names_no_service_account() -> None:
    made = ids.new_app_id(ACCOUNT, None)
    assert ids.is_app_id(made)
    assert ids.creator_of_app(made) == ACCOUNT


def test_every_owner_id_begins_with_its_account() -> None:
    owners = [ACCOUNT, SERVICE_ACCOUNT, APP, APP_OF_SERVICE_ACCOUNT]
    assert {ids.account_id_of(owner) for owner in owners} == {ACCOUNT}


def test_a_key_id_tells_the_kind_of_its_owner() -> None:
    made = {owner: ids.new_key_id(owner) for owner in OwnerType}
    assert all(ids.is_key_id(key_id) for key_id in made.values())
    assert {owner: ids.owner_type_of_key(key_id) for owner, key_id in made.items()} == {
        owner: owner for owner in OwnerType
    }


def test_a_trailing_newline_is_no_part_of_an_id() -> None:
    assert not ids.is_key_id(ids.new_key_id(OwnerType.APP) + "\n")
    assert not ids.is_app_id(APP + "\n")
