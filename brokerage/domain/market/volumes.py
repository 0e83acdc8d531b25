"""Volumes of a dataset as quantities of the instrument, whatever its dataset counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brokerage.domain.market.instrument import Instrument
from qmtl.core.volumes import VolumeUnit

Doubles = npt.NDArray[np.float64]


def volume_in_base(instrument: Instrument, volume: Doubles, high: Doubles, unit: VolumeUnit) -> Doubles:
    """The quantity that traded, as doubles: a base volume as it is, a quote volume divided by the bar's high.

    At no higher price was anything traded, so this is the least quantity that can have been, cut to the quantity scale;
    0 where the high is not positive.
    """
    if unit is VolumeUnit.BASE:
        return volume
    step = 10.0**instrument.quantity_scale
    price = np.where(high > 0, high, np.inf) * float(instrument.multiplier)
    return np.asarray(np.floor(volume / price * step) / step, dtype=np.float64)
