"""Hours decide the side, quarters of an hour the moment: BTC is bought on a dip within a rise of four-hour bars.

    python -m examples.multi_timeframe

A bar of four hours is seen first at its close: until then the last closed one counts.
"""

from qmtl.sdk import Bars, Runner, Strategy, StreamInput, resample, signals
from qmtl.sdk import indicators as ta


class MultiTimeframe(Strategy):
    name = "multi-timeframe"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=96)
        hours = resample(price, "4h", partial="keep")
        rising = ta.ema(hours, 6) > ta.ema(hours, 18)
        strength = ta.rsi(price, 14)
        direction = signals.trend(rising * (strength < 40.0), rising * (strength > 70.0) + (rising < 0.5))
        self.trade(signals.position_target(direction, long=0.95, short=0.0), price)


def main() -> str:
    return str(Runner.backtest(MultiTimeframe(), Bars.sample("demo.btc.15m")))


if __name__ == "__main__":
    print(main())
