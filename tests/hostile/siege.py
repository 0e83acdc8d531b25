"""Attackers in a process of their own, pinned to one core.

    python -m tests.hostile.siege ADDRESS SECONDS NONE_TOKEN OPERATOR_TOKEN WORLD CORE

What a caller without a token, one of role NONE and the operator of one world can send, in turn, as fast as one core
sends it. With an empty address it burns the core instead: the baseline.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from tests.hostile.attackers import Attack, attacked

GET_STRATEGY = "/qmtl.gateway.v1.StrategyService/GetStrategy"
EVALUATE = "/qmtl.world.v1.EvaluationService/Evaluate"
OPEN_SESSION = "/qmtl.data.v1.DataSessionService/OpenDataSession"
LIST_STRATEGIES = "/qmtl.gateway.v1.StrategyService/ListStrategies"
BIG = strategyservicepb.GetStrategyRequest(strategy_id="s" * 15_000_000).SerializeToString()


def metrics(count: int) -> bytes:
    """An evaluation of nobody's strategy with many numbers."""
    request = evaluationservicepb.EvaluateRequest(world_id="w", run_id="r")
    request.metrics.extend(evaluationpb.Metric(name=f"m{number}", value=1.0) for number in range(count))
    return request.SerializeToString()


def attacks(none: str, operator: str, world: str) -> list[Attack]:
    """One round of each kind."""
    session = datasessionservicepb.OpenDataSessionRequest(
        session_id=f"{world}-x", world_id=world, preset="demo.btc.15m"
    )
    return [
        Attack(GET_STRATEGY, BIG, 30),
        Attack(GET_STRATEGY, b"", 200),
        Attack(EVALUATE, metrics(700_000), 20, none),
        Attack(EVALUATE, metrics(50_000), 60, none),
        Attack(EVALUATE, b"\xff\xff\xff", 200, none),
        Attack(LIST_STRATEGIES, b"", 300, operator),
        Attack(OPEN_SESSION, session.SerializeToString(), 60, operator),
        Attack(EVALUATE, metrics(50_000), 60, operator),
    ]


async def besiege(address: str, until_s: float, rounds: list[Attack]) -> None:
    """Again and again."""
    while time.monotonic() < until_s:
        for attack in rounds:
            if time.monotonic() < until_s:
                await attacked(address, attack)


def main() -> None:
    """What the module says."""
    address, seconds, none, operator, world, core = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    until_s = time.monotonic() + float(seconds)
    if address:
        asyncio.run(besiege(address, until_s, attacks(none, operator, world)))
    while time.monotonic() < until_s:
        pass


if __name__ == "__main__":
    main()
