"""What was booked, valued at closes: fills and payments of one owner, put through a ledger once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.backtest.timeline import Steps, Timeline
from brokerage.domain.backtest.valuation import EquityCurve
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.order import Side
from brokerage.domain.simulation.carry import Payment, book_payment
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import NotReady, refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.stats.trades import SplitStep


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill, and when it was booked by data time: the close of the bar that made it."""

    instrument: Instrument
    side: Side
    fill: Fill
    at_ns: int


@dataclass(frozen=True, slots=True)
class BookedEquity:
    """Equity at closes, scaled; at how many of them something was held, and how much of each symbol at every one."""

    times: Steps
    equity: npt.NDArray[np.int64]
    invested: int
    splits: tuple[SplitStep, ...] = ()
    held: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)


Entry = BookedFill | Payment


def booked_equity(timeline: Timeline, currency: str, cash: int, entries: Iterable[Entry]) -> BookedEquity:
    """Equity at each close: `cash` to begin with, then what was booked by it. `entries` of one symbol are in order;
    what was booked after the last close is left out.

    Raises NotReady (E_ACCOUNT_WITHOUT_BARS: there is no close), InvalidRequest (E_ACCOUNT_OTHER_DATA: a symbol was
    traded before its first bar, or has none, or its shares became others).
    """
    if not len(timeline):
        raise NotReady("E_ACCOUNT_WITHOUT_BARS", "the data session has no bar that the account has processed")
    ledger = Ledger(None)
    ledger.deposit(currency, cash)
    curve = EquityCurve(timeline, ledger, currency)
    ordered = sorted(entries, key=lambda entry: entry.at_ns)  # stable: feeds race each other, symbols do not
    steps = np.searchsorted(timeline.ends, [entry.at_ns for entry in ordered]).tolist()
    reached, fills, splits = 0, 0, list[SplitStep]()
    for step in sorted({0, *steps} - {len(timeline)}):
        while reached < len(ordered) and steps[reached] <= step:
            entry, reached = ordered[reached], reached + 1
            if isinstance(entry, BookedFill):
                _require_bar(entry, timeline, step)
                ledger.book(entry.instrument, entry.side, entry.fill)
                fills += 1
            else:
                _require_same_shares(entry)
                book_payment(lambda _: ledger, ledger, entry)
                splits += _split(ledger, entry, fills)
        curve.note(step)
    equity, invested = curve.between(0, len(timeline))
    return BookedEquity(timeline.ends, equity, invested, tuple(splits), curve.held(len(timeline)))


def _require_same_shares(payment: Payment) -> None:
    """Shares that became others, or cash, are valued by no bar of what was traded: their books are not computed yet."""
    if payment.conversion is not None:
        given = f"{payment.symbol} became other shares or cash at {timestamp_text(from_ns(payment.at_ns))}"
        raise refused("E_ACCOUNT_OTHER_DATA", "account", given, "no conversion of shares")


def _split(ledger: Ledger, payment: Payment, fills_before: int) -> Iterator[SplitStep]:
    if payment.split is not None:
        instrument, held = ledger.instruments[payment.symbol], ledger.position(payment.symbol).quantity
        shares, paid = instrument.quantity_decimal(held), from_scaled(payment.amount, currency_scale(payment.currency))
        yield SplitStep(payment.symbol, fills_before, payment.at_ns, payment.split[0], shares, paid)


def _require_bar(entry: BookedFill, timeline: Timeline, step: int) -> None:
    symbol = entry.instrument.symbol
    if symbol not in timeline.columns or timeline.newest(symbol, step) < 0:
        at = timestamp_text(from_ns(entry.at_ns))
        raise refused("E_ACCOUNT_OTHER_DATA", "account", f"{symbol} traded at {at}", "no trade before the first bar")
