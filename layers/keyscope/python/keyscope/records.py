"""`dataclass`, `field` and `replace` for everything that an authorizer imports at its start.

Type checkers read the standard library's. At run time, `dataclass` creates a class that behaves the
same, with a quarter of the instructions and without importing `inspect`. That import costs a cold
start as much as ten of the standard library's classes. It only creates frozen classes with slots
and without base classes. The functions of `dataclasses` work with them.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, ClassVar, Never

_NO_DEFAULT = object()


class _Field:
    """A default, and whether a `repr` shows the field."""

    __slots__ = ("default", "is_shown")

    def __init__(self, default: object, *, is_shown: bool) -> None:
        self.default = default
        self.is_shown = is_shown


class _Fields:
    """The standard library's description of a class's fields, created when it is first needed.

    `dataclasses.replace` needs it at each call, and creating it takes a millisecond.
    """

    __slots__ = ("_annotations", "_defaults", "_hidden", "_made")

    def __init__(
        self,
        annotations: Mapping[str, object],
        defaults: Mapping[str, object],
        hidden: AbstractSet[str],
    ) -> None:
        self._annotations = annotations
        self._defaults = defaults
        self._hidden = hidden
        self._made: Mapping[str, object] | None = None

    def __get__(self, _instance: object, owner: type) -> Mapping[str, object]:
        if self._made is None:
            self._made = self._make(owner)
        return self._made

    def _make(self, owner: type) -> Mapping[str, object]:
        import dataclasses  # noqa: PLC0415 - the authorizers never ask

        members: dict[str, Any] = {
            name: dataclasses.field(
                default=self._defaults.get(name, dataclasses.MISSING),
                repr=name not in self._hidden,
            )
            for name in self._annotations
        }
        members["__annotations__"] = dict(self._annotations)
        twin: Any = dataclasses.dataclass(type(owner.__name__, (), members))
        fields: Mapping[str, object] = twin.__dataclass_fields__
        return fields


class _Record:
    """What all classes have in common. `_hidden_fields` are those that a `repr` omits."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _hidden_fields: ClassVar[AbstractSet[str]] = frozenset()

    def __setattr__(self, name: str, value: object) -> Never:
        _refuse_change(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> Never:
        _refuse_change(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        shown = (name for name in self.__match_args__ if name not in self._hidden_fields)
        text = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({text})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), _values(self)


def _values(record: object) -> tuple[object, ...]:
    names: tuple[str, ...] = type(record).__match_args__  # type: ignore[attr-defined]
    return tuple([getattr(record, name) for name in names])


def _refuse_change(message: str) -> Never:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - no authorizer comes here

    raise FrozenInstanceError(message)


def _field(*, default: object = _NO_DEFAULT, repr: bool = True) -> _Field:  # noqa: A002 - as in dataclasses
    return _Field(default, is_shown=repr)


def _replace(record: Any, /, **changes: object) -> object:  # noqa: ANN401 - of any class
    kept = {name: getattr(record, name) for name in record.__match_args__}
    return type(record)(**kept | changes)


def _dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
    if not (frozen and slots):
        message = "keyscope.records makes frozen classes with slots only"
        raise TypeError(message)
    return _made


def _made(draft: type) -> type:
    if draft.__bases__ != (object,):
        message = f"{draft.__qualname__} has a base class; keyscope.records makes none with one"
        raise TypeError(message)
    members = dict(draft.__dict__)
    annotations = {
        name: kind
        for name, kind in draft.__annotations__.items()
        if getattr(kind, "__origin__", None) is not ClassVar
    }
    defaults, hidden = {}, set()
    for name in annotations:
        default = members.pop(name, _NO_DEFAULT)
        if isinstance(default, _Field):
            if not default.is_shown:
                hidden.add(name)
            default = default.default
        if default is not _NO_DEFAULT:
            defaults[name] = default
    del members["__dict__"], members["__weakref__"]
    members["__slots__"] = members["__match_args__"] = tuple(annotations)
    members["_hidden_fields"] = hidden
    members["__dataclass_fields__"] = _Fields(annotations, defaults, hidden)
    made = type(draft.__name__, (_Record,), members)
    made.__init__ = _initializer(made, defaults)  # type: ignore[misc]
    return made


def _initializer(made: type, defaults: Mapping[str, object]) -> Callable[..., None]:
    """Return `__init__`, which fills the slots itself, because the class refuses to."""
    names: tuple[str, ...] = made.__dict__["__match_args__"]
    space: dict[str, Any] = {f"set_{name}": made.__dict__[name].__set__ for name in names}
    space |= {f"default_{name}": value for name, value in defaults.items()}
    parameters = [f"{name}=default_{name}" if name in defaults else name for name in names]
    body = "; ".join([f"set_{name}(self, {name})" for name in names])
    text = f"def __init__(self, {', '.join(parameters)}): {body}"
    exec(text, space)  # noqa: S102 - nothing but names of fields in our own sources
    initializer: Callable[..., None] = space["__init__"]
    return initializer


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace

__all__ = ["dataclass", "field", "replace"]
