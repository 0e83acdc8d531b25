"""What companies do to the shares of an account while bars are shown to it: splits, dividends, and symbols that end."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar, BarColumns
from brokerage.domain.models.corporate import (
    CorporateAction,
    Delisting,
    Dividend,
    Ending,
    Expiry,
    ShareExchange,
    Split,
    convert,
    ending_of,
)
from brokerage.domain.models.day_orders import opened_ns
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.simulation.carry import Payment
from brokerage.domain.simulation.corporate import acted_before, conversion_of, waits_for
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.stats.trades import ConversionStep, ShareStep, SplitStep


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action did: to orders, to the cash, and to what is held, for the round trips."""

    action: CorporateAction
    events: tuple[OrderEvent, ...]
    payments: tuple[Payment, ...]
    steps: tuple[ShareStep, ...]


class CorporateActions:
    """The actions in the symbols that an account trades, in order of time, and what became of each.

    An instrument that ends by itself does so too, where no action says how. A split or a dividend acts before the first
    bar that opens at or after its time; a symbol ends at the first bar of any that opens or closes at or after its
    time, and becomes other shares at the first open of those.

    Raises InvalidRequest (E_FIELD) for an ending whose new shares are not traded: what is held would have no price; for
    bars that go on after their symbol has ended; and for two endings of one symbol.
    """

    def __init__(
        self, account: SimulatedAccount, actions: Iterable[CorporateAction], columns: Mapping[str, BarColumns]
    ) -> None:
        told = [one for one in actions if one.symbol in columns]
        named = {one.symbol for one in told if isinstance(one, Ending)}
        ends = (ending_of(each.instrument) for symbol, each in columns.items() if symbol not in named)
        mine = sorted([*told, *(one for one in ends if one is not None)], key=lambda one: one.at_ns)
        self._account = account
        self._acting: dict[str, deque[Split | Dividend]] = {}
        for one in mine:
            if not isinstance(one, Ending):
                self._acting.setdefault(one.symbol, deque()).append(one)
        self._to_come: list[Ending] = [one for one in mine if isinstance(one, Ending)]
        self._waiting: list[ShareExchange] = []
        self._ended: list[Ending] = []
        for action in self._to_come:
            _require(account, action, columns)
        symbols = [action.symbol for action in self._to_come]
        if len(set(symbols)) < len(symbols):
            raise refused("E_FIELD", "actions", f"two endings of one of {', '.join(sorted(set(symbols)))}", "one")
        account.view.endings.update({action.symbol: action.at_ns for action in self._to_come})
        self.any = bool(mine)

    @property
    def waits(self) -> bool:
        """Whether something that has ended waits for the first price of what it becomes."""
        return bool(self._waiting)

    def next_ns(self) -> int | None:
        """When the next action is; None: none is to come."""
        firsts = [waiting[0].at_ns for waiting in self._acting.values() if waiting]
        return min([*firsts, *(action.at_ns for action in self._to_come[:1])], default=None)

    def end(self, until_ns: int, fills: int) -> Iterator[ActionResult]:
        """End the symbols that trade no more from an instant on, after so many fills."""
        while self._to_come and self._to_come[0].at_ns <= until_ns:
            action = self._to_come.pop(0)
            self._ended.append(action)
            steps = self._converted(action, fills, 0)
            events, paid = self._account.end(action)
            if isinstance(action, ShareExchange) and waits_for(action):
                self._waiting.append(action)
            yield ActionResult(action, tuple(events), tuple(paid), steps if paid else ())

    def before(self, symbol: str, bar: Bar, fills: int) -> Iterator[ActionResult]:
        """Apply what came before the open of a bar of a symbol, after so many fills: shares that become its own, then
        what its company did.
        """
        if self._waiting:
            yield from self._exchanged(symbol, bar, fills)
        waiting = self._acting.get(symbol)
        if not waiting:
            return
        for action in acted_before(self._account.instrument(symbol), bar, waiting):
            waiting.popleft()
            held = self._account.position(symbol)
            events, paid = self._account.act(action, bar.open)
            steps = [self._split(action, fills, paid)] if isinstance(action, Split) and held else []
            yield ActionResult(action, tuple(events), tuple(paid), tuple(steps))

    def _exchanged(self, symbol: str, bar: Bar, fills: int) -> Iterator[ActionResult]:
        """Give what waits for a symbol's first price, its open, for it."""
        opened = opened_ns(self._account.instrument(symbol), bar)
        for action in [one for one in self._waiting if one.into == symbol and one.at_ns <= opened]:
            self._waiting.remove(action)
            steps = self._converted(action, fills, bar.open)
            paid = self._account.exchange(action, bar.open)
            yield ActionResult(action, (), tuple(paid), steps if paid else ())

    def stuck(self) -> tuple[str, ...]:
        """What is still held of symbols that have ended, a sentence each."""
        return tuple(
            f"{format_decimal(held)} {action.symbol} cannot be sold: it trades no more since "
            f"{timestamp_text(from_ns(action.at_ns))}, and is valued at its last price"
            for action in self._ended
            if (held := self._account.position(action.symbol))
        )

    def _split(self, action: Split, fills: int, paid: Iterable[Payment]) -> SplitStep:
        """What a split made of what is held, for the round trips; after it was booked."""
        symbol, cash = action.symbol, sum(payment.amount for payment in paid)
        held, quote = self._account.position(symbol), self._account.instrument(symbol).quote
        return SplitStep(symbol, fills, action.at_ns, action.ratio, held, from_scaled(cash, currency_scale(quote)))

    def _converted(self, action: Ending, fills: int, price: int) -> tuple[ConversionStep, ...]:
        """What an ending makes of what is held, for the round trips; before it is booked."""
        account, instrument = self._account, self._account.instrument(action.symbol)
        name = waits_for(action)
        into = account.instrument(name) if name and price else None
        mark = account.view.marks.get(action.symbol)
        last = mark.price if mark and isinstance(action, Expiry) else price
        terms = None if name and not price else conversion_of(action, instrument, into, last)
        position = account.book.ledger.position(action.symbol)
        if terms is None or not position.quantity:
            return ()
        made = convert(position, instrument, terms)
        received = into.quantity_decimal(made.quantity) if into is not None else instrument.quantity_decimal(0)
        value = made.cash + (position.cost if instrument.pays_profit_only else 0)
        cash = from_scaled(value, currency_scale(instrument.quote))
        return (ConversionStep(action.symbol, fills, action.at_ns, name, received, cash, made.kept, terms.ratio),)


def _require(account: SimulatedAccount, action: Ending, columns: Mapping[str, BarColumns]) -> None:
    into, of = waits_for(action), f"actions of {action.symbol}"
    if into == action.symbol or (into and into not in columns):
        raise refused("E_FIELD", of, f"shares of {into}", f"a symbol that the strategy trades: {_names(columns)}")
    conversion_of(action, account.instrument(action.symbol), account.instrument(into) if into else None)
    if isinstance(action, ShareExchange) and (action.ratio < 0 or action.cash < 0 or not (action.ratio or action.cash)):
        raise refused("E_FIELD", of, f"ratio {action.ratio}, cash {action.cash}", "0 or more, and one of them above 0")
    if isinstance(action, Delisting) and action.price is not None and action.price < 0:
        raise refused("E_FIELD", of, f"price {action.price}", "0 or more, or none")
    last_ns = int(columns[action.symbol].start_ns[-1]) if len(columns[action.symbol].start_ns) else action.at_ns - 1
    if last_ns >= action.at_ns:
        raise refused(
            "E_FIELD",
            of,
            f"ends at {timestamp_text(from_ns(action.at_ns))}",
            f"an instant after the start of its last bar, {timestamp_text(from_ns(last_ns))}",
        )


def _names(columns: Collection[str]) -> str:
    return ", ".join(sorted(columns))
