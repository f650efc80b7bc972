import gc
from collections.abc import Iterator

import pytest

from keyscope.entry.start import without_garbage_collection


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_while_the_container_starts() -> None:
    with without_garbage_collection():
        assert not gc.isenabled()


def test_what_the_start_made_is_never_looked_at_again() -> None:
    with without_garbage_collection():
        lasting: list[object] = []
    assert all(lasting is not each for each in gc.get_objects())


def test_garbage_is_collected_afterwards() -> None:
    with without_garbage_collection():
        pass
    assert gc.isenabled()


def test_a_failed_start_leaves_the_collection_on() -> None:
    with pytest.raises(KeyError), without_garbage_collection():
        raise KeyError
    assert gc.isenabled()
