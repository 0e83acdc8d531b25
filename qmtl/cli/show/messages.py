"""Protobuf messages as JSON, enum values as words, timestamps as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


class EnumType(Protocol):
    """A generated enum."""

    def Name(self, number: int) -> str: ...

    def keys(self) -> list[str]: ...


def as_dict(message: Message) -> dict[str, object]:
    """Proto JSON, snake_case, with unset fields shown."""
    return dict(MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))


def show_json(value: Mapping[str, object] | Sequence[object]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def enum_word(kind: EnumType, number: int) -> str:
    """An enum value without its type's prefix; a value of a newer peer stays a number."""
    names = kind.keys()
    try:
        name = kind.Name(number)
    except ValueError:
        return str(number)
    prefix = names[0].removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix)


def when(stamp: Timestamp) -> str:
    """A time for people; "-" when unset."""
    return stamp.ToJsonString() if stamp.ByteSize() else "-"
