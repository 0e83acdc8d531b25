"""Long BTC while the fast average is above the slow one; flat otherwise. Bars: BTC-USD, 15 minutes."""

from qmtl.sdk import Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta


class EmaCross(Strategy):
    name = "ema-cross"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=192)
        fast = ta.ema(price, 48)
        slow = ta.ema(price, 192)
        direction = signals.cross(fast, slow)
        target = signals.position_target(direction, long=0.95, short=0.0)
        self.trade(target, price)


if __name__ == "__main__":
    print(Runner.submit(EmaCross(), world="demo", data="demo.btc.15m"))
