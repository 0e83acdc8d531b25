"""The symbol-properties table: which instruments are known by their symbol, at which venue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument


class Source(Enum):
    """Where the properties of an instrument are from."""

    VENUE = "VENUE"
    CONFIGURATION = "CONFIGURATION"
    TABLE = "TABLE"


class Instruments:
    """The symbol-properties table of one venue: what the venue lists; where it lists nothing, what the settings or the
    caller name, then what comes with the brokerage.

    Nothing is guessed: an unknown symbol stays unknown and its orders are denied by name. `venues` are the tables of
    the other venues, by name.
    """

    def __init__(
        self, known: Iterable[Instrument] = (), venue: str = "", venues: Mapping[str, Instruments] | None = None
    ) -> None:
        configured = {entry.symbol: entry for entry in known}
        self.venue = venue
        self._venues = {} if venues is None else venues
        self._configured = frozenset(configured)
        self._given = {entry.symbol: entry for entry in _TABLE} | configured
        self._listed: Mapping[str, Instrument] = {}

    def find(self, symbol: str) -> Instrument | None:
        """The properties of a symbol, if they are known."""
        return (self._listed or self._given).get(symbol)

    def at(self, venue: str) -> Instruments:
        """The table of a venue; this one where no other has the name."""
        return self if venue == self.venue else self._venues.get(venue, self)

    def anywhere(self, symbol: str) -> Instrument | None:
        """The properties of a symbol here, or where they are not known at the first venue that knows it, by name."""
        tables = (self, *(self._venues[name] for name in sorted(self._venues)))
        return next((found for table in tables if (found := table.find(symbol)) is not None), None)

    def learn(self, listed: Iterable[Instrument]) -> None:
        """From now on the venue's own list counts."""
        self._listed = {entry.symbol: entry for entry in listed}

    def listed(self) -> list[Instrument]:
        """All that are known, in order of symbol."""
        known = self._listed or self._given
        return [known[symbol] for symbol in sorted(known)]

    def source(self, symbol: str) -> Source:
        """Where the properties of a known symbol are from."""
        if symbol in self._listed:
            return Source.VENUE
        return Source.CONFIGURATION if symbol in self._configured else Source.TABLE


_TABLE = (
    instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO),
    instrument("ETH-USD", base="ETH", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO),
    instrument("AAPL", base="AAPL", quote="USD", calendar="XNAS"),
    instrument("AMZN", base="AMZN", quote="USD", calendar="XNAS"),
    instrument("NFLX", base="NFLX", quote="USD", calendar="XNAS"),
    instrument("NVDA", base="NVDA", quote="USD", calendar="XNAS"),
    instrument(
        "ES", base="ES", quote="USD", tick="0.25", multiplier="50", asset_class=AssetClass.FUTURE, calendar="CMES"
    ),
    instrument(
        "BTCUSDT",
        base="BTC",
        quote="USDT",
        lot="0.00001",
        asset_class=AssetClass.CRYPTO,
        notional_min="5",
        quantity_places=8,
    ),
    instrument("EURUSD", base="EUR", quote="USD", tick="0.00001", asset_class=AssetClass.FOREX),
)
