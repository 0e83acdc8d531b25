"""Mappers from values to messages: plain fields and instants of one name are passed on, every other field is told.

    breach_to_proto = mapper(Breach, riskpb.RiskBreach, state=lambda one: f"BREACH_STATE_{one.state.name}", ...)

A mapper is checked when it is made, so no field of a message is forgotten and none is filled by chance: enums and other
messages than Timestamps are never passed on by their name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.wire.instants import instant_to_proto

V = TypeVar("V")
M = TypeVar("M", bound=Message)
_TOLD = (FieldDescriptor.CPPTYPE_ENUM, FieldDescriptor.CPPTYPE_MESSAGE)


def mapper(
    value: type[V], message: type[M], /, *, absent: Collection[str] = (), **told: Callable[[V], object]
) -> Callable[[V], M]:
    """A function that makes messages of values. `told`: how a field is made of a value, where None leaves it absent;
    `absent`: fields that no value has. Raises TypeError for a field without a source, or told without being there.
    """
    fields = {field.name: field for field in message.DESCRIPTOR.fields}
    passed = [name for name in fields if name not in told and name not in absent]
    unknown = sorted({*told, *absent} - fields.keys() | told.keys() & set(absent))
    if unknown:
        raise TypeError(f"{message.DESCRIPTOR.full_name}: {', '.join(unknown)} told, want each of its fields once")
    plain = [name for name in passed if fields[name].cpp_type not in _TOLD]
    instants = [name for name in passed if fields[name].message_type is Timestamp.DESCRIPTOR]
    for name in passed:
        held = getattr(value, name, None)
        if held is None or callable(held) or name not in (*plain, *instants):
            raise TypeError(f"{message.DESCRIPTOR.full_name}.{name} has no source in {value.__name__}, want it told")
    make = cast("Callable[..., M]", message)

    def mapped(of: V) -> M:
        found = {name: getattr(of, name) for name in plain}
        found |= {name: instant_to_proto(getattr(of, name)) for name in instants}
        return make(**found, **{name: field(of) for name, field in told.items()})

    return mapped
