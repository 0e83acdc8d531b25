"""Sealed bars of one instrument as they came, and as exact integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from brokerage.domain.market.bars import BarColumns, bar_columns
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.volumes import volume_in_base
from brokerage.domain.models.corporate import CorporateAction, Ending, PriceAdjustment, beside_prices
from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S
from qmtl.core.volumes import VolumeUnit

if TYPE_CHECKING:
    import pyarrow as pa

OHLCV = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class SealedBars:
    """Bars of one instrument as they came: Arrow tables with open_time, open, high, low, close and volume.

    `preset` serves them, `coverage` is the share of expected bars that are there; `adjustment` is what was done to
    prices, None where that is not told.
    """

    instrument: Instrument
    interval_s: int
    volume_unit: VolumeUnit
    parts: Sequence[pa.Table]
    preset: str = ""
    coverage: float = 0.0
    adjustment: PriceAdjustment | None = None

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(part.num_rows for part in self.parts)

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """Open of the first bar and close of the last; None without bars."""
        times = self._opens()
        return (int(times[0]), int(times[-1]) + self.interval_s * NS_PER_S) if len(times) else None

    def beside(self, actions: Sequence[CorporateAction], until_ns: int) -> list[CorporateAction]:
        """Of the actions in the instrument those while its bars go on, and its end by an instant, as far as the prices
        have them not in them.

        Raises InvalidRequest (E_FIELD) where there are any and it is not told what was done to the prices.
        """
        if self.span_ns is None:
            return []
        first_ns, last_ns = self.span_ns
        ends = [one for one in actions if isinstance(one, Ending) and one.at_ns <= until_ns]
        acts = [one for one in actions if not isinstance(one, Ending) and first_ns < one.at_ns <= last_ns]
        if acts and self.adjustment is None:
            raise refused("E_FIELD", f"adjustment of {self.preset}", "not told", "RAW, SPLIT or TOTAL_RETURN")
        return beside_prices([*acts, *ends], self.adjustment or PriceAdjustment.RAW, self.instrument)

    def digest(self) -> str:
        """Of the bars as they came, whatever parts they came in."""
        import pyarrow as pa

        found = blake3(self._opens().astype("<i8").tobytes())
        for name in OHLCV:
            for part in self.parts:
                found.update(part.column(name).cast(pa.float64()).to_numpy().astype("<f8").tobytes())
        return f"blake3:{found.hexdigest()}"

    def closes_by(self, times_ns: Sequence[int]) -> list[Decimal | None]:
        """Of each time the close of the last bar that had ended by then; None: none had."""
        import pyarrow as pa

        ends = self._opens() + self.interval_s * NS_PER_S
        closes = np.concatenate(
            [*(part.column("close").cast(pa.float64()).to_numpy() for part in self.parts), np.zeros(0)]
        )
        rows = np.searchsorted(ends, np.array(times_ns, dtype=np.int64), side="right") - 1
        return [to_decimal(float(closes[row])) if row >= 0 else None for row in rows.tolist()]

    def _opens(self) -> npt.NDArray[np.int64]:
        import pyarrow as pa

        times = [part.column("open_time").cast(pa.timestamp("ns", "UTC")).cast(pa.int64()) for part in self.parts]
        return np.concatenate([*(one.to_numpy() for one in times), np.zeros(0, dtype=np.int64)]).astype(np.int64)

    def columns(self) -> BarColumns:
        """As exact integers. Raises InvalidRequest (E_PRICE_SCALE, E_AMOUNT_NOT_FINITE, E_AMOUNT_OVERFLOW)."""
        import pyarrow as pa

        start_ns = self._opens()
        opened, high, low, close, volume = (
            np.concatenate([*(part.column(name).cast(pa.float64()).to_numpy() for part in self.parts), np.zeros(0)])
            for name in OHLCV
        )
        sized = volume_in_base(self.instrument, volume, high, self.volume_unit)
        ohlcv = (opened, high, low, close, sized)
        return bar_columns(self.instrument, start_ns, self.interval_s * NS_PER_S, ohlcv)
