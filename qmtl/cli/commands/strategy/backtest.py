"""`qmtl backtest`: a strategy in a file over bars in files, here and now, without a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.instrument import Instrument, instrument
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.published import calendar_named
from qmtl.cli.options import with_options
from qmtl.cli.projects.loading import load_strategy
from qmtl.cli.show.formats import money
from qmtl.cli.show.tables import show_table
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import NotFound, refused
from qmtl.core.instants import from_ns
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.files import SAMPLES
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.vertices import StreamInput
from qmtl.sdk.reports.trade_frame import TradeRow
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy.assembly import assemble

TRADE_COLUMNS = ("symbol", "quantity", "entry", "at", "exit", "at", "net", "bars", "ended by")
Place = Annotated[
    str, typer.Argument(metavar="FILE[:CLASS]", help="path/to/strategy.py, or path/to/strategy.py:Class.")
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="FILE|SYMBOL=FILE|PRESET",
        help="CSV or Parquet with time, open, high, low, close, volume; or a sample, as demo.btc.15m. Repeatable.",
    ),
]
Zone = Annotated[str, typer.Option("--zone", help="Zone of times without one, such as UTC or Europe/Berlin.")]
Cash = Annotated[str, typer.Option("--cash", help="Money that it begins with, exact.")]
Profile = Annotated[str, typer.Option("--profile", help="Brokerage profile by name; empty: spot, 0.1 % fee.")]
Quote = Annotated[
    str, typer.Option("--quote", help="Currency of symbols that the library does not know by name, such as USD.")
]
Tick = Annotated[str, typer.Option("--tick", help="Their smallest price step; empty: 0.01.")]
Lot = Annotated[str, typer.Option("--lot", help="Their smallest quantity; empty: 1.")]
Calendar = Annotated[
    str,
    typer.Option("--calendar", help="Exchange of those symbols, such as XNYS, or 24/7: ratios are of its sessions."),
]
ALWAYS = AlwaysOpen().name


@dataclass(frozen=True, slots=True)
class Setting:
    """Over which bars a local run goes, and in which account."""

    data: Data = None
    zone: Zone = ""
    cash: Cash = "100000"
    profile: Profile = ""
    quote: Quote = ""
    tick: Tick = ""
    lot: Lot = ""
    calendar: Calendar = ""

    def bars(self, sources: Sequence[StreamInput]) -> list[Bars]:
        """Bars for a graph's sources. Raises as bars_for."""
        return bars_for(sources, self.data or [], self.zone, self.calendar)

    def terms(self, bars: Sequence[Bars]) -> AccountTerms:
        """The account. Raises as terms_of."""
        unknown = NewSymbols(self.quote, self.tick, self.lot, self.calendar)
        return terms_of(bars, self.cash, self.profile, unknown)


@with_options(Setting)
def backtest(
    setting: Setting,
    place: Place,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a tear sheet into this file.")] = None,
    trades: Annotated[bool, typer.Option("--trades", help="Also print every trade; result.trades has more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Run a strategy over history without a mesh: what was denied, numbers, trades; not authoritative."""
    kind = load_strategy(place)
    bars = setting.bars(assemble(kind()).dag.sources)
    result = Runner.backtest(kind(), bars, terms=setting.terms(bars))
    typer.echo(result.to_json() if as_json else str(result))
    if trades and not as_json:
        show_table("trades, times in UTC", TRADE_COLUMNS, map(_trade_cells, result.trade_rows))
    if html is not None:
        typer.echo(f"tear sheet: {result.tearsheet(html)}", err=as_json)


def _trade_cells(row: TradeRow) -> tuple[str, ...]:
    trade = row.trade
    entry, exit_ = (f"{from_ns(at):%Y-%m-%d %H:%M}" for at in (trade.entry_ns, trade.exit_ns))
    prices = format_decimal(trade.entry_price), format_decimal(trade.exit_price)
    held = format_decimal(trade.quantity)
    return trade.symbol, held, entry, prices[0], exit_, prices[1], money(trade.net), str(row.bars_held), row.ended_by


@dataclass(frozen=True, slots=True)
class NewSymbols:
    """What options say of symbols that the library does not know by name; empty: not given."""

    quote: str = ""
    tick: str = ""
    lot: str = ""
    calendar: str = ""

    def given(self) -> dict[str, str]:
        """Those given, by their names."""
        return {name: text for name, text in asdict(self).items() if text}

    def instrument(self, symbol: str) -> Instrument:
        """The properties of one. Raises NotFound (E_INSTRUMENT_UNKNOWN) without its currency."""
        if not self.quote:
            hint = "--quote USD; and --tick, --lot, --calendar XNYS where they are not 0.01, 1 and around the clock"
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"no properties of {symbol} are known", hint=hint)
        calendar = "" if self.calendar == ALWAYS else self.calendar
        tick, lot = self.tick or "0.01", self.lot or "1"
        return instrument(symbol, base=symbol, quote=self.quote, tick=tick, lot=lot, calendar=calendar)


def terms_of(bars: Sequence[Bars], cash: str, profile: str, unknown: NewSymbols) -> AccountTerms:
    """The account that options describe.

    Raises NotFound (E_INSTRUMENT_UNKNOWN) for a symbol not known without its currency; InvalidRequest (E_FIELD: nothing
    takes what is said of unknown symbols; E_PROFILE_UNKNOWN, E_CALENDAR_UNKNOWN).
    """
    calendar_named(unknown.calendar or ALWAYS)
    terms = AccountTerms(cash=parse_decimal(cash, "cash"), profile=profile or None)
    known = SimulatedAccount(terms.brokerage, {}).view.instruments
    new = [symbol for symbol in sorted({each.symbol for each in bars}) if known.find(symbol) is None]
    if not new and (given := unknown.given()):
        want = "none: every symbol is known by its name"
        raise refused("E_FIELD", ", ".join(given), ", ".join(given.values()), want)
    return replace(terms, instruments=tuple(unknown.instrument(symbol) for symbol in new))


def bars_for(sources: Sequence[StreamInput], given: Sequence[str], zone: str, calendar: str = "") -> list[Bars]:
    """Bars for a graph's sources: those of the files and samples that are named, else the samples of its symbols.

    Raises NotFound (E_DATA_MISSING); InvalidRequest (E_FIELD) where the symbol of a file is not said and not the only
    one; and what Bars raises.
    """
    symbols = sorted({source.symbol for source in sources})
    if not given:
        found = [name for name, (_, symbol, _) in SAMPLES.items() if symbol in symbols]
        if not found:
            hint = "--data FILE"
            raise NotFound("E_DATA_MISSING", f"no sample of {', '.join(symbols)} comes with this", hint=hint)
        return [Bars.sample(name) for name in found]
    return [_bars(one, symbols, zone, calendar) for one in given]


def _bars(given: str, symbols: Sequence[str], zone: str, calendar: str) -> Bars:
    if given in SAMPLES:
        return Bars.sample(given)
    symbol, equals, path = given.rpartition("=")
    if not equals and len(symbols) != 1:
        raise refused("E_FIELD", "data", given, f"SYMBOL=FILE, as the strategy reads {', '.join(symbols)}")
    return Bars.from_csv(path, symbol or symbols[0], zone=zone, calendar=calendar or ALWAYS)
