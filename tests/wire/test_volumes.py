"""The unit of a volume over the wire: there and back, and nothing taken for a unit that is none."""

from __future__ import annotations

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.volumes import VolumeUnit
from qmtl.wire.volumes import volume_unit_from_proto, volume_unit_to_proto


@pytest.mark.parametrize("unit", list(VolumeUnit))
def test_a_unit_comes_back(unit: VolumeUnit) -> None:
    assert volume_unit_from_proto(volume_unit_to_proto(unit)) is unit


@pytest.mark.parametrize("value", [0, 3, 99])
def test_what_is_not_stated_or_not_known_is_refused(value: int) -> None:
    with pytest.raises(InvalidRequest, match=r"E_ENUM: preset\.volume_unit"):
        volume_unit_from_proto(value, "preset.volume_unit")
