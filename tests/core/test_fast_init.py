"""Frozen dataclasses that are made by plain stores are the same values, and as frozen."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, make_dataclass, replace

import pytest

from qmtl.core.fast_init import fast_init


@dataclass(frozen=True, slots=True)
class Plain:
    one: int
    two: str = "two"
    three: tuple[int, ...] = ()


@fast_init
@dataclass(frozen=True, slots=True)
class Fast:
    one: int
    two: str = "two"
    three: tuple[int, ...] = ()


def test_it_is_made_and_compared_and_shown_as_before() -> None:
    assert inspect.signature(Fast) == inspect.signature(Plain)
    for made in (Fast(1), Fast(1, "two", ()), Fast(one=1, three=())):
        assert type(made) is Fast
        assert (made.one, made.two, made.three) == (1, "two", ())
        assert made == Fast(1)
        assert hash(made) == hash(Plain(1))
        assert repr(made) == "Fast(one=1, two='two', three=())"
    assert Fast(1) != Fast(2)
    assert replace(Fast(1), three=(3,)) == Fast(1, "two", (3,))
    assert copy.deepcopy(Fast(1)) == pickle.loads(pickle.dumps(Fast(1))) == Fast(1)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Fast()  # type: ignore[call-arg]


def test_fields_have_their_own_defaults() -> None:
    @fast_init
    @dataclass(frozen=True, slots=True)
    class Made:
        one: int
        two: str
        three: int = 3
        four: int = 4

    made = Made(1, "two", four=5)
    assert (made.one, made.two, made.three, made.four) == (1, "two", 3, 5)
    assert str(inspect.signature(Made)).startswith("(one: ")
    assert Made.__init__.__qualname__.endswith("Made.__init__")
    with pytest.raises(TypeError, match="two"):
        Made(1)  # type: ignore[call-arg]


def test_it_is_frozen() -> None:
    made = Fast(1)
    changes: list[Callable[[], None]] = [
        lambda: setattr(made, "one", 2),
        lambda: delattr(made, "two"),
        lambda: setattr(made, "four", 4),
    ]
    for change in changes:
        with pytest.raises((FrozenInstanceError, TypeError)):
            change()
    assert made == Fast(1)


def _with_a_factory() -> type[object]:
    @dataclass(frozen=True, slots=True)
    class Listing:
        one: int
        items: list[int] = field(default_factory=list)

    return Listing


def _with_more_to_do() -> type[object]:
    @dataclass(frozen=True, slots=True)
    class Checked:
        one: int

        def __post_init__(self) -> None:
            raise ValueError(self.one)

    return Checked


def _with_a_base() -> type[object]:
    @dataclass(frozen=True, slots=True)
    class Child(Plain):
        four: int = 4

    return Child


def _not_frozen() -> type[object]:
    @dataclass(slots=True)
    class Loose:
        one: int

    return Loose


def _without_slots() -> type[object]:
    @dataclass(frozen=True)
    class Open:
        one: int

    return Open


def _keyword_only() -> type[object]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        one: int
        two: int = field(kw_only=False)

    return Named


def _not_in_init() -> type[object]:
    @dataclass(frozen=True, slots=True)
    class Filled:
        one: int
        two: int = field(init=False, default=2)

    return Filled


def _with_an_init_only_field() -> type[object]:
    @dataclass(frozen=True, slots=True)
    class Seeded:
        one: int
        seed: InitVar[int]

    return Seeded


def _no_dataclass() -> type[object]:
    class Bare:
        __slots__ = ("one",)

    return Bare


REFUSED = [
    _with_a_factory,
    _with_more_to_do,
    _with_a_base,
    _not_frozen,
    _without_slots,
    _keyword_only,
    _not_in_init,
    _with_an_init_only_field,
    _no_dataclass,
]


@pytest.mark.parametrize("make", REFUSED)
def test_other_classes_are_refused(make: Callable[[], type[object]]) -> None:
    with pytest.raises(TypeError, match="is not a plain frozen, slotted dataclass"):
        fast_init(make())


@pytest.mark.parametrize("name", ["self", "_cls", "_unfrozen", "_set", "_default_one"])
def test_a_field_of_a_name_that_it_uses_itself_is_refused(name: str) -> None:
    made = make_dataclass("Clashing", [("one", int, 1), (name, int, 2)], frozen=True, slots=True)
    with pytest.raises(TypeError, match=rf"Clashing: fields \['{name}'\] have names that its __init__ uses"):
        fast_init(made)


def test_a_slot_for_weak_references_is_refused_at_once() -> None:
    @dataclass(frozen=True, slots=True, weakref_slot=True)
    class Referred:
        one: int

    with pytest.raises(TypeError, match="object layout differs"):
        fast_init(Referred)


def test_it_has_no_subclasses() -> None:
    with pytest.raises(TypeError, match="Child: a class with fast_init has no subclasses"):
        type("Child", (Fast,), {"__slots__": ()})
