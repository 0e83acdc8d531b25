"""Long BTC while price is above a slow average that itself is rising fast enough. Shares the source and the slow
average with ema_cross.py: submitted to the same world, those two nodes are computed once.
"""

from qmtl.sdk import CacheView, Runner, Strategy, StreamInput, node, signals
from qmtl.sdk import indicators as ta


@node(period=16)
def slope(view: CacheView) -> float:
    """Change of the average over the last 15 bars, as a fraction."""
    average = view["average"].window(16)
    return float(average[-1] / average[0] - 1.0)


class EmaTrend(Strategy):
    name = "ema-trend"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=192)
        slow = ta.ema(price, 192)
        rising = slope(average=slow)
        direction = signals.threshold(rising, above=0.002, below=0.0)
        target = signals.position_target(direction, long=0.95, short=0.0)
        self.trade(target, price)


if __name__ == "__main__":
    print(Runner.submit(EmaTrend(), world="demo", data="demo.btc.15m"))
