"""The lean data classes behave as those of the standard library, which type checkers take them for.

Every test runs with both.
"""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import ClassVar

import pytest

from keyscope import records


@records.dataclass(frozen=True, slots=True)
class Lean:
    """A record."""

    kind: ClassVar[str] = "kind"

    name: str
    secret: str = records.field(repr=False)
    count: int = 1
    hidden: str | None = records.field(default=None, repr=False)

    @property
    def shout(self) -> str:
        return self.name.upper()


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """A record."""

    kind: ClassVar[str] = "kind"

    name: str
    secret: str = dataclasses.field(repr=False)
    count: int = 1
    hidden: str | None = dataclasses.field(default=None, repr=False)

    @property
    def shout(self) -> str:
        return self.name.upper()


Kind = type[Lean]
both = pytest.mark.parametrize("kind", [Lean, Standard])


def test_the_lean_class_is_none_of_the_standard_librarys() -> None:
    assert not hasattr(Lean, "__dataclass_params__")


@both
def test_fields_are_taken_in_order_or_by_name_with_their_defaults(kind: Kind) -> None:
    one = kind("a", secret="b", hidden="c")
    assert (one.name, one.secret, one.count, one.hidden) == ("a", "b", 1, "c")
    assert (one.kind, one.shout) == ("kind", "A")


@both
@pytest.mark.parametrize("arguments", [(), ("a",), ("a", "b", "c", "d", "e")])
def test_missing_and_superfluous_fields_are_refused(kind: Kind, arguments: tuple[str, ...]) -> None:
    with pytest.raises(TypeError):
        kind(*arguments)  # type: ignore[arg-type]


@both
def test_an_unknown_field_is_refused(kind: Kind) -> None:
    with pytest.raises(TypeError):
        kind("a", "b", other="c")  # type: ignore[call-arg]


@both
def test_its_text_omits_hidden_fields(kind: Kind) -> None:
    assert repr(kind("a", "b")) == f"{kind.__name__}(name='a', count=1)"


@both
def test_it_is_frozen_and_takes_no_other_attribute(kind: Kind) -> None:
    one = kind("a", "b")
    known, unknown = "name", "other"
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        setattr(one, known, "c")
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
        delattr(one, known)
    assert not hasattr(one, "__dict__")
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(one, unknown, "c")


@both
def test_equal_values_of_one_class_are_equal_and_have_one_hash(kind: Kind) -> None:
    assert kind("a", "b") == kind("a", "b")
    assert hash(kind("a", "b")) == hash(kind("a", "b"))
    assert kind("a", "b") != kind("a", "c")
    others: list[object] = [("a", "b", 1, None), {Lean: Standard, Standard: Lean}[kind]("a", "b")]
    assert kind("a", "b") not in others


@both
def test_a_subclass_without_fields_is_another_class(kind: Kind) -> None:
    narrower = type("Narrower", (kind,), {"__slots__": ()})
    assert narrower("a", "b") != kind("a", "b")
    assert repr(narrower("a", "b")) == "Narrower(name='a', count=1)"


@both
@pytest.mark.parametrize("replace", [records.replace, dataclasses.replace])
def test_a_replaced_field_makes_another_instance(
    kind: Kind, replace: Callable[..., object]
) -> None:
    one = kind("a", "b")
    assert replace(one, count=2) == kind("a", "b", 2)
    assert one == kind("a", "b")
    with pytest.raises(TypeError):
        replace(one, other=2)


@both
def test_copies_are_equal(kind: Kind) -> None:
    one = kind("a", "b", hidden="c")
    assert copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - just made


@both
def test_the_standard_library_knows_its_fields(kind: Kind) -> None:
    one = kind("a", "b")
    assert dataclasses.is_dataclass(kind)
    assert [(it.name, it.repr) for it in dataclasses.fields(kind)] == [
        ("name", True),
        ("secret", False),
        ("count", True),
        ("hidden", False),
    ]
    assert dataclasses.asdict(one) == {"name": "a", "secret": "b", "count": 1, "hidden": None}


@both
def test_its_fields_are_described_once(kind: Kind) -> None:
    # Each `dataclasses.replace` asks for them.
    assert dataclasses.fields(kind)[0] is dataclasses.fields(kind("a", "b"))[0]


@both
def test_a_pattern_takes_its_fields_in_order(kind: Kind) -> None:
    match kind("a", "b"):
        case kind(name, secret):
            assert (name, secret) == ("a", "b")
        case _:
            pytest.fail("the pattern did not match")


@pytest.mark.parametrize("options", [(True, False), (False, True)])
def test_a_class_that_is_not_frozen_or_has_no_slots_is_refused(options: tuple[bool, bool]) -> None:
    frozen, slots = options
    make: Callable[..., object] = records.dataclass
    with pytest.raises(TypeError, match="frozen classes with slots"):
        make(frozen=frozen, slots=slots)


def test_a_class_with_a_base_class_is_refused() -> None:
    with pytest.raises(TypeError, match="has a base class"):

        @records.dataclass(frozen=True, slots=True)
        class Derived(Lean):
            more: int = 0
