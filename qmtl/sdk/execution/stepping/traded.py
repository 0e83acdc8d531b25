"""What a local replay trades on: the bars of its rules, and the sentences of those that no target ever came for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from brokerage.domain.market.bars import BarColumns, bar_columns
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.volumes import volume_in_base
from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, timestamp_text, to_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.strategy.assembly import Assembled


def undecided(
    assembled: Assembled, data: Sequence[Bars], last_ns: Mapping[str, int], terms: AccountTerms
) -> Iterator[str]:
    """A sentence for each symbol that no target came for, with the bars that were there and those it takes."""
    bound, start_ns = bind(assembled.dag, data), to_ns(terms.start) if terms.start else None
    for rule in assembled.rules:
        last = last_ns.get(rule.command.node_id)
        if last is not None and (start_ns is None or last > start_ns):
            continue
        behind = build_dag([rule.command])
        counts = (
            f"{len(bound[source.node_id])} bars of {source.symbol} at {source.interval_s} s, "
            f"want {behind.warmup_of(source)} or more"
            for source in behind.sources
        )
        after = f" after {timestamp_text(terms.start)}" if terms.start else ""
        yield f"no target for {rule.symbol}{after}: {'; '.join(counts)}"


def columns_of(bars: Bars, instrument: Instrument) -> BarColumns:
    """Bars as the account meets them, volumes in the base currency."""
    opened, high, low, close, volumes = bars.values.T
    volume = volume_in_base(instrument, volumes, high, bars.volume_unit)
    return bar_columns(instrument, bars.open_ns, bars.interval_s * NS_PER_S, (opened, high, low, close, volume))


def traded_bars(assembled: Assembled, data: Sequence[Bars]) -> list[Bars]:
    """The bars by whose prices the trade rules of a strategy go."""
    bound = bind(assembled.dag, data)
    symbols = {rule.symbol: rule.price.interval_s for rule in assembled.rules}
    return [bars for bars in bound.values() if symbols.get(bars.symbol) == bars.interval_s]


def one_currency(quotes: set[str]) -> str:
    """The quote currency. Raises InvalidRequest (E_CURRENCIES) for several."""
    if len(quotes) != 1:
        raise refused("E_CURRENCIES", "symbols", ", ".join(sorted(quotes)), "one quote currency in a local backtest")
    return quotes.pop()
