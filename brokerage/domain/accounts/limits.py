"""An account's own limits, as its owner sets them: values only; risk decides by them."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.orders.order import OVERLAY


@dataclass(frozen=True, slots=True)
class Budget:
    """The most gross exposure of a world, or of one strategy in it, in scaled base currency. `capital`: what its new
    orders are sized by; None: none is told.
    """

    world_id: str
    strategy_id: str
    gross_max: int
    capital: int | None = None


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Limits of one account; None: no limit. Amounts are in scaled base currency; `leverage_max` (gross / equity),
    `symbol_max` and `sector_max` (|net| / equity) are rates of 1e-8. A higher revision replaces a lower one.
    """

    revision: int = 0
    gross_max: int | None = None
    net_max: int | None = None
    leverage_max: int | None = None
    symbol_max: int | None = None
    sector_max: int | None = None
    budgets: tuple[Budget, ...] = ()

    @property
    def shared_out(self) -> bool:
        """Whether its capital is shared out: who has no budget then has no share."""
        return any(one.capital is not None for one in self.budgets)

    def budgets_of(self, world_id: str, strategy_id: str) -> tuple[Budget, ...]:
        """The budgets that bind a strategy in a world: its world's and its own; 0 for who was left out where capital is
        shared out among worlds, or a world's among its strategies. People's own orders are no strategy's, and a world's
        hedge has its own budget only.
        """
        mine = [one for one in self.budgets if one.world_id == world_id]
        if strategy_id == OVERLAY:
            own = tuple(one for one in mine if one.strategy_id == OVERLAY)
            return own or ((Budget(world_id, OVERLAY, 0, 0),) if self.shared_out else ())
        found = tuple(one for one in mine if one.strategy_id in ("", strategy_id))
        if not self.shared_out or world_id.startswith("@") or strategy_id.startswith("@"):
            return found
        known = {one.strategy_id for one in mine if one.capital is not None} - {OVERLAY}
        if "" not in known:
            return (*found, Budget(world_id, "", 0, 0))
        left_out = len(known) > 1 and strategy_id not in known
        return (*found, Budget(world_id, strategy_id, 0, 0)) if left_out else found

    @property
    def binds(self) -> bool:
        """Whether anything is limited."""
        amounts = (self.gross_max, self.net_max, self.leverage_max, self.symbol_max, self.sector_max)
        return bool(self.budgets) or amounts.count(None) < len(amounts)


NO_ACCOUNT_LIMITS = AccountLimits()
