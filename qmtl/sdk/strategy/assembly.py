"""A strategy set up once and checked: its graph and trade rules.

The same assembled strategy goes to a local backtest, a submission or a live session unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.core.errors import refused
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.strategy.features import PublishRule
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.sdk.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A strategy that is set up and checked."""

    strategy: Strategy
    name: str
    dag: Dag
    rules: tuple[TradeRule | QuoteRule, ...]
    published: tuple[PublishRule, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether commands are made at every close in step with an account: nodes read what it holds, or it quotes."""
        return bool(self.dag.on_state) or any(isinstance(rule, QuoteRule) for rule in self.rules)


def assemble(strategy: Strategy) -> Assembled:
    """Set a strategy up and check its graph. Raises as build_dag; E_SETUP_TWICE for a used instance."""
    if not isinstance(strategy, Strategy):
        shown = f"the class {strategy.__name__}" if isinstance(strategy, type) else type(strategy).__name__
        raise refused("E_FIELD", "strategy", shown, "an instance of a subclass of Strategy, such as MyStrategy()")
    if strategy.built_nodes:
        raise refused("E_SETUP_TWICE", "strategy", type(strategy).__name__, "a new instance for each run")
    strategy.setup()
    dag, rules = build_dag(strategy.built_nodes), strategy.trade_rules
    traded = {(rule.symbol, rule.price.interval_s) for rule in rules}
    for vertex in dag.nodes:
        if isinstance(vertex, PositionState) and (vertex.symbol, vertex.interval_s) not in traded:
            want = "bars that the strategy trades on: self.trade(target, price) with the same symbol and interval"
            raise refused("E_FIELD", "position", f"{vertex.symbol} at {vertex.interval_s} s", want)
    name = strategy.name or type(strategy).__name__
    return Assembled(strategy, name, dag, rules, strategy.publish_rules)
