"""Exposure: what positions and open orders come to at their worst, valued at the mark."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Exposure:
    """Worth of a part of a book in quote currency: `gross` at worst, `long` were all buys filled, `short` all sells."""

    gross: int = 0
    long: int = 0
    short: int = 0

    def __add__(self, other: Exposure) -> Exposure:
        return Exposure(self.gross + other.gross, self.long + other.long, self.short + other.short)


NONE = Exposure()


def exposure_of(instrument: Instrument, mark: int, held: int, buys: int, sells: int) -> Exposure:
    """Exposure of one strategy's position with its open orders in one symbol."""
    up, down = instrument.notional(mark, held + buys), instrument.notional(mark, held - sells)
    return Exposure(max(abs(up), abs(down)), up, down)


@dataclass(frozen=True, slots=True)
class AccountExposure:
    """What stands beside one strategy's desk: the rest of its account and the other accounts of its world.

    `equity` is the account's beside the desk's own ledger. A `world` that is None is not known or cannot be valued: it
    is over every limit there is.
    """

    equity: int = 0
    account: Exposure = NONE
    world: Exposure | None = NONE
    circuit_open: bool = False


ALONE = AccountExposure()
