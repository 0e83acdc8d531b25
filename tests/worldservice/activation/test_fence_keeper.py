"""The fence keeper: brokerage is told until it has committed, and outranked where it is ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Unavailable
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.support.waiting import eventually
from tests.worldservice.harness import Brokerage
from tests.worldservice.stored import ACT, SETTINGS, load, make_trading, open_store
from worldservice.activation.domain.activation import outrank
from worldservice.activation.fence_keeper import FenceKeeper, FenceOutcome
from worldservice.activation.recording import record_activation
from worldservice.activation.store import activations
from worldservice.evaluation.facts import decide_world
from worldservice.metrics import WorldMetrics
from worldservice.timing import BrokerageTiming
from worldservice.worlds.store import audit, worlds

RETRY_S = 0.01


@dataclass
class BrokerageStub:
    """The calls of the keeper, answered by the peer of the harness in this process; it can be away."""

    peer: Brokerage
    is_away: bool = False

    async def SetFence(self, request: fenceservicepb.SetFenceRequest, **_: float) -> fenceservicepb.SetFenceResponse:
        self._answers()
        return await self.peer.SetFence(request, None)

    async def GetFence(self, request: fenceservicepb.GetFenceRequest, **_: float) -> fenceservicepb.GetFenceResponse:
        self._answers()
        return await self.peer.GetFence(request, None)

    def _answers(self) -> None:
        if self.is_away:
            raise Unavailable("E_UNREACHABLE", "brokerage does not answer")


@dataclass
class Keeping:
    db: Database
    stub: BrokerageStub
    keeper: FenceKeeper

    async def pending(self) -> list[str]:
        return await self.db.read(activations.pending_fences)

    async def raise_epoch(self) -> int:
        """A change that brokerage has to be told; its epoch."""

        def work(conn: Connection) -> int:
            alpha = worlds.get_world(conn, "alpha")
            before = load(conn)
            after = outrank(before, before.fence.epoch, ACT.now)
            verdicts = decide_world(conn, alpha, SETTINGS, ACT.now)
            record_activation(conn, alpha, SETTINGS, ACT, verdicts, before, after)
            return after.fence.epoch

        return await self.db.write(work)


@pytest.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Keeping]:
    async with open_store(tmp_path) as db:
        await db.write(make_trading)
        stub = BrokerageStub(Brokerage())
        broker = cast("fencerpc.FenceServiceAsyncStub", stub)
        metrics = WorldMetrics(CollectorRegistry())
        keeper = FenceKeeper(db, broker, SystemClock(), SETTINGS, metrics, BrokerageTiming(1.0, RETRY_S))
        yield Keeping(db, stub, keeper)


async def test_what_is_pending_is_told_and_its_confirmation_audited(keeping: Keeping) -> None:
    epoch = await keeping.raise_epoch()
    assert await keeping.pending() == ["alpha"]
    assert await keeping.keeper.push("alpha")
    assert await keeping.pending() == []
    assert keeping.stub.peer.state("alpha") == (epoch, "OPEN")
    rows = await keeping.db.read(lambda conn: audit.list_audit(conn, "alpha", Page(1)))
    assert (rows[0].event, rows[0].actor) == ("FenceConfirmed", "service:worldservice")


async def test_a_fence_that_is_confirmed_is_not_told_again(keeping: Keeping) -> None:
    assert await keeping.keeper.push("alpha")
    assert keeping.stub.peer.asked == []


async def test_while_brokerage_is_away_nothing_is_lost_and_it_is_told_when_it_is_back(keeping: Keeping) -> None:
    epoch = await keeping.raise_epoch()
    keeping.stub.is_away = True
    assert not await keeping.keeper.push("alpha")
    assert await keeping.pending() == ["alpha"]
    running = asyncio.create_task(keeping.keeper.run())
    keeping.stub.is_away = False
    await eventually(lambda: keeping.stub.peer.state("alpha")[0] == epoch)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert keeping.stub.peer.state("alpha") == (epoch, "OPEN")


async def test_a_brokerage_that_is_ahead_is_outranked(keeping: Keeping) -> None:
    epoch = await keeping.raise_epoch()
    ahead = fencepb.Fence(world_id="alpha", fence_epoch=epoch + 7, state=fencepb.FENCE_STATE_FROZEN)
    keeping.stub.peer.fences["alpha"] = ahead
    assert await keeping.keeper.push("alpha")
    assert keeping.stub.peer.state("alpha") == (epoch + 8, "OPEN")
    held = await keeping.db.read(load)
    assert (held.fence.epoch, held.fence.pending) == (epoch + 8, False)


async def test_asking_tells_a_confirmed_fence_again_and_lists_what_is_on_the_wire(keeping: Keeping) -> None:
    keeping.stub.peer.on_the_wire = [fencepb.WireIntent(account="a", strategy_id="s", client_order_id="1")]
    answer = await keeping.keeper.ask("alpha")
    assert (answer.outcome, answer.on_the_wire) == (FenceOutcome.CONFIRMED, ("a/s/1",))
    assert len(keeping.stub.peer.asked) == 1


async def test_reaching_for_a_brokerage_that_is_away_says_so(keeping: Keeping) -> None:
    await keeping.keeper.reach("alpha")
    keeping.stub.is_away = True
    with pytest.raises(Unavailable):
        await keeping.keeper.reach("alpha")


async def test_a_late_confirmation_of_an_older_epoch_changes_nothing(keeping: Keeping) -> None:
    first = await keeping.raise_epoch()
    second = await keeping.raise_epoch()
    assert await keeping.db.write(lambda conn: activations.confirm_epoch(conn, "alpha", second))
    assert not await keeping.db.write(lambda conn: activations.confirm_epoch(conn, "alpha", first))
    assert not (await keeping.db.read(load)).fence.pending
