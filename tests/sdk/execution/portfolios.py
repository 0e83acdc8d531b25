"""A strategy of several symbols whose targets a test says, on one simulated account whose prices stand still."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import bar_from_doubles
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.profile import BrokerageProfile
from qmtl.sdk import Sizing, Strategy, StreamInput, signals
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.port import DeniedOrder, LimitOrder, MarketOrder, OrderReply, Request, Submit, Weights, conclude
from qmtl.sdk.execution.simulated import TAKEN, SimulatedExecution
from qmtl.sdk.strategy.assembly import assemble

BAR_NS = 900 * 10**9
CASH = Decimal(100_000)


class Holding(Strategy):
    """Holds a target of each symbol."""

    def __init__(self, symbols: Sequence[str], sizing: Sizing, options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._symbols, self._sizing, self._options = symbols, sizing, options or {}

    def setup(self) -> None:
        for symbol in self._symbols:
            price = StreamInput(symbol)
            self.trade(signals.position_target(price, long=1.0), price, sizing=self._sizing, **self._options)


class Portfolio:
    """One account, bar by bar. `prices` may be changed between bars; commands come in the order of `targets`."""

    def __init__(
        self,
        profile: BrokerageProfile,
        instruments: Sequence[Instrument],
        prices: Mapping[str, float],
        sizing: Sizing = Sizing.EQUITY_FRACTION,
        cash: Decimal = CASH,
        options: Mapping[str, Any] | None = None,
        beside: Portfolio | None = None,
        version: int = 0,
    ) -> None:
        """`beside`: trades on the account of another, whose bars go on from its own, as another version."""
        self.prices = dict(prices)
        own = SimulatedAccount(profile, {"USD": cash}, instruments=instruments)
        self.account: SimulatedAccount = beside.account if beside else own
        self.gate: Callable[[MarketOrder | LimitOrder], OrderReply | None] = lambda order: None
        self.on_worked: Callable[[str], None] = lambda name: None
        self._clock: Iterator[int] = beside._clock if beside else count()
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        assembled = assemble(Holding(tuple(prices), sizing, options))
        self.logic = DecisionLogic(assembled, version=version)
        self._nodes = {rule.symbol: rule.command.node_id for rule in assembled.rules}
        self._execution = SimulatedExecution(self.account, "USD", lambda events: None)
        self.denials: list[DeniedOrder] = []
        self.orders = 0
        self.bars = 0

    def play(self, targets: Mapping[str, float], bars: int = 6, volume: float = 1e12) -> None:
        """Bars with these targets; each target is decided on at every close."""
        for _ in range(bars):
            self.bar(volume)
            commands = [
                Command(self._nodes[symbol], self.bars * BAR_NS, target, self.prices[symbol])
                for symbol, target in targets.items()
            ]
            self.denials += conclude(self.logic.decide(commands), self._answer)

    def bar(self, volume: float = 1e12) -> None:
        """The next bar of each symbol."""
        start_ns = next(self._clock) * BAR_NS
        for symbol, price in sorted(self.prices.items()):
            ohlcv = (price, price, price, price, volume)
            self.account.on_bar(symbol, bar_from_doubles(self._instruments[symbol], start_ns, BAR_NS, ohlcv))
        self.bars = start_ns // BAR_NS + 1

    def _answer(self, request: Request[Any]) -> object:
        if not isinstance(request, Submit):
            return self._execution.answer(request)
        reply = self.gate(request.order) or self._execution.answer(request)
        if reply == TAKEN:
            self.on_worked(request.order.client_order_id)
        return reply

    def weigh(self, weight: Decimal) -> None:
        """The weight of both sides from now on, at the gate and for the strategy."""
        self._execution.weight = int(weight.scaleb(8))
        self.logic.weigh(Weights(weight, weight))

    @property
    def equity(self) -> Decimal:
        return self.account.equity("USD")

    def lots_off(self, symbol: str, target: float) -> Decimal:
        """How many lots the position is away from the target at the equity of now."""
        return self.off(symbol, target) / self.lot_value(symbol)

    def off(self, symbol: str, target: float) -> Decimal:
        """How much money the position is away from the target at the equity of now."""
        held = self.account.position(symbol) * Decimal(repr(self.prices[symbol]))
        return abs(held - Decimal(repr(target)) * self.equity)

    def lot_value(self, symbol: str) -> Decimal:
        """What one lot costs."""
        return self.account.lot(symbol) * Decimal(repr(self.prices[symbol]))
