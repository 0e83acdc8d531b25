"""The symbol-properties table: which instruments are known by their symbol."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument


class Instruments:
    """The symbol-properties table: what the settings or the caller name, then what comes with the brokerage.

    Nothing is guessed: an unknown symbol stays unknown and its orders are denied by name.
    """

    def __init__(self, known: Iterable[Instrument] = ()) -> None:
        configured = {entry.symbol: entry for entry in known}
        self._configured = frozenset(configured)
        self._known = {entry.symbol: entry for entry in _TABLE} | configured

    def find(self, symbol: str) -> Instrument | None:
        """The properties of a symbol, if they are known."""
        return self._known.get(symbol)

    def listed(self) -> list[Instrument]:
        """All that are known, in order of symbol."""
        return [self._known[symbol] for symbol in sorted(self._known)]

    def is_configured(self, symbol: str) -> bool:
        """Whether the settings or the caller name a symbol."""
        return symbol in self._configured


_TABLE = (
    instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO),
    instrument("ETH-USD", base="ETH", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO),
    instrument("AAPL", base="AAPL", quote="USD", calendar="XNAS"),
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
