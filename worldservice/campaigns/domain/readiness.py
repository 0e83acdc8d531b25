"""What bars a strategy from newly trading live: every block by itself, all told together, in one order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worldservice.campaigns.domain.blocks import AGAIN_WHEN_SWITCHING, OVERRIDABLE, BlockReason
from worldservice.campaigns.domain.selection import Selection
from worldservice.campaigns.domain.windows import Window
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.worlds.domain.binding import Approval, Stage
from worldservice.worlds.domain.block import Block

Told = Iterator[tuple[BlockReason, str]]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StageEvidence:
    """What the computed runs of one stage and version show; the newest run by id and revision, with its numbers."""

    run_id: str
    revision: int
    window: Window
    trades: float | None
    cross_context_hits: float | None
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class ReportShown:
    """What the newest divergence report says, in data time."""

    verdict: str
    reasons: tuple[str, ...]
    version: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everything that the blocks of one strategy depend on."""

    strategy_id: str
    stage: Stage
    terms: CampaignTerms
    version: str
    backtest: StageEvidence | None
    paper: StageEvidence | None
    other_version: bool  # computed runs exist, of other versions only
    failed_rules: tuple[str, ...]  # of the policy, by the newest decision
    live_others: int
    approval: Approval | None
    demoted_at: datetime | None
    allow_live: bool
    replay: bool
    report: ReportShown | None = None  # on paper
    live_report: ReportShown | None = None
    overrides: frozenset[tuple[str, int, str]] = frozenset()  # run, revision, rule; those that hold now
    policy_version: int = 0  # of the world's default policy


def blocks_of(ready: Readiness, now: datetime, *, switching: bool = False) -> tuple[Block, ...]:
    """Every block; behind a freeze only those that may have changed since."""
    told = [*_world(ready), *_evidence(ready), *_divergence(ready, now), *_people(ready, now)]
    kept = [(reason, text) for reason, text in told if not switching or reason in AGAIN_WHEN_SWITCHING]
    return tuple(Block(reason.value, ready.strategy_id, text) for reason, text in kept)


def renewal_blocks(ready: Readiness, breaches: Sequence[str]) -> tuple[Block, ...]:
    """What bars the renewal of the approval of who trades live. It makes no reports on paper any more, so their age is
    not asked for, nor a cooldown that it has behind it; `breaches` are the open ones.
    """
    told = [*_world(ready), *_evidence(ready), *_divergence_live(ready)]
    told += [(BlockReason.BREACH_OPEN, f"has an open breach: {breach}") for breach in breaches]
    return tuple(Block(reason.value, ready.strategy_id, text) for reason, text in told)


def _unwaived(ready: Readiness, shown: StageEvidence | None, told: Told) -> Told:
    """What an owner has not waived for the very run that it is told of."""
    for reason, text in told:
        waived = shown is not None and (shown.run_id, shown.revision, reason.value) in ready.overrides
        if not (waived and reason in OVERRIDABLE):
            yield reason, text


def _world(ready: Readiness) -> Told:
    if not ready.allow_live:
        yield BlockReason.LIVE_NOT_ALLOWED, "is in a world with allow_live false"
    if ready.replay:
        yield BlockReason.REPLAY_NEVER_LIVE, "is in a world on recorded data, which never trades live"
    if ready.stage is Stage.BACKTEST:
        yield BlockReason.NOT_PAPER_STAGE, "is at stage BACKTEST, want PAPER"
    if ready.live_others >= ready.terms.live.max_slots:
        count = ready.live_others
        yield BlockReason.MAX_LIVE_SLOTS, f"finds {count} others live, want fewer than {ready.terms.live.max_slots}"


def _evidence(ready: Readiness) -> Told:
    if ready.other_version:
        yield BlockReason.VERSION_CHANGED, "was evaluated at other versions of its nodes only"
    yield from _unwaived(ready, ready.backtest, _backtest(ready))
    yield from _unwaived(ready, ready.paper, _paper(ready))
    if ready.failed_rules:
        yield BlockReason.VALIDATION_FAILED, f"fails {', '.join(ready.failed_rules)}"
    hits = [one for one in (ready.backtest, ready.paper) if one is not None and (one.cross_context_hits or 0.0) > 0.0]
    if hits:
        where = ", ".join(f"{one.cross_context_hits:g} in run {one.run_id}" for one in hits)
        yield BlockReason.CROSS_CONTEXT_CACHE_HIT, f"read records of another context: {where}"


def _backtest(ready: Readiness) -> Told:
    shown, terms = ready.backtest, ready.terms.backtest
    if shown is None:
        yield BlockReason.MISSING_BACKTEST_RUN, "has no replayed backtest of its version here"
        return
    if not shown.window.complete:
        yield BlockReason.BACKTEST_WINDOW_INCOMPLETE, shown.window.sentence("backtest")
    yield from _trades("backtest", shown.trades, terms.min_trades)
    found = shown.selection
    if found is None or math.isnan(found.deflated_sharpe):
        yield BlockReason.METRIC_MISSING, "has no deflated Sharpe ratio: its daily returns have no moments"
        return
    if found.deflated_sharpe < terms.deflated_sharpe:
        how = f"N {found.trials} from {found.trials_from}{', their spread ASSUMED' if found.assumed else ''}"
        yield (
            BlockReason.DEFLATED_SHARPE_LOW,
            f"has a deflated Sharpe ratio of {found.deflated_sharpe:.4f}, want {terms.deflated_sharpe:g} ({how})",
        )
    if math.isnan(found.pbo):
        if terms.pbo_required:
            yield (
                BlockReason.PBO_UNKNOWN,
                ("has no probability of overfitting: want trials of all variants tried, 10 at least, over 160 days"),
            )
    elif found.pbo > terms.max_pbo:
        yield (
            BlockReason.OVERFIT,
            f"is overfitted with probability {found.pbo:.4f}, want at most {terms.max_pbo:g}",
        )


def _paper(ready: Readiness) -> Told:
    shown, terms = ready.paper, ready.terms.paper
    if shown is None:
        yield BlockReason.MISSING_PAPER_RUN, "has no paper run of its version from brokerage's books"
        return
    if not shown.window.complete:
        yield BlockReason.PAPER_WINDOW_INCOMPLETE, shown.window.sentence("paper")
    yield from _trades("paper", shown.trades, terms.min_trades)


def _divergence(ready: Readiness, now: datetime) -> Told:
    """Where the policy writes divergence: a report of this version on enough days, new enough, that does not fail."""
    shown, terms = ready.report, ready.terms.divergence
    if not ready.terms.divergence_written:
        return
    if shown is None or shown.version != ready.version:
        yield BlockReason.DIVERGENCE_MISSING, "has no divergence report of its version"
        return
    if shown.verdict == "UNKNOWN":
        yield BlockReason.DIVERGENCE_MISSING, f"has a divergence report that is UNKNOWN: {'; '.join(shown.reasons)}"
    elif shown.end - shown.start < terms.window:
        length = f"{(shown.end - shown.start) / DAY:.1f} of {terms.window / DAY:.1f} days"
        yield BlockReason.DIVERGENCE_MISSING, f"has a divergence report on {length}"
    if now - shown.end > terms.max_age:
        age = f"{(now - shown.end) / DAY:.1f} days ago, want at most {terms.max_age / DAY:.1f}"
        yield BlockReason.DIVERGENCE_STALE, f"has a divergence report whose data ended {age}"
    if shown.verdict == "FAIL":
        yield BlockReason.DIVERGENCE_GUARD, f"has a divergence report that is FAIL: {'; '.join(shown.reasons)}"


def _divergence_live(ready: Readiness) -> Told:
    """Where the policy writes divergence: a report of this version, and none of them that fails."""
    if not ready.terms.divergence_written:
        return
    told = (("on paper", ready.report), ("live", ready.live_report))
    mine = [(where, one) for where, one in told if one is not None and one.version == ready.version]
    if not mine:
        yield BlockReason.DIVERGENCE_MISSING, "has no divergence report of its version"
    for where, one in mine:
        if one.verdict == "FAIL":
            said = f"has a divergence report {where} that is FAIL: {'; '.join(one.reasons)}"
            yield BlockReason.DIVERGENCE_GUARD, said


def _trades(what: str, trades: float | None, least: int) -> Told:
    if trades is None:
        yield BlockReason.METRIC_MISSING, f"has no n_trades on {what}"
    elif trades < least:
        yield BlockReason.INSUFFICIENT_TRADES, f"needs {least - trades:g} more trades on {what}, has {trades:g}"


def _people(ready: Readiness, now: datetime) -> Told:
    if ready.demoted_at is not None and now < ready.demoted_at + ready.terms.live.cooldown:
        until = ready.demoted_at + ready.terms.live.cooldown
        yield BlockReason.COOLDOWN_ACTIVE, f"fell from live at {_at(ready.demoted_at)} and waits until {_at(until)} UTC"
    if ready.approval is None or ready.approval.revoked_at is not None:
        yield BlockReason.APPROVAL_MISSING, "has no owner's approval to go live"
    elif ready.approval.policy_version not in (0, ready.policy_version):
        said = f"has an approval by policy v{ready.approval.policy_version}, and v{ready.policy_version} is the default"
        yield BlockReason.APPROVAL_EXPIRED, said
    elif not ready.approval.holds(now, ready.policy_version):
        yield BlockReason.APPROVAL_EXPIRED, f"has an approval that ended at {_at(ready.approval.expires_at)} UTC"


def _at(instant: datetime | None) -> str:
    return "an unknown time" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
