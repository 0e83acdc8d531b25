"""Computes again what is stored of a strategy, from what it was computed from, and names what differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.errors import QmtlError
from qmtl.core.identity.canonical import digest
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns import store
from worldservice.campaigns.dossier.lines import Record
from worldservice.campaigns.reports.making import ReportMaker
from worldservice.campaigns.trials import trials_table
from worldservice.evaluation.domain.reports import MetricSource
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.replay import store as replays
from worldservice.evaluation.replay.numbers import Replayed, evidence_of
from worldservice.evaluation.replay.pending import REPLAY_TIMEOUT
from worldservice.evaluation.replay.request import replay_request
from worldservice.evaluation.wire import account_to_proto
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import compiled, find_policy
from worldservice.worlds.domain.session import Session
from worldservice.worlds.store.sessions import get_session

COMPARED = (
    "verdict", "reasons", "figures", "terms", "denials", "days", "drift", "coverage_ratio", "recordings",
    "live_slippage_bps", "replay_slippage_bps",
)  # fmt: skip


@dataclass(slots=True)
class Verified:
    """What was computed again, and what did not come to what is stored, a sentence each."""

    count: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a run's numbers are computed from."""

    policy: Policy
    body: bytes
    session: Session | None


@dataclass(frozen=True, slots=True)
class DossierChecker:
    """Asks brokerage again, reads the stored lists, sessions and tables; changes nothing."""

    maker: ReportMaker

    async def verify(self, record: Record) -> Verified:
        """Runs, trials and divergence reports of a record. What cannot be computed again is a difference too."""
        found = Verified()
        async for name, told in self._all(record):
            found.count += 1
            found.differences += [f"{name}: {one}" for one in told]
        return found

    async def _all(self, record: Record) -> AsyncIterator[tuple[str, list[str]]]:
        for run in record.runs:
            if run.evidence.replayed:
                yield f"run {run.evidence.run_id}", await self._told(self._of_run(run))
        for place, put in enumerate(record.trials):
            yield f"trials {put.summary.trials_hash}", await self._told(self._of_trials(record, place))
        for report in record.reports:
            yield f"report {report.report_id}", await self._told(self._of_report(report))

    async def _told(self, differences: AsyncIterator[str]) -> list[str]:
        try:
            return [one async for one in differences]
        except QmtlError as error:
            return [f"cannot be computed again: {error.reason}: {error.message}"]

    async def _of_run(self, run: EvaluationRun) -> AsyncIterator[str]:
        ground = await self.maker.writes.db.read(lambda conn: _ground(conn, run))
        if ground is None:
            yield f"no policy has the terms that it was replayed under: {run.evidence.account}"
            return
        execution = ground.policy.gating.execution
        model = account_to_proto(ground.policy.account, execution) or accountpb.AccountModel()
        replayed = await self._replayed(run, ground, model)
        claims = replace(run.evidence, numbers=())
        again = await asyncio.to_thread(evidence_of, claims, run.evidence.account, model.profile, {}, replayed)
        known, seen = run.evidence.values(), again.values()
        for name in sorted(known.keys() | seen.keys()):
            if known.get(name) != seen.get(name):
                yield f"{name} comes to {seen.get(name)!r}, stored {known.get(name)!r}"
        if again.moments != run.evidence.moments:
            yield f"moments come to {again.moments}, stored {run.evidence.moments}"
        for one in _unfounded(run):
            yield one

    async def _of_trials(self, record: Record, place: int) -> AsyncIterator[str]:
        stored = record.trials[place]
        named = stored.summary.trials_hash

        def body(conn: Connection) -> bytes:
            return store.trials_body(conn, record.world_id, record.strategy_id, named)

        table = await asyncio.to_thread(trials_table, await self.maker.writes.db.read(body), named)
        again = await asyncio.to_thread(table.after, record.trials[:place], stored.put_at)
        if again != stored:
            yield f"come to {again.summary}, stored {stored.summary}"

    async def _replayed(self, run: EvaluationRun, ground: _Ground, model: accountpb.AccountModel) -> Replayed:
        found, timeout = Replayed(), REPLAY_TIMEOUT.total_seconds()
        if ground.session is None:
            request = await asyncio.to_thread(replay_request, ground.body, model)
            chunks = Chunked(replayservicepb.ReplayOrdersRequest, request, [run.world_id])
            with scoped(self.maker.brokerage.ReplayOrders(chunks, timeout=timeout)) as parts:
                async for part in parts:
                    found.take(part)
            return found
        books = replayservicepb.ReplayBooksRequest(
            world_id=run.world_id,
            strategy_id=run.strategy_id,
            account=run.evidence.paper_account,
            data_session_id=ground.session.session_id,
            start=instant_to_proto(ground.session.start),
            end=instant_to_proto(run.evidence.data_end),
            account_model=model,
        )
        with scoped(self.maker.brokerage.ReplayBooks(books, timeout=timeout)) as replies:
            async for reply in replies:
                if reply.HasField("part"):
                    found.take(reply.part)
        return found

    async def _of_report(self, report: divergencepb.DivergenceReport) -> AsyncIterator[str]:
        bare = divergencepb.DivergenceReport()
        bare.CopyFrom(report)
        for name in ("report_id", "created_at", "created_by"):
            bare.ClearField(name)
        if (made := digest(bare.SerializeToString(deterministic=True))) != report.report_id:
            yield f"its content has the digest {made}"
        again = await self.maker.again(report)
        for name in COMPARED:
            if _part(again, name) != _part(report, name):
                yield f"{name} come to {_short(again, name)}, stored {_short(report, name)}"


def _ground(conn: Connection, run: EvaluationRun) -> _Ground | None:
    """The newest policy with the terms that a run was replayed under, and its list or session."""
    version = 0 if run.report is None else run.report.policy_version
    policy = None
    for number in range(version, 0, -1):
        record = find_policy(conn, run.world_id, number)
        found = None if record is None else compiled(record.document)
        if found is not None and found.account.text(found.gating.execution) == run.evidence.account:
            policy = found
            break
    if policy is None:
        return None
    if run.evidence.paper_account:
        return _Ground(policy, b"", get_session(conn, run.evidence.session_id))
    return _Ground(policy, replays.get_list(conn, run.world_id, run.strategy_id, run.evidence.order_list), None)


def _unfounded(run: EvaluationRun) -> Iterator[str]:
    """Numbers that a rule saw and that are not the run's."""
    known = run.evidence.values()
    own = (MetricSource.REPLAY, MetricSource.BOOKS)
    for verdict in () if run.report is None else run.report.verdicts:
        for one in verdict.inputs:
            if one.source in own and one.source_id in run.evidence.ground and known.get(one.name) != one.value:
                yield f"rule {verdict.rule} saw {one.name} {one.value!r}, the run has {known.get(one.name)!r}"


def _part(report: divergencepb.DivergenceReport, name: str) -> bytes:
    kept = divergencepb.DivergenceReport()
    kept.CopyFrom(report)
    for field_ in report.DESCRIPTOR.fields:
        if field_.name != name:
            kept.ClearField(field_.name)
    return kept.SerializeToString(deterministic=True)


def _short(report: divergencepb.DivergenceReport, name: str) -> str:
    if name == "verdict":
        return divergencepb.DivergenceVerdict.Name(report.verdict).removeprefix("DIVERGENCE_VERDICT_")
    value = {one.name: part for one, part in report.ListFields()}.get(name, "nothing")
    return " ".join(str(value).split())[:200]
