"""Values made by our decorator are what dataclasses of the standard library would be."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any, ClassVar

import pytest

from soops.kernel.values import frozen
from soops.kernel.values.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A value."""

    kind: ClassVar[str] = "base"
    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class More(Base):
    """One with more."""

    size: int = 4
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Refuses what is wrong."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("too small")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard(Base):
    """A class of somebody else, below one of ours."""

    own: int = 1


@pytest.fixture(autouse=True, params=["few", "many"])
def number(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Try each class as it is at first, and when many of it were made."""
    for cls in (Base, More, Checked):
        monkeypatch.setattr(cls, "__init__", cls.__init__)
        monkeypatch.setattr(cls, "__value_count__", frozen.MANY - 1)
    if request.param == "many":
        given: dict[Any, dict[str, Any]] = {Base: {"name": ""}, More: {"name": ""}}
        for cls in (Base, More, Checked):
            generic = cls.__init__
            cls(**given.get(cls, {"size": 1}))
            assert cls.__init__ is not generic
    else:
        for cls in (Base, More, Checked):
            monkeypatch.setattr(cls, "__value_count__", 0)
    return request.param


def test_defaults_and_factories():
    one, two = Base(name="a"), Base(name="a")
    assert (one.size, one.tags) == (3, [])
    assert one.tags is not two.tags
    assert More(name="a").size == 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, r"Base\(\) miss.+ arguments?:? 'name'"),
        ({"name": "a", "nam": 1}, r"Base\(\) got an unexpected keyword argument 'nam'"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], words: str):
    with pytest.raises(TypeError, match=words):
        Base(**given)


def test_it_is_made_by_keyword_only():
    with pytest.raises(TypeError):
        Base("a")  # type: ignore[misc]


def test_nothing_can_be_set_or_deleted():
    value = Base(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.size = 4  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.size
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.other = 4  # type: ignore[attr-defined]
    assert not hasattr(value, "__dict__")


def test_equality_goes_by_class_and_compared_fields():
    assert Base(name="a") == Base(name="a", size=3)
    assert Base(name="a") != Base(name="b")
    assert Base(name="a", size=4) != More(name="a")
    assert More(name="a", note="x") == More(name="a", note="y")
    assert Base(name="a") != ("a", 3, [])
    assert hash(Checked(size=1)) == hash(Checked(size=1))


def test_it_is_shown_as_a_call():
    assert repr(Base(name="a")) == "Base(name='a', size=3, tags=[])"
    assert repr(More(name="a", note="x")) == "More(name='a', size=4, tags=[])"


def test_the_tools_of_the_standard_library_work():
    value = More(name="a", tags=["x"], note="n")
    assert dataclasses.is_dataclass(More)
    assert [item.name for item in dataclasses.fields(value)] == ["name", "size", "tags", "note"]
    assert dataclasses.replace(value, size=9).size == 9
    assert dataclasses.replace(value).note == "n"
    assert dataclasses.asdict(value) == {"name": "a", "size": 4, "tags": ["x"], "note": "n"}
    assert pickle.loads(pickle.dumps(value)) == value
    assert pickle.loads(pickle.dumps(value)).note == "n"
    assert copy.deepcopy(value) == value and copy.copy(value) == value


def test_its_signature_can_be_read():
    shown = inspect.signature(More)
    assert (
        str(shown) == "(*, name: 'str', size: 'int' = 4, tags: 'list[str]' = [], note: 'str' = '')"
    )


def test_what_is_checked_after_it_was_made():
    with pytest.raises(ValueError, match="too small"):
        Checked(size=-1)
    with pytest.raises(ValueError, match="too small"):
        dataclasses.replace(Checked(size=1), size=-1)


def test_a_class_without_fields_of_its_own_may_inherit():
    class Plain(Base):
        pass

    values = [Plain(name="a") for _ in range(2 * frozen.MANY)]
    assert (values[-1].name, values[-1].tags) == ("a", [])
    assert values[-1] == values[0] != Base(name="a")


def test_a_standard_class_may_inherit():
    value = Standard(name="a")
    assert (value.size, value.own) == (3, 1)
    assert value == Standard(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.own = 2  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(value)) == value


def test_other_options_are_those_of_the_standard_library():
    @dataclass
    class Open:
        size: int = 1

    value = Open()
    value.size = 2
    assert value == Open(2)
