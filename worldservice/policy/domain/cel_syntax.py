"""Reads the checked syntax tree of a CEL expression, which the CEL library gives only in its wire form.

Only the few fields that a static check needs are read (cel.expr.CheckedExpr: identifiers, calls, literals,
lists, comprehensions). A shape that is not known here is refused, never skipped.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CHECKED_EXPR, _ANY_VALUE = 4, 2
_CONST, _IDENT, _CALL, _LIST, _COMPREHENSION = 3, 4, 6, 7, 9
_INT64, _UINT64, _DOUBLE = 3, 4, 5


class UnknownForm(Exception):
    """A construct that policy expressions do not have; the text says which."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None: text, bytes or null."""

    number: float | None  # None: not a number


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator with its arguments."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list literal."""

    elements: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A comprehension: its body runs once per element of its range."""

    over: "Node"
    start: "Node"
    condition: "Node"
    step: "Node"
    result: "Node"


Node = Literal | Name | Call | Listing | Loop


def read_tree(serialized: bytes) -> Node:
    """The syntax tree of a serialised CheckedExpr (wrapped in google.protobuf.Any by the library)."""
    checked = _only(serialized, _ANY_VALUE)
    return _node(_only(checked, _CHECKED_EXPR))


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, in the order they are written."""
    match node:
        case Call(_, arguments):
            return arguments
        case Listing(elements):
            return elements
        case Loop(over, start, condition, step, result):
            return (over, start, condition, step, result)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def _node(data: bytes) -> Node:
    for number, value in _fields(data):
        if isinstance(value, int):
            continue
        if number == _CONST:
            return Literal(_number(value))
        if number == _IDENT:
            return Name(_only(value, 1).decode())
        if number == _CALL:
            return _call(value)
        if number == _LIST:
            return Listing(tuple(_node(v) for n, v in _fields(value) if n == 1 and isinstance(v, bytes)))
        if number == _COMPREHENSION:
            return Loop(*(_node(_only(value, field)) for field in (2, 4, 5, 6, 7)))
        raise UnknownForm("no maps, messages or field selections")
    raise UnknownForm("no empty parts")


def _call(data: bytes) -> Call:
    parts = list(_fields(data))
    function = next(v.decode() for n, v in parts if n == 2 and isinstance(v, bytes))
    operands = [v for n, v in parts if n == 1 and isinstance(v, bytes)]
    operands += [v for n, v in parts if n == 3 and isinstance(v, bytes)]
    return Call(function, tuple(_node(v) for v in operands))


def _number(data: bytes) -> float | None:
    for number, value in _fields(data):
        if number == _INT64 and isinstance(value, int):
            return float(value - (1 << 64) if value >= 1 << 63 else value)
        if number == _UINT64 and isinstance(value, int):
            return float(value)
        if number == _DOUBLE and isinstance(value, bytes):
            return float(struct.unpack("<d", value)[0])
    return None


def _only(data: bytes, field: int) -> bytes:
    for number, value in _fields(data):
        if number == field and isinstance(value, bytes):
            return value
    raise UnknownForm("no unknown constructs")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(data, at)
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
