"""Cost of plans, proposals and attribution in one process, each beside a floor in the same run.

    python -m bench.allocation [--rounds 5] [--strategies 40] [--symbols 50]

CPU seconds of this process, the best of some rounds; ratios are what to compare. scipy's linkage stands beside
hierarchical risk parity where it is installed, else it is left out by name.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np

from qmtl.core.netting.attribution import attributed
from worldservice.allocation.domain.legs import Held, Mark
from worldservice.allocation.domain.plan import Asked, Book, Rules, Standing, plan_of
from worldservice.allocation.domain.proposals.hierarchical import hierarchical
from worldservice.allocation.domain.proposals.methods import Doubles, equal_risk, minimum_variance
from worldservice.allocation.domain.scaling import ExplicitScales
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import Row, Terms, constraints_of

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def best_s(act: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the best round, after one to warm up."""
    act()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return min(taken)


def plans(strategies: int, symbols: int, rounds: int) -> tuple[float, float]:
    """A plan of every strategy in every symbol, and the bare arithmetic of its legs."""
    mark = Mark(Fraction(60_000), Fraction(1), NOW)
    held = tuple(
        Held(Owner(f"w{s % 6}", f"s{s}"), "paper", f"S{n}", Fraction(1000 + 7 * s + n, 1000), mark)
        for s in range(strategies)
        for n in range(symbols)
    )
    scales = ExplicitScales({f"w{n}": Fraction(2 + n, 3) for n in range(6)})
    standing = {(each.owner, side): Standing.OPEN for each in held for side in (1, -1)}
    rules = Rules(constraints_of([Row("", "", Terms(lot=Fraction(1, 1000)))], {}), standing)
    book, asked = Book("main", 1, Fraction(10**9), held), Asked("asked", scales, {})

    def bare() -> list[Fraction]:
        lot = Fraction(1, 1000)
        deltas = [each.quantity * (scales.worlds[each.owner.world_id] - 1) for each in held]
        return [delta // lot * lot for delta in deltas]

    return best_s(lambda: plan_of(book, asked, rules, NOW), rounds), best_s(bare, rounds)


def attribution(rounds: int) -> float:
    """Seconds of one fill of a netted order of 40 shares, of 1,000 fills."""
    shares = [(-1) ** n * (1_000 + 37 * n) for n in range(39)] + [100_000]
    whole = sum(shares)

    def all_fills() -> None:
        booked = [0] * len(shares)
        for n in range(1, 1_001):
            booked = attributed(shares, whole * n // 1_000, booked)

    return best_s(all_fills, rounds) / 1_000


def covariance(n: int) -> Doubles:
    """A covariance with one common factor."""
    draws = np.random.default_rng(7).normal(0, 0.01, (3 * n, n))
    return np.asarray(np.cov(draws + 0.5 * draws[:, :1], rowvar=False))


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strategies", type=int, default=40)
    parser.add_argument("--symbols", type=int, default=50)
    args = parser.parse_args()
    ours, bare = plans(args.strategies, args.symbols, args.rounds)
    legs = args.strategies * args.symbols
    say(f"plan of {legs} legs: {ours * 1e3:.1f} ms, bare arithmetic {bare * 1e3:.1f} ms, x {ours / bare:.1f}")
    say(f"attribution of one fill to 40 shares: {attribution(args.rounds) * 1e6:.0f} us")
    wide = covariance(200)
    hrp = best_s(lambda: hierarchical(wide), args.rounds)
    try:
        from scipy.cluster.hierarchy import linkage  # type: ignore[import-untyped]  # ships no types
    except ModuleNotFoundError:
        say(f"hierarchical risk parity of 200: {hrp * 1e3:.1f} ms, scipy is not installed")
    else:
        tree = best_s(lambda: linkage(wide, "single"), args.rounds)
        say(f"hierarchical risk parity of 200: {hrp * 1e3:.1f} ms, linkage {tree * 1e3:.1f} ms, x {hrp / tree:.1f}")
    say(f"equal risk of 200: {best_s(lambda: equal_risk(wide), args.rounds) * 1e3:.1f} ms")
    say(f"least variance of 200: {best_s(lambda: minimum_variance(wide), args.rounds) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
