"""A market maker: quotes on both sides of a short average of BTC, leaning against what it holds.

    python -m examples.market_maker

Bars are a poor stage for it: a quote fills only where the next bar's range reaches it, the queue before it is not
known, and within a bar the price has come to it from the side that hurts.
"""

from collections import Counter

from brokerage.domain.models.profiles.generic import margin
from qmtl.sdk import AccountTerms, Bars, OrderState, OrderUpdate, Runner, Strategy, StreamInput, nodesets, signals
from qmtl.sdk import indicators as ta


class MarketMaker(Strategy):
    name = "market-maker"

    def __init__(self, half_spread: float = 0.003, size: float = 0.1, skew: str = "1") -> None:
        self.half_spread, self.size, self.skew = half_spread, size, skew
        self.heard: Counter[OrderState] = Counter()

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=96)
        # the spread widens with the range of the last bars, and is never below its least
        range_share = ta.atr(price, 14) / price
        wide = range_share * 0.5 + self.half_spread
        intent = signals.quote_intent(ta.ema(price, 4), wide, self.size)
        self.quote(intent, price, inventory_max="0.5", skew=self.skew)

    def on_order(self, update: OrderUpdate) -> None:
        self.heard[update.state] += 1


class AttachedMaker(Strategy):
    """The same kind of strategy by its node set, with a spread that does not change."""

    name = "attached-maker"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=96)
        fair = ta.ema(price, 4)
        self.add_nodes(nodesets.attach("market_maker", fair, price, half_spread=0.004, size=0.1, inventory_max="0.5"))


def main(bars: Bars | None = None) -> str:
    strategy = MarketMaker()
    terms = AccountTerms(profile=margin(2, "0.0001"))
    result = Runner.backtest(strategy, bars or Bars.sample("demo.btc.15m"), terms=terms)
    held, most = 0.0, 0.0
    for fill in result.replay.fills:
        held += float(fill.quantity)
        most = max(most, abs(held))
    told = ", ".join(f"{strategy.heard[state]:,} {state.value}" for state in OrderState if strategy.heard[state])
    return f"{result}\nquotes: {told}\nlargest inventory: {most:.3f} of 0.5 BTC"


if __name__ == "__main__":
    print(main())
