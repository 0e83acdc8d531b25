"""Dossiers over the wire: every line with its audit entry, the same instant the same bytes, and forgeries named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.identity.canonical import digest
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import dossier_pb2 as dossierpb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_reports import POLICY, Books, made, opened
from tests.worldservice.campaigns.test_service import EASY, NAMED, apply, governed, request, shown_on_paper
from tests.worldservice.harness import LONG, WorldHarness, stamp
from tests.worldservice.risk.books import book, message_of, snapshot_of
from tests.worldservice.samples import trials, trials_chunks
from worldservice.campaigns.reports.tables import divergence_reports
from worldservice.evaluation.tables import evaluation_runs

MOVED = [2, 4, 6, 8, 10, 11, 12, 14, 16, 17]


async def dossier(
    stub: WorldStubs, at: datetime | None = None, *, verify: bool = False
) -> list[campaignservicepb.GetDossierResponse]:
    asked = campaignservicepb.GetDossierRequest(**NAMED, verify=verify)
    if at is not None:
        asked.at.CopyFrom(stamp(at))
    return [part async for part in stub.campaigns.GetDossier(asked)]


def lines_of(parts: list[campaignservicepb.GetDossierResponse]) -> list[dossierpb.DossierLine]:
    return [line for part in parts for line in part.lines]


def texts(parts: list[campaignservicepb.GetDossierResponse], section: str) -> list[str]:
    return [line.text for line in lines_of(parts) if line.section == section]


async def promoted(harness: WorldHarness) -> WorldStubs:
    """Strategy s with a backtest, paper, trials, a waiver and a promotion that was asked for, approved and refused."""
    ann = await governed(harness)
    await shown_on_paper(harness, ann)
    await ann.campaigns.PutTrials(trials_chunks(trials("w1", "s", 12, 170)))
    bob = await harness.stub(Role.OPERATOR, "bob")
    await request(bob)
    with pytest.raises(PermissionDenied):
        await bob.campaigns.ApprovePromotion(
            campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="me")
        )
    await ann.campaigns.ApprovePromotion(
        campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="the committee agreed")
    )
    return ann


async def test_a_dossier_says_who_did_what_on_which_evidence_and_stays_as_it_was(harness: WorldHarness) -> None:
    ann = await promoted(harness)
    eve, at = await harness.stub(Role.READER, "eve"), harness.clock.now()
    told = await dossier(eve, at)
    judged = texts(told, "What was judged")
    assert judged[0].startswith("BACKTEST: run run-1 revision 1 of version ")
    assert any("data sha256:" in text and "of its bars there" in text for text in judged)
    real = texts(told, "Is the edge real")
    assert real[0].startswith("12 variants over 170 days were told, blake3:")
    assert "N = 12, from 12 variants tried" in real
    people = texts(told, "Who asked, approved and applied")
    assert people[0].startswith("promotion p1 requested by bob for version ")
    assert people[1].startswith("then barred by OVERFIT: is overfitted with probability ")
    assert any(text.startswith("ApprovePromotion by bob REFUSED") for text in people)
    assert any(text.startswith("ApprovePromotion by ann: promotion p1 of s APPROVED by ann") for text in people)
    audited = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    known = {entry.audit_number: entry for entry in audited.entries}
    for line in lines_of(told):
        if line.audit_number:
            assert known[line.audit_number].time == line.time
    assert all(line.audit_number for line in lines_of(told) if line.HasField("time"))

    harness.clock.advance(3_600.0)
    ann = await harness.stub(Role.OWNER, "ann")
    await ann.campaigns.PutTrials(trials_chunks(trials("w1", "s", 3, 170)))  # takes nothing from what was told before
    await ann.campaigns.PauseCampaign(campaignservicepb.PauseCampaignRequest(**NAMED, reason="second thoughts"))
    again = await dossier(ann, at)
    assert [part.SerializeToString(deterministic=True) for part in again] == [
        part.SerializeToString(deterministic=True) for part in told
    ]
    later = await dossier(ann)
    assert any("second thoughts" in text for text in texts(later, "Who asked, approved and applied"))
    assert "N = 15, from 15 variants tried" in texts(later, "Is the edge real")
    assert later[-1].dossier_hash != told[-1].dossier_hash
    with pytest.raises(InvalidRequest, match="E_FIELD: at"):
        await dossier(ann, harness.clock.now().replace(year=2100))
    with pytest.raises(NotFound, match="E_BINDING_UNKNOWN"):
        async for _ in ann.campaigns.GetDossier(campaignservicepb.GetDossierRequest(world_id="w1", strategy_id="no")):
            pass


async def test_what_was_changed_in_the_store_is_named(harness: WorldHarness) -> None:
    await promoted(harness)
    bob = await harness.stub(Role.OPERATOR, "bob")
    fine = await dossier(bob, verify=True)
    assert (list(fine[-1].differences), fine[-1].verified_count) == ([], 3)
    with pytest.raises(PermissionDenied):
        await dossier(await harness.stub(Role.READER, "eve"), verify=True)

    def forge(conn: sa.Connection) -> None:
        table = evaluation_runs
        for row in conn.execute(sa.select(table.c.sequence, table.c.evidence)).all():
            forged = row.evidence.replace('"name":"n_trades","value":1.0', '"name":"n_trades","value":2.0')
            conn.execute(sa.update(table).where(table.c.sequence == row.sequence).values(evidence=forged))

    await harness.fill(forge)
    told = list((await dossier(bob, verify=True))[-1].differences)
    assert any(one.endswith("n_trades comes to 1.0, stored 2.0") for one in told), told


async def test_a_forged_report_is_named(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness))
    report = await made(ann, await books.request(ann))
    parts = await dossier(ann, verify=True)
    assert not [one for one in parts[-1].differences if one.startswith("report")]
    assert texts(parts, "Does trading keep it")[0].startswith("FAIL by report blake3:")

    def forge(conn: sa.Connection) -> None:
        forged = type(report).FromString(conn.execute(sa.select(divergence_reports.c.report)).scalar_one())
        forged.figures.match_rate = 0.5
        conn.execute(sa.update(divergence_reports).values(report=forged.SerializeToString(deterministic=True)))

    await harness.fill(forge)
    told = [one for one in (await dossier(ann, verify=True))[-1].differences if one.startswith("report")]
    assert len(told) == 2
    assert "its content has the digest" in told[0]
    assert "figures come to" in told[1]


async def test_a_forged_verdict_and_forged_drift_are_named_though_their_digest_was_made_anew(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness))
    asked = await books.request(ann)
    asked.features.append(divergencepb.FeatureCounts(node="f", reference_counts=[10] * 10, live_counts=MOVED))
    report = await made(ann, asked)
    assert [one.node for one in report.features] == ["f"]
    weigh = activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.5")  # what stands now is not what stood
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[weigh]))
    assert not await differences(ann)

    def forge(conn: sa.Connection) -> None:
        forged = type(report).FromString(conn.execute(sa.select(divergence_reports.c.report)).scalar_one())
        forged.verdict = divergencepb.DIVERGENCE_VERDICT_PASS
        del forged.reasons[:]
        forged.drift[0].psi = 0.01
        bare = type(report).FromString(forged.SerializeToString())
        for name in ("report_id", "created_at", "created_by"):
            bare.ClearField(name)
        forged.report_id = digest(bare.SerializeToString(deterministic=True))
        conn.execute(sa.update(divergence_reports).values(report=forged.SerializeToString(deterministic=True)))

    await harness.fill(forge)
    told = [one.split(": ", 1)[1] for one in await differences(ann)]
    assert told[0] == "verdict come to FAIL, stored PASS"
    assert [one.split()[0] for one in told] == ["verdict", "reasons", "drift"]


async def differences(stub: WorldStubs) -> list[str]:
    return [one for one in (await dossier(stub, verify=True))[-1].differences if one.startswith("report")]


async def test_an_apply_says_what_it_does_to_risk(harness: WorldHarness) -> None:
    ann = await governed(harness, EASY, "s0", "s1")
    await shown_on_paper(harness, ann)
    await request(ann)
    await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="ok"))
    plan = (await ann.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**NAMED))).plan
    assert not plan.risk
    assert plan.notes[-1].startswith("risk before and after is not known: E_SNAPSHOT_MISSING")
    snapshot = replace(snapshot_of(*book(2, 300, 1)), as_of=harness.clock.now())
    paper = replace(snapshot, returns={"s": snapshot.returns["s0"]}, weights={"s": 1.0}, covariance=None)
    for stage, one in ((riskpb.RISK_STAGE_LIVE, snapshot), (riskpb.RISK_STAGE_PAPER, paper)):
        sent = message_of(one)
        sent.stage, sent.version = stage, f"v{stage}"
        await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=sent))
    plan = (await ann.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**NAMED))).plan
    assert [one.figure for one in plan.risk] == ["vol", "var_99", "es_975"]
    await apply(ann)
    people = texts(await dossier(ann), "Who asked, approved and applied")
    vol = plan.risk[0]
    assert people[-1].endswith("es_975 " + f"{plan.risk[2].before:.6g} to {plan.risk[2].after:.6g}")
    assert f"vol {vol.before:.6g} to {vol.after:.6g}" in people[-1]
