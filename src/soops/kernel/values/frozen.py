"""Frozen dataclasses that are made quickly. Anyone in soops may import it.

The decorator of the standard library writes and compiles the text of half a dozen methods for
each class, which takes about a millisecond. With the sixty values of the kernel that was a
third of the time in which a command starts. Here the methods are the same functions for all
classes, and go by the fields; a class of which many values are made gets an ``__init__`` of its
own then. To type checkers it is the one of the standard library.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """Do as ``dataclasses.dataclass``; quickly when all of our three options are given."""
        if options != {"frozen": True, "slots": True, "kw_only": True}:
            return dataclasses.dataclass(cls, **options)
        return _frozen


_set = object.__setattr__
#: Values of a class after which it gets its own ``__init__``, which is written in a
#: millisecond and saves some microseconds each time.
MANY = 200


def _frozen(cls: type) -> type:
    # The standard library lets only frozen classes inherit from frozen ones, and is told
    # below that this one is not: its own way to freeze is what takes the time.
    above = [vars(base)["__dataclass_params__"] for base in cls.__mro__[1:] if _is_value(base)]
    for parameters in above:
        parameters.frozen = False
    try:
        cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)(cls)
    finally:
        for parameters in above:
            parameters.frozen = True
    fields = dataclasses.fields(cls)
    missing = dataclasses.MISSING
    made: Any = cls
    made.__value_defaults__ = {f.name: f.default for f in fields if f.default is not missing}
    made.__value_factories__ = {
        f.name: f.default_factory for f in fields if f.default_factory is not missing
    }
    made.__value_names__ = frozenset(f.name for f in fields)
    made.__value_count__ = 0
    made.__value_compared__ = _getter([f.name for f in fields if f.compare])
    for name, function in _METHODS.items():
        if name not in vars(cls):
            setattr(cls, name, function)
    made.__dataclass_params__.frozen = True
    return cls


def _is_value(cls: type) -> bool:
    return "__value_names__" in vars(cls)


def _getter(names: list[str]) -> Any:
    """Return a function from an object to the tuple of these attributes."""
    if len(names) > 1:
        return staticmethod(attrgetter(*names))
    return staticmethod(lambda value: tuple(getattr(value, name) for name in names))


def _init(self: Any, /, **given: Any) -> None:
    cls = type(self)
    cls.__value_count__ += 1
    if cls.__value_count__ == MANY and "__value_names__" in vars(cls):
        cls.__init__ = _own_init(cls)
    values = {**cls.__value_defaults__, **given}
    if cls.__value_factories__:
        for name, make in cls.__value_factories__.items():
            if name not in values:
                values[name] = make()
    if values.keys() != cls.__value_names__:
        raise TypeError(_mismatch(cls, values.keys()))
    for name, value in values.items():
        _set(self, name, value)
    after = getattr(self, "__post_init__", None)
    if after is not None:
        after()


def _own_init(cls: Any) -> Any:
    """Return the ``__init__`` that the standard library writes for such a class."""
    again = [(item.name, item.type, _same(item)) for item in dataclasses.fields(cls)]
    after = {"__post_init__": cls.__post_init__} if hasattr(cls, "__post_init__") else {}
    shadow: Any = dataclasses.make_dataclass(
        cls.__name__, again, namespace=after, frozen=True, kw_only=True, repr=False, eq=False
    )
    shadow.__init__.__qualname__ = cls.__name__  # errors are shown with it
    return shadow.__init__


def _same(item: dataclasses.Field[Any]) -> Any:
    return dataclasses.field(default=item.default, default_factory=item.default_factory)


def _mismatch(cls: Any, given: Any) -> str:
    unknown = sorted(given - cls.__value_names__)
    if unknown:
        return f"{cls.__name__}() got an unexpected keyword argument {unknown[0]!r}"
    missing = [repr(field.name) for field in dataclasses.fields(cls) if field.name not in given]
    return f"{cls.__name__}() misses the keyword arguments {', '.join(missing)}"


def _repr(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> bool:
    if type(other) is not type(self):
        return NotImplemented  # type: ignore[no-any-return]
    compared = type(self).__value_compared__
    return bool(compared(self) == compared(other))


def _hash(self: Any) -> int:
    return hash(type(self).__value_compared__(self))


def _setattr(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        _set(self, field.name, value)


class _Signature:
    """What ``help`` shows of a class whose ``__init__`` takes anything."""

    def __get__(self, value: Any, cls: Any) -> Any:
        import inspect

        return inspect.Signature(
            [
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=_shown_default(field),
                    annotation=field.type,
                )
                for field in dataclasses.fields(cls)
            ]
        )


def _shown_default(field: dataclasses.Field[Any]) -> Any:
    import inspect

    if field.default is not dataclasses.MISSING:
        return field.default
    made = field.default_factory
    return inspect.Parameter.empty if made is dataclasses.MISSING else made()


_METHODS = {
    "__signature__": _Signature(),
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
