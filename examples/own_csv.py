"""Bars of a file of one's own: what it says is taken, what it leaves open is asked for, what is wrong is refused.

    python -m examples.own_csv [FILE SYMBOL ZONE CALENDAR]

Without a file it writes one first, as a broker in New York might: local times, no zone, capital letters.
"""

import math
import sys
import tempfile
from pathlib import Path

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, StreamInput, instrument, signals
from qmtl.sdk import indicators as ta


class Breakout(Strategy):
    name = "breakout"

    def __init__(self, symbol: str, interval: str) -> None:
        self.symbol, self.interval = symbol, interval

    def setup(self) -> None:
        price = StreamInput(self.symbol, interval=self.interval, period=20)
        bands = ta.bollinger(price, 20)
        upper, middle = ta.sma(bands, 1, field="upper"), ta.sma(bands, 1, field="middle")
        direction = signals.when(long=price > upper, short=price < middle)
        self.trade(signals.position_target(direction, long=0.9, short=0.0), price)


def written(folder: Path) -> Path:
    """Two weeks of half hours."""
    lines = ["Date,Open,High,Low,Close,Volume"]
    for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14):
        for half in range(13):
            minutes, close = 9 * 60 + 30 + 30 * half, 100.0 + 6.0 * math.sin((day * 13 + half) / 9)
            time = f"2024-06-{day:02} {minutes // 60:02}:{minutes % 60:02}:00"
            lines.append(f"{time},{close - 0.2:.2f},{close + 0.5:.2f},{close - 0.5:.2f},{close:.2f},25000")
    path = folder / "mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(*given: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path, symbol, zone, calendar = given or (written(Path(folder)), "MINE", "America/New_York", "XNYS")
        said = []
        try:
            Bars.from_csv(path, symbol)
        except InvalidRequest as error:
            said.append(f"without a zone: {error}")
        bars = Bars.from_csv(path, symbol, zone=zone)
    said.append(f"{len(bars)} bars of {bars.interval_s} s")
    terms = AccountTerms(instruments=(instrument(symbol, base=symbol, quote="USD", calendar=calendar),))
    said.append(str(Runner.backtest(Breakout(symbol, f"{bars.interval_s}s"), bars, terms=terms)))
    return "\n".join(said)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
