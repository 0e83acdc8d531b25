"""Two loops over one world do each act once; shares of capital that bar."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from qmtl.cli.commands.campaign.loop_lease import LoopLease
from qmtl.cli.commands.campaign.scheduling import LoopStubs, carry_out, keep_ticking
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, PermissionDenied
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.processes import python_env
from tests.worldservice.campaigns.test_service import EASY, _is, campaign, governed, reasons, shown_on_paper
from tests.worldservice.harness import WorldHarness, eventually, make_world
from tests.worldservice.samples import DOCUMENT, NOW
from worldservice.allocation.domain.shares import AllocationSet, Owner, Shares, Terms
from worldservice.allocation.store import sets

AUTO = EASY + "governance: {live_promotion: {mode: auto_apply}}\n"


async def test_two_loops_do_each_act_once(harness: WorldHarness, capsys: pytest.CaptureFixture[str]) -> None:
    ann = await governed(harness, AUTO)
    await shown_on_paper(harness, ann)
    stubs = [await harness.stub(Role.OPERATOR, name) for name in ("loop-1", "loop-2")]

    async def both() -> None:
        leases = [(LoopStubs(one.campaigns, one.activation), LoopLease(one.campaigns, "w1")) for one in stubs]
        await asyncio.gather(*(keep_ticking(*each, 60.0, once=True, allow_live=True) for each in leases))

    await both()
    asked = (await campaign(ann)).promotion
    assert asked.run_id.startswith("camp-w1-s-paper-")
    await both()
    await eventually(lambda: _is(ann, "APPLIED"))
    after = await campaign(ann)
    assert (after.promotion.run_id, after.promotion.apply_run_id) == (asked.run_id, f"promo-{asked.run_id}")
    assert after.phase == campaignpb.CAMPAIGN_PHASE_LIVE_CANARY
    done = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("done")]
    assert sorted(done) == ["APPLY_PROMOTION", "REQUEST_PROMOTION"]
    await both()  # nothing is due: the canary waits for its days
    assert "done" not in capsys.readouterr().out


async def test_a_loop_raises_to_paper_what_the_backtest_has_shown(
    harness: WorldHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = "paper: {window: 30d, min_trades: 1"
    ann = await governed(harness, EASY)
    lower = activationpb.ActivationChange(strategy_id="s", side="SIDE_LONG", active=False, stage="STAGE_BACKTEST")
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[lower]))
    assert (await campaign(ann)).next_action.kind == campaignpb.CAMPAIGN_ACTION_KIND_EVALUATE
    stubs = LoopStubs(ann.campaigns, ann.activation)
    for trades, done in (("1000000", 0), ("1", 1)):
        document = EASY.replace(paper, f"{paper}, auto: true").replace(
            "min_trades: 1, defl", f"min_trades: {trades}, defl"
        )
        put = policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT + document, make_default=True)
        await ann.policies.PutPolicy(put)
        await keep_ticking(stubs, LoopLease(ann.campaigns, "w1"), 60.0, once=True, allow_live=False)
        told = capsys.readouterr().out
        assert told.count("done  RAISE_TO_PAPER s camp-w1-s-backtest-") == done, told
        if not done:  # an act of an older tick is not carried out once it is due no more
            old = campaignpb.CampaignAction(
                kind="CAMPAIGN_ACTION_KIND_RAISE_TO_PAPER", world_id="w1", strategy_id="s", idempotency_key="old"
            )
            with pytest.raises(Conflict, match="E_ETAG_MISMATCH: s is to be raised to paper no more"):
                await carry_out(stubs, old, allow_live=False)
    activation = await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    entry = next(one for one in activation.activation.entries if one.strategy_id == "s" and one.active)
    assert (entry.weight, entry.effective_mode) == ("1", commonpb.EFFECTIVE_MODE_PAPER)
    await keep_ticking(stubs, LoopLease(ann.campaigns, "w1"), 60.0, once=True, allow_live=False)
    assert "RAISE_TO_PAPER" not in capsys.readouterr().out


async def test_the_lease_of_a_loop_has_one_holder_who_may_extend_it(harness: WorldHarness) -> None:
    await make_world(harness, "leased")
    stubs = {name: (await harness.stub(Role.OPERATOR, name)).campaigns for name in ("one", "two")}

    async def acquire(name: str, holder: str = "run") -> campaignservicepb.AcquireLoopResponse:
        return await stubs[name].AcquireLoop(campaignservicepb.AcquireLoopRequest(world_id="leased", holder=holder))

    first = await acquire("one")
    assert (first.acquired, first.holder) == (True, "one/run")
    assert 5.0 < first.valid_for.ToTimedelta().total_seconds() < 15.0
    assert (await acquire("one")).lease_epoch == first.lease_epoch
    for other in (await acquire("two"), await acquire("one", "another run")):  # a name is its subject's
        assert (other.acquired, other.holder, other.lease_epoch) == (False, "one/run", first.lease_epoch)
    released = campaignservicepb.ReleaseLoopRequest(world_id="leased", holder="run")
    await stubs["two"].ReleaseLoop(released)  # not two's to give up
    assert not (await acquire("two")).acquired
    await stubs["one"].ReleaseLoop(released)
    second = await acquire("two")
    assert (second.acquired, second.lease_epoch > first.lease_epoch) == (True, True)
    log = await (await harness.stub()).audit.ListAudit(auditservicepb.ListAuditRequest(world_id="leased"))
    taken = [(row.actor, row.message) for row in log.entries if row.event == "AcquireLoop"]
    assert [subject for subject, _ in taken] == ["two", "one"]
    reader = (await harness.stub(Role.READER, "eve")).campaigns
    with pytest.raises(PermissionDenied):
        await reader.AcquireLoop(campaignservicepb.AcquireLoopRequest(world_id="leased", holder="run"))


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.soak)])
async def test_loops_of_two_processes_do_each_act_once_and_one_follows_the_other(
    harness: WorldHarness, killed: bool
) -> None:
    """`killed`: who has the lease dies without giving it up, and the other has it when it ran out."""
    ann = await governed(harness, AUTO)
    processes = {name: loop_process(harness, name) for name in ("loop-1", "loop-2")}
    try:
        said = dict(zip(processes, await asyncio.gather(*map(_line, processes.values())), strict=True))
        first, second = sorted(said, key=lambda name: said[name].startswith("wait"))
        assert said[first].startswith("due   EVALUATE s")
        assert said[second].startswith(f"wait  the loop of w1 is {first}/")
        (processes[first].kill if killed else processes[first].terminate)()
        assert (await _line(processes[second])).startswith("due   EVALUATE s")  # it has the lease now
        await shown_on_paper(harness, ann)
        await eventually(lambda: _is(ann, "APPLIED"), 30.0)
    finally:
        for process in processes.values():
            process.terminate()
    left = [await asyncio.to_thread(processes[name].communicate) for name in (first, second)]
    done = [line.split()[1] for out, _ in left for line in out.splitlines() if line.startswith("done")]
    assert done == ["REQUEST_PROMOTION", "APPLY_PROMOTION"]
    asked = (await campaign(ann)).promotion
    assert (asked.requested_by, asked.applied_by) == (second, second)
    log = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    assert sum("APPLYING by" in row.message for row in log.entries) == 1


def loop_process(harness: WorldHarness, name: str) -> subprocess.Popen[str]:
    """`keep_ticking` in a process of its own, as an operator of that name."""
    user = mint_user_token(harness.home, Role.OPERATOR, name, clock=harness.clock)
    service = mint_service_token(harness.home, "gateway", clock=harness.clock)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.worldservice.campaigns.loop_process", harness.addresses["worldservice"]],
        env={**python_env(), "USER_TOKEN": user, "SERVICE_TOKEN": service, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


async def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 40.0)


async def test_a_strategy_without_a_share_in_the_sets_of_its_world_is_barred(harness: WorldHarness) -> None:
    ann = await governed(harness)
    assert "not known" in (await campaign(ann)).notes[0]
    await harness.fill(lambda conn: give(conn, 1, "other"))
    told = await campaign(ann)
    assert ("SHARE_MISSING" in reasons(told), list(told.notes)) == (True, [])
    block = next(one for one in told.blocks if one.reason == "SHARE_MISSING")
    assert block.message == "has no share of capital in set 1 of account main, want above 0"
    await harness.fill(lambda conn: give(conn, 2, "s"))
    assert "SHARE_MISSING" not in reasons(await campaign(ann))


def give(conn: Connection, revision: int, strategy_id: str) -> None:
    """A set of account main that names w1 and one strategy in it."""
    shares = Shares({"w1": Fraction(1, 2)}, {Owner("w1", strategy_id): Fraction(1, 4)})
    found = AllocationSet("main", revision, f"r{revision}", shares, Terms(), "a test", "ann", NOW, "blake3:x")
    state = sets.lock_account(conn, "main")
    sets.insert_set(conn, found)
    sets.save_budget_state(conn, replace(state, set_revision=revision))
