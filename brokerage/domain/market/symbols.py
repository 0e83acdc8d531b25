"""The symbol-properties table: which instruments are known by their symbol."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument


class Instruments:
    """The symbol-properties table: exact symbols first, then a wildcard by the shape of the symbol.

    A symbol written BASE-QUOTE or BASE/QUOTE with a known quote currency gets the crypto default; nothing else is
    guessed, so an unknown symbol stays unknown and its orders are denied by name.
    """

    def __init__(self, known: Iterable[Instrument] = ()) -> None:
        self._known = {entry.symbol: entry for entry in (*_TABLE, *known)}

    def find(self, symbol: str) -> Instrument | None:
        found = self._known.get(symbol)
        if found is None:
            found = _crypto_wildcard(symbol)
            if found is not None and len(self._known) < _KNOWN_MAX:
                self._known[symbol] = found
        return found


_KNOWN_MAX = 100_000
_CRYPTO_QUOTES = frozenset({"USD", "USDT", "USDC", "EUR", "BTC", "ETH"})
_TABLE = (
    instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO),
    instrument("AAPL", base="AAPL", quote="USD"),
    instrument("ES", base="ES", quote="USD", tick="0.25", multiplier="50", asset_class=AssetClass.FUTURE),
    instrument("BTCUSDT", base="BTC", quote="USDT", lot="0.00001", asset_class=AssetClass.CRYPTO, notional_min="5"),
    instrument("EURUSD", base="EUR", quote="USD", tick="0.00001", asset_class=AssetClass.FOREX),
)


def _crypto_wildcard(symbol: str) -> Instrument | None:
    base, separator, quote = symbol.replace("/", "-").partition("-")
    if not base or not separator or quote not in _CRYPTO_QUOTES or not base.isalnum():
        return None
    tick = "0.00000001" if quote in {"BTC", "ETH"} else "0.01"
    return instrument(symbol, base=base, quote=quote, tick=tick, lot="0.00000001", asset_class=AssetClass.CRYPTO)
