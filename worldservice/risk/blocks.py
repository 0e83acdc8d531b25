"""What of a world's risk bars a strategy from newly trading live, each with its sentence; all are told together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.errors import NotReady, QmtlError
from worldservice.policy.domain.risk.terms import RiskTerms
from worldservice.policy.store import policy_of
from worldservice.risk.answers import backtest_tests, explained, incremental_figures
from worldservice.risk.domain.candidate import CandidateRisk
from worldservice.risk.domain.forecasts.backtest import ForecastTests
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.risk.domain.report import RiskReport, risk_report
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import CASH, RiskStage, Snapshot
from worldservice.risk.domain.tail_risk import with_candidate
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import Remembered, whole
from worldservice.risk.store import account_limits, snapshots
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World

_NOT_OF_CANDIDATES = ("drawdown", "stress_loss", "leverage")
"""Figures of the book as it stands; every other one is judged with the candidate in it, or is not known."""
ShareOf = Callable[[Connection, str, str], float | None]
"""A strategy's share of the world's capital by world and strategy; None: none is set."""


def no_shares(conn: Connection, world_id: str, strategy_id: str) -> float | None:
    """Where nobody sets shares."""
    return None


@dataclass(frozen=True, slots=True)
class RiskBlocks:
    """The hub's blocks under a policy with a section `risk`; none without it."""

    files: SnapshotFiles
    share_of: ShareOf = no_shares
    _books: Remembered[Snapshot] = field(default_factory=Remembered, compare=False)
    _reports: Remembered[RiskReport] = field(default_factory=Remembered, compare=False)
    _tests: Remembered[dict[int, ForecastTests | None]] = field(default_factory=Remembered, compare=False)

    def __call__(
        self, conn: Connection, world: World, entering: Sequence[EnteringLive], now: datetime, *, switching: bool
    ) -> Sequence[Block]:
        policy = policy_of(conn, world)
        if policy is None or policy.risk is None:
            return ()
        scope = Scope(f"world:{world.world_id}")
        header = snapshots.newest(conn, scope, RiskStage.LIVE)
        found = [
            Block("ACCOUNT_LIMITS_PENDING", one.strategy_id, f"waits until brokerage has the limits of {account}")
            for account in pending_limits(conn, world.world_id)
            for one in entering
        ]
        if header is None:
            said = "has no live risk snapshot of its world, want one; all of it may be @cash"
            return [*found, *(Block("RISK_SNAPSHOT_MISSING", one.strategy_id, said) for one in entering)]
        found += [
            Block(reason, one.strategy_id, sentence)
            for reason, sentence in freshness(header, policy.risk.max_age, now)
            for one in entering
        ]
        try:
            found += self._of_book(conn, header, policy.risk, entering, now)
        except QmtlError as error:
            found += [Block(_reason(error), one.strategy_id, error.message) for one in entering]
        return found

    def candidate(self, conn: Connection, world: World, one: EnteringLive) -> CandidateRisk:
        """The world's live book before and after a strategy joins it, under its policy's limits or without any.

        Raises NotReady (E_SNAPSHOT_MISSING, E_RISK_INPUT, E_RISK_SAMPLE_SHORT), InvalidRequest (E_FIELD): no share.
        """
        policy, scope = policy_of(conn, world), Scope(f"world:{world.world_id}")
        header = snapshots.newest(conn, scope, RiskStage.LIVE)
        if header is None:
            raise NotReady("E_SNAPSHOT_MISSING", f"{scope} has no snapshot of LIVE", hint="put one")
        book = self._book(conn, header)
        terms = RiskTerms() if policy is None or policy.risk is None else policy.risk
        return explained(
            book, self._others(conn, scope), one.strategy_id, self._share(conn, world.world_id, one, terms)
        )

    def _others(self, conn: Connection, scope: Scope) -> list[Snapshot]:
        """Snapshots that may have the returns of who is not live yet."""
        paper = snapshots.newest(conn, scope, RiskStage.PAPER)
        return [] if paper is None else [self._book(conn, paper)]

    def _book(self, conn: Connection, header: SnapshotHeader) -> Snapshot:
        """A snapshot whole, read once for all who are judged by it."""
        return self._books.of(header, lambda: whole(snapshots.load_snapshot(conn, header), self.files))

    def _backtest(self, conn: Connection, header: SnapshotHeader, now: datetime) -> ForecastTests | None:
        """The tests of its model up to yesterday: forecasts of days that are over are never written again."""
        days, today = self._tests.of(header, dict), now.date().toordinal()
        if today not in days:
            days.clear()
            days[today] = backtest_tests(conn, self._book(conn, header), RiskStage.LIVE, now)
        return days[today]

    def _share(self, conn: Connection, world_id: str, one: EnteringLive, terms: RiskTerms) -> float:
        share = self.share_of(conn, world_id, one.strategy_id)
        return float(one.weight) * (terms.candidate_share if share is None else share)

    def _of_book(
        self,
        conn: Connection,
        header: SnapshotHeader,
        terms: RiskTerms,
        entering: Sequence[EnteringLive],
        now: datetime,
    ) -> Iterator[Block]:
        book = self._book(conn, header)
        report = self._reports.of(header, lambda: risk_report(book))
        others = self._others(conn, book.scope)
        tests = self._backtest(conn, header, now)
        joined = book  # with those before it in, so that two that fit one by one do not pass together
        for one in entering:
            share = self._share(conn, book.scope.name, one, terms)
            if book.invested():
                yield from _short(report, one.strategy_id)
            found = list(_candidate(joined, others, terms, one.strategy_id, share, report.figures))
            yield from found
            if terms.limits and share > 0 and not found:
                joined = _with(joined, one.strategy_id, share)
            if tests is not None and tests.model_rejected:
                yield Block(
                    "VAR_MODEL_REJECTED",
                    one.strategy_id,
                    f"would join a book whose VaR had {tests.exceptions} exceptions in {tests.days} days, p of LRcc "
                    f"{tests.conditional.p:.4f} and Z2 {tests.shortfall.z2:.2f}, want p of .01 and Z2 above "
                    f"{tests.shortfall.red:.2f}",
                )


def freshness(header: SnapshotHeader, max_age: timedelta, now: datetime) -> Iterator[tuple[str, str]]:
    """Reason and sentence where a snapshot is past its time, or older than the policy takes."""
    age_s = (now - header.as_of).total_seconds()
    if header.expires_at <= now:
        ttl_s = (header.expires_at - header.as_of).total_seconds()
        yield (
            "RISK_SNAPSHOT_EXPIRED",
            f"needs a snapshot that holds: {header.version} is {age_s:.0f} s old, ttl {ttl_s:.0f} s",
        )
    if age_s > max_age.total_seconds():
        want = max_age.total_seconds()
        yield (
            "RISK_SNAPSHOT_STALE",
            f"needs a fresher snapshot: {header.version} is {age_s:.0f} s old, want {want:.0f} s",
        )


def pending_limits(conn: Connection, world_id: str) -> Iterator[str]:
    """Accounts whose limits brokerage has not confirmed, and that may serve the world. Budgets name every world that an
    account with shares serves; of one without, nobody here knows, so it counts.
    """
    for account in account_limits.pending_accounts(conn):
        stored = account_limits.load_limits(conn, account)
        named = {one.world_id for one in accountpb.AccountLimits.FromString(stored.budgets).budgets}
        if not named or world_id in named:
            yield account


def _short(report: RiskReport, strategy_id: str) -> Iterator[Block]:
    if report.normal is None:
        for one in report.missing:
            if one.reason == "RISK_SAMPLE_SHORT" and one.detail.startswith("covariance"):
                yield Block("RISK_SAMPLE_SHORT", strategy_id, f"would join a book without VaR: {one.detail}")


def _with(book: Snapshot, strategy_id: str, share: float) -> Snapshot:
    weights = with_candidate(book.invested(), strategy_id, share)
    return replace(book, weights={**weights, CASH: max(0.0, 1.0 - sum(weights.values()))})


def _candidate(
    book: Snapshot,
    others: list[Snapshot],
    terms: RiskTerms,
    strategy_id: str,
    share: float,
    before: Mapping[str, float],
) -> Iterator[Block]:
    """The limits with the candidate included, on the days that it shares with the book; `before`: what it leaves."""
    if not terms.limits or share <= 0:
        return
    try:
        told = explained(book, others, strategy_id, share)
    except QmtlError as error:
        yield Block(_reason(error), strategy_id, error.message)
        return
    kept = {name: before[name] for name in _NOT_OF_CANDIDATES if name in before}
    figures = {**kept, **incremental_figures(told)}
    figures["component_share"] = told.component_share
    for name, most in terms.limits.items():
        value = figures.get(name)
        if value is None or not math.isfinite(value):
            yield Block(
                "RISK_LIMIT_EXCEEDED", strategy_id, f"with {share:g} of capital: {name} is not known, want {most:g}"
            )
        elif value > most:
            yield Block(
                "RISK_LIMIT_EXCEEDED",
                strategy_id,
                f"with {share:g} of capital: {name} {value:.6g}, want at most {most:g}",
            )


def _reason(error: QmtlError) -> str:
    """The block of an error: what is short is said so, everything else is a hub that cannot tell."""
    if error.reason == "E_RISK_SAMPLE_SHORT":
        return "RISK_SAMPLE_SHORT"
    return "RISK_HUB_UNREACHABLE"
