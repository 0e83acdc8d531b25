"""Against the move: long where the RSI of BTC is low, short where it is high, each with a stop and a target.

    python -m examples.rsi_mean_reversion

Selling short needs a margin account; what the stop or the target closed stays closed until the signal changes.
"""

from brokerage.domain.models.profiles.generic import margin
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta


class RsiMeanReversion(Strategy):
    name = "rsi-mean-reversion"

    def __init__(self, low: float = 25.0, high: float = 75.0) -> None:
        self.low, self.high = low, high

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=96)
        strength = ta.rsi(price, 14)
        direction = signals.when(long=strength < self.low, short=strength > self.high)
        target = signals.position_target(direction, long=0.5, short=-0.5)
        self.trade(target, price, stop_loss="0.02", take_profit="0.03")


def main() -> str:
    result = Runner.backtest(RsiMeanReversion(), Bars.sample("demo.btc.15m"), terms=AccountTerms(profile=margin(2)))
    ended = result.trades.group_by("side", "ended_by").len().sort("side", "ended_by").rows()
    return "\n".join([str(result), *(f"{side} trades ended by {why}: {count}" for side, why, count in ended)])


if __name__ == "__main__":
    print(main())
