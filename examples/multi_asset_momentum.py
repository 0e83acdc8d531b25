"""The strongest of three stocks, by its return of 60 days, while that is above zero; else cash.

    python -m examples.multi_asset_momentum

All targets of a day are one decision: what is sold pays for what is bought, in whatever order the symbols come.
`make demo` submits it to a world of its own.
"""

from qmtl.sdk import Bars, CacheView, Runner, Strategy, StreamInput, node, signals
from qmtl.sdk import indicators as ta

STOCKS = {"NVDA": "demo.stocks.1d", "AMZN": "demo.amzn.1d", "NFLX": "demo.nflx.1d"}


@node(period=1)
def lead(view: CacheView) -> float:
    """How far a stock's momentum is above zero and above that of all others."""
    others = max(view["second"].latest, view["third"].latest, 0.0)
    return view["own"].latest - others


class MultiAssetMomentum(Strategy):
    name = "multi-asset-momentum"

    def __init__(self, days: int = 60) -> None:
        self.days = days

    def setup(self) -> None:
        prices = {symbol: StreamInput(symbol, interval="1d", period=self.days + 1) for symbol in STOCKS}
        momentum = {symbol: ta.returns(price, self.days) for symbol, price in prices.items()}
        for symbol, price in prices.items():
            second, third = (each for other, each in momentum.items() if other != symbol)
            ahead = signals.threshold(lead(own=momentum[symbol], second=second, third=third), above=0.0, below=0.0)
            self.trade(signals.position_target(ahead, long=0.95, short=0.0), price)


def main() -> str:
    return str(Runner.backtest(MultiAssetMomentum(), [Bars.sample(name) for name in STOCKS.values()]))


if __name__ == "__main__":
    print(main())
