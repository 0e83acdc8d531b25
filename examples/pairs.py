"""Two stocks against each other: short the one that ran ahead, long the one that fell behind, until they meet again.

python -m examples.pairs
"""

from brokerage.domain.models.profiles.generic import margin
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, StreamInput, instrument, signals
from qmtl.sdk import indicators as ta


class Pairs(Strategy):
    name = "pairs"

    def __init__(self, days: int = 40, entry: float = 1.5, weight: float = 0.4) -> None:
        self.days, self.entry, self.weight = days, entry, weight

    def setup(self) -> None:
        amazon, netflix = (StreamInput(symbol, interval="1d", period=self.days) for symbol in ("AMZN", "NFLX"))
        apart = ta.zscore(amazon / netflix, self.days)
        direction = signals.when(long=apart < -self.entry, short=apart > self.entry)
        self.trade(signals.position_target(direction, long=self.weight, short=-self.weight, hold=False), amazon)
        self.trade(signals.position_target(direction, long=-self.weight, short=self.weight, hold=False), netflix)


def main() -> str:
    stocks = tuple(instrument(symbol, base=symbol, quote="USD", calendar="XNYS") for symbol in ("AMZN", "NFLX"))
    terms = AccountTerms(profile=margin(2), instruments=stocks)
    return str(Runner.backtest(Pairs(), [Bars.sample("demo.amzn.1d"), Bars.sample("demo.nflx.1d")], terms=terms))


if __name__ == "__main__":
    print(main())
