"""Margin by other rules than one leverage: as brokers and exchanges set it for a position of an instrument.

What may be opened is what equity leaves beyond the initial margin of all positions and orders (Interactive Brokers:
available funds; Binance: available balance); a position is closed by force where equity no longer covers maintenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.buying_power.requirements import (
    REG_T,
    REG_T_SHORT,
    ContractMargin,
    MarginRates,
    by_leverage,
    day_trader_leverage,
    least_short,
)
from brokerage.domain.money import currency_scale
from qmtl.calendars.published import hours_around
from qmtl.core.errors import NotFound
from qmtl.core.fast_init import fast_init

Row = TypeVar("Row")


@fast_init
@dataclass(frozen=True, slots=True)
class Held:
    """A signed position in an instrument, its signed value in quote currency, and the instant of its price. `beside`:
    the most notional that the account's other owners hold or work in it, which count for its tier.
    """

    instrument: Instrument
    quantity: int
    value: int
    at_ns: int
    beside: int = 0


class Margins(Protocol):
    """What positions must hold of the equity, in quote currency."""

    def require(self, instrument: Instrument) -> None:
        """Raises NotFound (E_PROFILE_TABLE_MISSING) for an instrument whose margin is not known."""
        ...

    def initial(self, held: Held) -> int:
        """Of a position that is opened."""
        ...

    def maintenance(self, held: Held) -> int:
        """Of a position that is kept."""
        ...


@dataclass(frozen=True, slots=True)
class RateMargins:
    """Shares of the value, of longs and of shorts. The defaults are Regulation T's and FINRA's, which also say what a
    short of shares in dollars must keep at least; to open takes no less than to keep (FINRA rule 4210(b)).
    """

    long: MarginRates = REG_T
    short: MarginRates = REG_T_SHORT

    def require(self, instrument: Instrument) -> None:
        """Every instrument has a value."""

    def initial(self, held: Held) -> int:
        """By the side of the position."""
        return max(self._of(held).to_open(held.value), _least(held))

    def maintenance(self, held: Held) -> int:
        """By the side of the position."""
        return max(self._of(held).to_hold(held.value), _least(held))

    def _of(self, held: Held) -> MarginRates:
        return self.short if held.quantity < 0 else self.long


def _least(held: Held) -> int:
    of = held.instrument
    if held.quantity >= 0 or of.asset_class is not AssetClass.EQUITY or of.quote != "USD":
        return 0
    return least_short(held.value, held.quantity, of.quantity_scale, 10 ** currency_scale("USD"))


@dataclass(frozen=True, slots=True)
class DayTraderMargins:
    """A pattern day trader's: four times the equity while the instrument's exchange is open, twice overnight and in the
    last ten minutes before the close. Source: Lean, PatternDayTradingMarginModel.
    """

    def require(self, instrument: Instrument) -> None:
        """An instrument must have the calendar of its exchange."""
        if not instrument.calendar:
            message = f"{instrument.symbol} has no calendar, by which a day trader's margin goes"
            raise NotFound("E_PROFILE_TABLE_MISSING", message)

    def initial(self, held: Held) -> int:
        """By the hour of the price. Raises as `require`."""
        return self._of(held).to_open(held.value)

    def maintenance(self, held: Held) -> int:
        """The same: what is held near the close must be covered as overnight."""
        return self._of(held).to_hold(held.value)

    def _of(self, held: Held) -> MarginRates:
        self.require(held.instrument)
        session = hours_around(held.instrument.calendar, held.at_ns).session_at(held.at_ns)
        return by_leverage(day_trader_leverage(held.at_ns, session.regular if session else None))


@dataclass(frozen=True, slots=True)
class ContractMargins:
    """Margin of one contract by symbol, as the clearing house or broker sets it."""

    by_symbol: Mapping[str, ContractMargin] = field(default_factory=dict)

    def require(self, instrument: Instrument) -> None:
        """The table must have its symbol."""
        _row(self.by_symbol, instrument.symbol, "contract_margins")

    def initial(self, held: Held) -> int:
        """By contracts. Raises as `require`."""
        return self._of(held).to_open(held.quantity, held.instrument.quantity_scale)

    def maintenance(self, held: Held) -> int:
        """By contracts. Raises as `require`."""
        return self._of(held).to_hold(held.quantity, held.instrument.quantity_scale)

    def _of(self, held: Held) -> ContractMargin:
        return _row(self.by_symbol, held.instrument.symbol, "contract_margins")


@dataclass(frozen=True, slots=True)
class TierMargins:
    """By the tiers of the instrument, under a leverage that was chosen (Binance USD-M)."""

    leverage: int

    def require(self, instrument: Instrument) -> None:
        """An instrument without tiers is not asked here: its margin is 1 / leverage."""

    def initial(self, held: Held) -> int:
        """With no more leverage than the tier has."""
        return held.instrument.margin_tiers.to_open(held.value, self.leverage, held.beside)

    def maintenance(self, held: Held) -> int:
        """The notional at the rate of its tier, less the tier's amount."""
        return held.instrument.margin_tiers.to_hold(held.value)


def _row(table: Mapping[str, Row], symbol: str, name: str) -> Row:
    row = table.get(symbol)
    if row is None:
        raise NotFound("E_PROFILE_TABLE_MISSING", f"table {name} has no row for {symbol}")
    return row
