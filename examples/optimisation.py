"""A search that does not fool itself: chosen on what came before, tested on what came after.

python -m examples.optimisation
"""

from datetime import timedelta

from qmtl.sdk import AccountTerms, Bars, Between, Runner, Strategy, StreamInput, WalkForward, instrument, signals
from qmtl.sdk import indicators as ta


class Averages(Strategy):
    name = "averages"

    def __init__(self, fast: int = 10, slow: int = 50) -> None:
        self.fast, self.slow = fast, slow

    def setup(self) -> None:
        price = StreamInput("NVDA", interval="1d", period=200)
        direction = signals.trend(ta.ema(price, self.fast), ta.ema(price, self.slow))
        self.trade(signals.position_target(direction, long=0.95, short=0.0), price)


def main(trials: int = 30, workers: int = 0) -> str:
    terms = AccountTerms(instruments=(instrument("NVDA", base="NVDA", quote="USD", calendar="XNAS"),))
    found = Runner.optimize(
        Averages,
        {"fast": Between(3, 30), "slow": Between(31, 120)},
        Bars.sample("demo.stocks.1d"),
        trials=trials,
        seed=1,
        walk_forward=WalkForward(folds=4, first=0.4, purge=timedelta(days=5)),
        terms=terms,
        workers=workers,
    )
    return str(found)


if __name__ == "__main__":
    print(main())
