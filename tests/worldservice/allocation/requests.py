"""Requests about an account of two worlds, and the worlds that trade in it."""

from __future__ import annotations

from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.allocation.accounts import AccountsWithBooks
from tests.worldservice.harness import WorldHarness, make_trading

PB = allocationservicepb


def upsert(run_id: str, expected: int, worlds: dict[str, str], **strategies: str) -> PB.UpsertAllocationsRequest:
    """Shares of worlds, and of strategies of w1."""
    return PB.UpsertAllocationsRequest(
        account="main",
        run_id=run_id,
        expected_revision=expected,
        worlds=[allocationpb.WorldShare(world_id=world, share=share) for world, share in worlds.items()],
        strategies=[
            allocationpb.StrategyShare(world_id="w1", strategy_id=name, share=share)
            for name, share in strategies.items()
        ],
        reason="a test",
    )


def change(before: int, after: int) -> rebalancepb.RebalanceRequest:
    """From one revision to another."""
    revisions = rebalancepb.ShareRevisions(before_revision=before, after_revision=after)
    return rebalancepb.RebalanceRequest(account="main", revisions=revisions)


def scaled(factor: str) -> rebalancepb.RebalanceRequest:
    """All of w1 by a factor."""
    scales = rebalancepb.ExplicitScales(worlds=[allocationpb.WorldShare(world_id="w1", share=factor)])
    return rebalancepb.RebalanceRequest(account="main", explicit=scales)


async def traded(harness: WorldHarness, accounts: AccountsWithBooks) -> WorldStubs:
    """Worlds w1, with strategies s1 and s2 on paper, and w2; s1 holds 1 BTC and s2 is short .5."""
    ann = await make_trading(harness, "w1", "s1", "s2")
    await make_trading(harness, "w2")
    accounts.held = [("w1", "s1", "BTC-USD", "1"), ("w1", "s2", "BTC-USD", "-0.5")]
    accounts.mark = ("60000", harness.clock.now())
    return ann
