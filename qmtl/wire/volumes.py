"""The unit of a dataset's volume to protobuf and back."""

from __future__ import annotations

from qmtl.core.errors import refused
from qmtl.core.volumes import VolumeUnit
from qmtl.data.v1 import bars_pb2 as barspb

_TO_PROTO = {VolumeUnit.BASE: barspb.VOLUME_UNIT_BASE, VolumeUnit.QUOTE: barspb.VOLUME_UNIT_QUOTE}
_FROM_PROTO: dict[int, VolumeUnit] = {number: unit for unit, number in _TO_PROTO.items()}


def volume_unit_to_proto(unit: VolumeUnit) -> barspb.VolumeUnit:
    """The enum's value of a unit."""
    return _TO_PROTO[unit]


def volume_unit_from_proto(value: int, field: str = "volume_unit") -> VolumeUnit:
    """Raises InvalidRequest (E_ENUM): a unit that is not stated or not known is not taken for one."""
    unit = _FROM_PROTO.get(value)
    if unit is None:
        raise refused("E_ENUM", field, value, "VOLUME_UNIT_BASE or VOLUME_UNIT_QUOTE")
    return unit
