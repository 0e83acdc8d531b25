"""This project beside other engines, in one run.

    python -m bench.peers --python PYTHON [--bars 500000] [--out bench/results/peers.md]

PYTHON has vectorbt, backtesting, backtrader and nautilus_trader, as far as they are to be measured (`python -m venv`,
`pip install`; vectorbt 1.0 wants `plotly<6`); one that it lacks is left out by name. Each engine and case is a process
of its own, over the same random walk. CPU seconds; compare ratios. Writes a table and, beside it, its picture.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.peers.engines import PAIRS

TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Case:
    """What is run: how many symbols, the share of the bars that each of them has, and who runs it on which share of
    those, so that all end within minutes.
    """

    name: str
    title: str
    symbols: int
    share: int
    engines: tuple[tuple[str, int], ...]


CASES = (
    Case(
        "cross",
        "SMA 20/50",
        1,
        1,
        (("numba", 1), ("ours", 1), ("vectorbt", 1), ("backtesting", 5), ("backtrader", 25), ("nautilus_trader", 10)),
    ),
    Case("ten", "ten symbols", 10, 10, (("numba", 1), ("ours", 1), ("vectorbt", 1), ("backtrader", 25))),
    Case(
        "bracket",
        "stop 1 %, target 2 %",
        1,
        1,
        (("ours", 1), ("vectorbt", 1), ("backtesting", 5), ("backtrader", 25)),
    ),
    Case("sweep", f"sweep of {len(PAIRS)} pairs", 1, 5, (("ours", 1), ("vectorbt", 1))),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One engine in one case."""

    case: Case
    engine: str
    bars: int
    cpu_s: float
    trades: int
    equity: float
    mib: float

    @property
    def rate(self) -> float:
        """Bars a CPU second."""
        return self.bars / self.cpu_s


def walk(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Bars (count, 5) of a random walk in ten-thousandths, so that two averages are never equal."""
    random = np.random.default_rng(seed)
    close = np.round(20_000 * np.exp(np.cumsum(random.normal(0, 0.0005, count))), 4)
    opened = np.round(np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, 0.00005, count)), 4)
    high = np.round(np.maximum(opened, close) * (1 + random.uniform(0, 0.0003, count)), 4)
    low = np.round(np.minimum(opened, close) * (1 - random.uniform(0, 0.0003, count)), 4)
    return np.column_stack([opened, high, low, close, np.round(random.uniform(5, 50, count), 3)])


def measure(python: str, bars: int) -> Iterator[Row | str]:
    """Each row once it is known, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            count = bars // case.share
            values = np.stack([walk(count, seed) for seed in range(case.symbols)])
            for engine, share in case.engines:
                file = Path(folder) / "bars.npy"
                np.save(file, values[:, : count // share])
                yield _measured(python, case, engine, file, case.symbols * (count // share))


def _measured(python: str, case: Case, engine: str, file: Path, bars: int) -> Row | str:
    script = str(Path(__file__).with_name("engines.py"))
    alone = [sys.executable, "-m", "bench.peers.ours", case.name, str(file)]
    here = [sys.executable, script, engine, case.name, str(file)]
    command = {"ours": alone, "numba": here}.get(engine, [python, script, engine, case.name, str(file)])
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if made.returncode:
        return f"| {case.title} | {engine} | left out: {_why(made.stderr)} | | | | |"
    found = json.loads(made.stdout.splitlines()[-1])
    bars *= len(PAIRS) if case.name == "sweep" else 1
    return Row(case, engine, bars, found["cpu_s"], int(found["trades"]), found["equity"], found["mib"])


def _why(told: str) -> str:
    """The line of a traceback that names the error; what follows it may be advice."""
    lines = told.strip().splitlines() or ["it said nothing"]
    named = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception): ", line)]
    return (named or lines)[-1][:80]


def text(row: Row, rows: Sequence[Row]) -> str:
    """A line of the table: how many times as fast this project is."""
    ours = next((one for one in rows if one.case is row.case and one.engine == "ours"), None)
    times = "" if ours is None or ours is row else f"{ours.rate / row.rate:,.2f} x"
    name = "**this project**" if row.engine == "ours" else row.engine
    return (
        f"| {row.case.title} | {name} | {row.rate:,.0f} bars/s | {times} | {row.mib:,.0f} MiB | "
        f"{row.bars:,} | {row.trades:,} | {row.equity:,.2f} |"
    )


def picture(rows: Sequence[Row], out: Path) -> None:
    """Bars a second by case, on a scale of powers of ten."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(CASES), 1, figsize=(9, 8.5), layout="constrained", sharex=True)
    for case, plot in zip(CASES, axes, strict=True):
        mine = sorted((row for row in rows if row.case is case), key=lambda row: row.rate)
        names = ["this project" if row.engine == "ours" else row.engine for row in mine]
        colours = ["#1a73e8" if row.engine == "ours" else "#9aa0a6" for row in mine]
        drawn = plot.barh(names, [row.rate for row in mine], color=colours)
        plot.bar_label(drawn, [f"{row.rate:,.0f}" for row in mine], padding=3)
        plot.set(xscale="log", xlim=(1e3, 1e9), title=case.title)
        plot.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("bars a CPU second")
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measure all, and write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--bars", type=int, default=500_000)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    found: list[Row | str] = []
    for row in measure(chosen.python, chosen.bars):
        found.append(row)
        sys.stdout.write(f"{row if isinstance(row, str) else text(row, [])}\n")
        sys.stdout.flush()
    rows = [row for row in found if isinstance(row, Row)]
    if chosen.out is not None:
        head = ["| case | engine | bars a CPU second | ours is | memory | bars | trades | equity |", "|" + "---|" * 8]
        lines = [row if isinstance(row, str) else text(row, rows) for row in found]
        chosen.out.write_text("\n".join([*head, *lines, "", f"![bars a second]({chosen.out.stem}.png)", ""]))
        picture(rows, chosen.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
