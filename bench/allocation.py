"""Cost of plans, proposals and attribution in one process, each beside a floor in the same run.

    python -m bench.allocation [--rounds 5] [--strategies 40] [--symbols 50]

CPU seconds of this process, the best of some rounds; ratios are what to compare. A plan is answered over a loopback
call; its floor is the same call that answers with a plan made before, and a bare loop of the plan's arithmetic: exact
deltas, whole lots, gross and net before and after. scipy's linkage stands beside hierarchical risk parity where it is
installed, else it is left out by name.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction

import grpc
import numpy as np

from qmtl.core.netting.attribution import attributed
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.allocation.domain.amounts import total
from worldservice.allocation.domain.legs import Held, Mark
from worldservice.allocation.domain.plan import Approach, Asked, Book, Rules, Standing, plan_of
from worldservice.allocation.domain.proposals.hierarchical import hierarchical
from worldservice.allocation.domain.proposals.methods import Doubles, equal_risk, minimum_variance
from worldservice.allocation.domain.scaling import ExplicitScales
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import Row, Terms, constraints_of
from worldservice.allocation.wire.plan import plan_to_proto

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


def plans(strategies: int, symbols: int, rounds: int) -> tuple[float, float, float, float]:
    """Of every strategy in every symbol: the plan, the bare arithmetic of its legs, a call that makes the plan, and
    one that answers with it.
    """
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
        lots = [delta // lot * lot for delta in deltas]
        before = [each.quantity * mark.value for each in held]
        after = [(each.quantity + traded) * mark.value for each, traded in zip(held, lots, strict=True)]
        return [total(map(abs, before)), total(before), total(map(abs, after)), total(after)]

    def made() -> rebalancepb.RebalancePlan:
        return plan_to_proto(plan_of(book, asked, rules, NOW), Approach.SCALE, None)

    ready = made()
    called, answered = asyncio.run(calls_s((made, lambda: ready), rounds))
    return best_s(lambda: plan_of(book, asked, rules, NOW), rounds), best_s(bare, rounds), called, answered


async def calls_s(answers: Sequence[Callable[[], rebalancepb.RebalancePlan]], rounds: int) -> list[float]:
    """CPU seconds of the best loopback call of each answer, of both its ends."""
    server = grpc.aio.server()

    def handler(
        answer: Callable[[], rebalancepb.RebalancePlan],
    ) -> grpc.RpcMethodHandler[bytes, rebalancepb.RebalancePlan]:
        async def reply(request: bytes, context: object) -> rebalancepb.RebalancePlan:
            return answer()

        return grpc.unary_unary_rpc_method_handler(
            reply, response_serializer=rebalancepb.RebalancePlan.SerializeToString
        )

    handlers = {str(n): handler(answer) for n, answer in enumerate(answers)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    found = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in handlers:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, rebalancepb.RebalancePlan] = channel.unary_unary(
                f"/bench/{name}", response_deserializer=rebalancepb.RebalancePlan.FromString
            )
            taken = []
            for _ in range(rounds + 1):
                begun = time.process_time()
                await call(b"")
                taken.append(time.process_time() - begun)
            found.append(min(taken[1:]))
    await server.stop(None)
    return found


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
    ours, bare, called, answered = plans(args.strategies, args.symbols, args.rounds)
    legs, floor = args.strategies * args.symbols, answered + bare
    say(f"plan of {legs} legs: {ours * 1e3:.1f} ms, bare arithmetic {bare * 1e3:.1f} ms, x {ours / bare:.1f}")
    told = f"call and bare arithmetic {floor * 1e3:.1f} ms, x {called / floor:.1f} (aim 3)"
    say(f"called: {called * 1e3:.1f} ms, {told}")
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
