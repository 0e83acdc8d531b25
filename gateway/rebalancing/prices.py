"""Prices and ticks that limits are made from: an account's own marks, asked again when they are a second old."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.peers import Peers
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.core.clock import Clock

FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Price:
    """A mark, the steps of prices and quantities, and the decimal places that quantities are kept at. `ended`: it is of
    a session on paper that brings no more bars.
    """

    mark: Decimal
    tick: Decimal
    lot: Decimal
    places: int
    ended: bool = False


@dataclass(slots=True)
class Prices:
    """Of one account at one venue."""

    account: str
    venue: str
    peers: Peers
    clock: Clock
    _marks: dict[str, tuple[Decimal, bool]] = field(default_factory=dict)
    _instruments: dict[str, instrumentpb.Instrument] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def forget(self) -> None:
        """A limit made from these marks was not met: the next one is made from new ones."""
        self._read_at = float("-inf")

    async def of(self, symbol: str) -> Price | None:
        """None: no price is known. Raises NotFound (E_INSTRUMENT_UNKNOWN), Unavailable."""
        async with self._reading:  # who comes meanwhile has what one of them has read
            now = self.clock.monotonic()
            if now - self._read_at > FRESH_S:
                request = portfolioservicepb.GetPortfolioRequest(account=self.account)
                found = (await self.peers.portfolios.GetPortfolio(request)).portfolio
                self._marks = {each.symbol: (Decimal(each.price), each.ended) for each in found.marks}
                self._read_at = now
        if symbol not in self._instruments:
            asked = instrumentservicepb.GetInstrumentRequest(venue=self.venue, symbol=symbol)
            self._instruments[symbol] = (await self.peers.instruments.GetInstrument(asked)).instrument
        if symbol not in self._marks:
            return None
        (mark, ended), known = self._marks[symbol], self._instruments[symbol]
        return Price(mark, Decimal(known.tick), Decimal(known.lot), known.quantity_places, ended)
