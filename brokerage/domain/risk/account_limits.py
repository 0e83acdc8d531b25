"""The rule on an account's own limits: gross, net, leverage, one symbol, one sector, and budgets of worlds.

They bind beside the limits of the settings and of a world's fence, and what only reduces passes. Positions count with
their open orders at their worst: gross is the sum over owners and symbols, so that one strategy's exit never breaks
another's limit; symbols and sectors are netted over strategies, because the venue holds them netted.
"""

from __future__ import annotations

from collections.abc import Callable

from brokerage.domain.money import RATE_ONE, RATE_SCALE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import OVERLAY, Order, Owner, SizedOrder
from brokerage.domain.risk.context import RiskContext, increases
from brokerage.domain.risk.exposure import Exposure
from qmtl.core.decimals import format_decimal, from_scaled

UNKNOWN_SECTOR = "?"
"""All instruments whose sector nobody told are one sector."""

Counts = Callable[[Owner, str], bool]


def account_limits(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """The first limit of its account that an order would break, were it and all that is open to fill."""
    limits = now.view.account_limits
    if not limits.binds or now.mark is None:
        return None
    together = now.reach(order, sized)
    if not increases(order.side, together, now.held):
        return None
    rules = _Rules(order, together, now)
    return (
        rules.amount("gross exposure of the account", "gross_max", limits.gross_max, gross=True)
        or rules.amount("net exposure of the account", "net_max", limits.net_max, gross=False)
        or rules.leverage(limits.leverage_max)
        or rules.symbol(limits.symbol_max)
        or rules.sector(limits.sector_max)
        or rules.budgets()
    )


class _Rules:
    """What parts of the account would come to with an order, against its limits."""

    def __init__(self, order: Order, together: int, now: RiskContext) -> None:
        self._order, self._now = order, now
        self._parts = now.view.exposures_with(order, together)  # valued once: most rules ask about all of them
        self._equity = max(now.view.equity(), 0)

    def amount(self, what: str, name: str, most: int | None, *, gross: bool) -> Refusal | None:
        """An amount of the whole account."""
        if most is None:
            return None
        total = self._part(lambda owner, symbol: True)
        if total is None:
            return self._unvalued(Denial.EXPOSURE_ABOVE_LIMIT, what)
        amount = total.gross if gross else total.net(self._order.side)
        return self._above(Denial.EXPOSURE_ABOVE_LIMIT, what, amount, f"{name} {self._money(most)}", amount > most)

    def leverage(self, most: int | None) -> Refusal | None:
        """Gross exposure of the account over its equity."""
        what = "gross exposure of the account"
        return self._share(
            Denial.LEVERAGE_ABOVE_LIMIT, what, "leverage_max", most, lambda owner, symbol: True, net=False
        )

    def symbol(self, most: int | None) -> Refusal | None:
        """Net exposure in the order's symbol over equity."""
        own = self._order.symbol
        what = f"net exposure in {own}"
        return self._share(
            Denial.CONCENTRATION_ABOVE_LIMIT, what, "symbol_max", most, lambda owner, symbol: symbol == own
        )

    def sector(self, most: int | None) -> Refusal | None:
        """Net exposure in the sector of the order's instrument over equity."""
        own = self._sector(self._order.symbol)
        what = f"net exposure in sector {own}"
        return self._share(
            Denial.CONCENTRATION_ABOVE_LIMIT,
            what,
            "sector_max",
            most,
            lambda owner, symbol: self._sector(symbol) == own,
        )

    def budgets(self) -> Refusal | None:
        """Gross exposure of the order's world and strategy, each against its budget."""
        world, strategy = self._order.owner.world_id, self._order.owner.strategy_id
        for budget in self._now.view.account_limits.budgets_of(world, strategy):
            whole = not budget.strategy_id
            what = f"gross exposure of world {world}" + ("" if whole else f", strategy {strategy}")
            part = self._part(self._of_world if whole else self._of_strategy)
            if part is None:
                return self._unvalued(Denial.BUDGET_ABOVE_LIMIT, what)
            limit = f"its budget {self._money(budget.gross_max)}"
            refused = self._above(Denial.BUDGET_ABOVE_LIMIT, what, part.gross, limit, part.gross > budget.gross_max)
            if refused is not None:
                return refused
        return None

    def _of_world(self, owner: Owner, symbol: str) -> bool:
        return owner.world_id == self._order.owner.world_id and owner.strategy_id != OVERLAY

    def _of_strategy(self, owner: Owner, symbol: str) -> bool:
        return owner == self._order.owner

    def _share(
        self, denial: Denial, what: str, name: str, most: int | None, counts: Counts, *, net: bool = True
    ) -> Refusal | None:
        if most is None:
            return None
        part, equity = self._part(counts), self._equity
        if part is None:
            return self._unvalued(denial, what)
        amount = part.net(self._order.side) if net else part.gross
        share = format_decimal(from_scaled(most, RATE_SCALE))
        limit = f"{name} {share} times the equity {self._money(equity)}"
        return self._above(denial, what, amount, limit, amount * RATE_ONE > most * equity)

    def _part(self, counts: Counts) -> Exposure | None:
        """Exposure of the owners and symbols that count. None: a part of it cannot be valued."""
        gross = long = short = 0
        for owner, symbol, part in self._parts:
            if counts(owner, symbol):
                if part is None:
                    return None
                gross, long, short = gross + part.gross, long + part.long, short + part.short
        return Exposure(gross, long, short)

    def _sector(self, symbol: str) -> str:
        found = self._now.view.instruments.find(symbol)
        return (found.sector if found is not None else "") or UNKNOWN_SECTOR

    def _above(self, denial: Denial, what: str, amount: int, limit: str, broken: bool) -> Refusal | None:
        return Refusal(denial, f"{what} {self._money(amount)} would be above {limit}") if broken else None

    def _unvalued(self, denial: Denial, what: str) -> Refusal:
        base = self._now.view.base_currency
        return Refusal(denial, f"{what}: a part cannot be valued in {base}, so it counts as above every limit")

    def _money(self, amount: int) -> str:
        return self._now.base_money(amount)
