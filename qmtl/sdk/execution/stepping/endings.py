"""Symbols that end during a local replay: delistings, and shares that become others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar, BarColumns
from brokerage.domain.models.corporate import CorporateAction, Delisting, Ending, ShareExchange, convert
from brokerage.domain.models.day_orders import opened_ns
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.simulation.carry import Payment
from brokerage.domain.simulation.corporate import conversion_of, waits_for
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.stats.trades import ConversionStep


class Endings:
    """The endings of the symbols that a run trades, in order of time, and what became of each.

    Raises InvalidRequest (E_FIELD) for one whose new shares the run does not trade: what is held would have no price;
    for bars that go on after their symbol has ended; and for two endings of one symbol.
    """

    def __init__(
        self, account: SimulatedAccount, actions: Iterable[CorporateAction], columns: Mapping[str, BarColumns]
    ) -> None:
        mine = (one for one in actions if isinstance(one, Ending) and one.symbol in columns)
        self._account = account
        self._to_come: list[Ending] = sorted(mine, key=lambda one: one.at_ns)
        self._waiting: list[ShareExchange] = []
        self._ended: list[Ending] = []
        for action in self._to_come:
            _require(account, action, columns)
        symbols = [action.symbol for action in self._to_come]
        if len(set(symbols)) < len(symbols):
            raise refused("E_FIELD", "actions", f"two endings of one of {', '.join(sorted(set(symbols)))}", "one")

    @property
    def any(self) -> bool:
        """Whether a symbol of the run ends at all."""
        return bool(self._to_come or self._waiting or self._ended)

    @property
    def waits(self) -> bool:
        """Whether something that has ended waits for the first price of what it becomes."""
        return bool(self._waiting)

    def next_ns(self) -> int | None:
        """When the next symbol ends; None: none does."""
        return self._to_come[0].at_ns if self._to_come else None

    def end(self, until_ns: int, fills: int) -> Iterator[tuple[list[OrderEvent], list[Payment], list[ConversionStep]]]:
        """End what ends by an instant, after so many fills of the run."""
        while self._to_come and self._to_come[0].at_ns <= until_ns:
            action = self._to_come.pop(0)
            self._ended.append(action)
            step = self._step(action, fills, 0)
            events, paid = self._account.end(action)
            if isinstance(action, ShareExchange) and waits_for(action):
                self._waiting.append(action)
            yield events, paid, step if paid else []

    def exchange(self, symbol: str, bar: Bar, fills: int) -> Iterator[tuple[list[Payment], list[ConversionStep]]]:
        """Give what waits for a symbol's first price, its open, for it."""
        opened = opened_ns(self._account.instrument(symbol), bar)
        for action in [one for one in self._waiting if one.into == symbol and one.at_ns <= opened]:
            self._waiting.remove(action)
            step = self._step(action, fills, bar.open)
            paid = self._account.exchange(action, bar.open)
            yield paid, step if paid else []

    def stuck(self) -> tuple[str, ...]:
        """What is still held of symbols that have ended, a sentence each."""
        return tuple(
            f"{format_decimal(held)} {action.symbol} cannot be sold: it trades no more since "
            f"{timestamp_text(from_ns(action.at_ns))}, and is valued at its last price"
            for action in self._ended
            if (held := self._account.position(action.symbol))
        )

    def _step(self, action: Ending, fills: int, price: int) -> list[ConversionStep]:
        """What an ending makes of what is held, for the round trips of the run; before it is booked."""
        account, instrument = self._account, self._account.instrument(action.symbol)
        name = waits_for(action)
        into = account.instrument(name) if name and price else None
        terms = None if name and not price else conversion_of(action, instrument, into, price)
        position = account.book.ledger.position(action.symbol)
        if terms is None or not position.quantity:
            return []
        made = convert(position, instrument, terms)
        received = into.quantity_decimal(made.quantity) if into is not None else instrument.quantity_decimal(0)
        cash = from_scaled(made.cash, currency_scale(instrument.quote))
        return [ConversionStep(action.symbol, fills, action.at_ns, name, received, cash, made.kept)]


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
