"""Evaluation runs: what a strategy has shown, and which revision a repeated run gets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import InvalidRequest, NotReady, Violation, refused
from worldservice.evaluation.domain.reports import EvaluationReport, MetricSource, Number
from worldservice.graph.domain.edges import UNTOUCHED, Edges
from worldservice.policy.domain.execution_model import ExecutionModel
from worldservice.policy.domain.metric_catalogue import Unusable, refuse_unknown, unusable
from worldservice.worlds.domain.binding import Side, Stage


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a strategy holds at full weight, as fractions of the world's capital; sector empty: unknown."""

    long_gross: float
    short_gross: float
    sector: str = ""


@dataclass(frozen=True, slots=True)
class DailyMoments:
    """Moments of a run's returns between closes of sessions: how many, Sharpe ratio a day, skewness, kurtosis."""

    count: int
    ratio: float
    skewness: float
    kurtosis: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run says about a strategy: its numbers and the data they come from."""

    run_id: str
    stage: Stage
    numbers: tuple[Number, ...]
    dataset_fingerprint: str
    data_start: datetime | None
    data_end: datetime | None
    coverage: float
    footprint: Footprint | None = None
    correlations: tuple[tuple[str, float], ...] = ()  # by strategy id, sorted
    execution: ExecutionModel | None = None  # what it assumed; None: unknown
    order_list: str = ""  # the list whose replay the numbers come from, once they do; empty: they are claims
    account: str = ""  # the terms it was replayed under, as the policy wrote them then; empty: it was not
    claims: tuple[Number, ...] = ()  # what was sent beside an order list; read by no rule
    notes: tuple[str, ...] = ()  # what the replay met, a sentence each
    data_presets: tuple[str, ...] = ()  # what the replayed data is of, as the world named it; sorted
    paper_account: str = ""  # of a paper run, the account whose books the numbers come from; empty: they are claims
    session_id: str = ""  # the world's session that this account trades on
    strategy_version: str = ""  # digest of the strategy's nodes as bound when it was recorded; empty: never told
    moments: DailyMoments | None = None  # of computed runs; None: claims, or returns without a spread

    def __hash__(self) -> int:
        """Of what tells runs apart; hashing every part of every number cost more than judging them."""
        return hash((self.run_id, self.data_end, *[number.value for number in self.numbers]))

    @property
    def replayed(self) -> bool:
        """Whether the numbers come from a replay of the orders, or of a paper run from brokerage's books."""
        return bool(self.account)

    @property
    def computable(self) -> bool:
        """Whether it says what the numbers can be computed from: an order list, or the books of a paper account."""
        return bool(self.order_list or self.paper_account)

    @property
    def ground(self) -> tuple[str, str, str]:
        """What its numbers are computed from."""
        return self.order_list, self.paper_account, self.session_id

    def values(self) -> Mapping[str, float]:
        """The numbers by name."""
        return {number.name: number.value for number in self.numbers}

    def warnings(self) -> Iterator[str]:
        """Where claims differ from what the replay came to, with both numbers, then what the replay met."""
        found, claimed = self.values(), {claim.name: claim.value for claim in self.claims}
        bars, claimed_bars = found.get("n_bars", 0.0), claimed.get("n_bars", 0.0)
        if self.replayed and self.paper_account and 0 < claimed_bars < bars:
            yield f"claims are of {claimed_bars:.0f} bars, books of {bars:.0f}: the session went on, none is compared"
            claimed = {}
        found_in, came_to = ("books have", "books say") if self.paper_account else ("replay has", "replay came to")
        for name, claim in claimed.items() if self.replayed else ():
            value = found.get(name)
            if value is None:
                yield f"{name} is claimed to be {claim!r}, the {found_in} none"
            elif value != claim:
                yield f"{name} is claimed to be {claim!r}, the {came_to} {value!r}"
        yield from self.notes


@dataclass(frozen=True, slots=True)
class Candidate:
    """One bound strategy as the pipeline sees it; evidence None: it was never evaluated.

    `paper` and `live` are what its newest runs at those stages say, where the policy asks for them.
    """

    strategy_id: str
    sides: frozenset[Side]
    evidence: Evidence | None
    paper: Evidence | None = None
    live: Evidence | None = None
    edges: Edges = UNTOUCHED


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """A run at one revision, with the report it had when it was recorded."""

    world_id: str
    strategy_id: str
    revision: int
    evidence: Evidence
    report: EvaluationReport | None
    recommended_stage: Stage
    created_by: str
    created_at: datetime


def take_evidence(asked: Evidence, latest: Evidence | None) -> Evidence:
    """The evidence a run is made of: what the request sent, or else the stage's latest run, marked as such."""
    if asked.numbers:
        _check_numbers(asked)
        return asked
    if latest is None:
        raise NotReady(
            "E_NO_METRICS",
            f"run {asked.run_id} sends no metrics and stage {asked.stage.value} has no earlier run",
            hint="send the metrics of the run",
        )
    borrowed = tuple(
        number
        if number.source is MetricSource.LATEST_RUN
        else Number(number.name, number.value, MetricSource.LATEST_RUN, latest.run_id)
        for number in latest.numbers
    )
    return replace(latest, run_id=asked.run_id, stage=asked.stage, numbers=borrowed)


def as_claims(asked: Evidence) -> Evidence:
    """A run whose numbers are still to be computed: what was sent is claims.

    Raises InvalidRequest for unusable numbers, and for an order list or books of a stage that has none.
    """
    if asked.order_list and asked.stage is not Stage.BACKTEST:
        raise refused("E_FIELD", "order_list", asked.stage.value, "a run of stage BACKTEST")
    if asked.paper_account and asked.stage is not Stage.PAPER:
        raise refused("E_FIELD", "paper_books", asked.stage.value, "a run of stage PAPER")
    _check_numbers(asked)
    return replace(asked, numbers=(), claims=asked.numbers)


def differences(stored: Evidence, again: Evidence) -> Iterator[str]:
    """Where a run computed anew is not what was stored, with both values, a sentence each."""
    numbers, anew = stored.values(), again.values()
    for name in sorted(numbers.keys() | anew.keys()):
        if numbers.get(name) != anew.get(name):
            yield _said(name, numbers.get(name), anew.get(name))
    parts = (
        "dataset_fingerprint",
        "data_start",
        "data_end",
        "coverage",
        "execution",
        "account",
        "data_presets",
        "moments",
    )
    for name in parts:
        before, now = getattr(stored, name), getattr(again, name)
        if before != now:
            yield _said(name, before, now)
    for note in (*stored.notes, *again.notes):
        if (note in stored.notes) != (note in again.notes):
            yield f"{'no longer said' if note in stored.notes else 'said anew'}: {note}"


def _said(name: str, before: object, now: object) -> str:
    values = ("none" if one is None else str(one) if isinstance(one, datetime) else repr(one) for one in (before, now))
    return "{} is stored as {}, computed anew as {}".format(name, *values)


def next_revision(previous: EvaluationRun | None, evidence: Evidence) -> int | None:
    """The revision a new record of the run gets; None when it says the same as the last one."""
    if previous is None:
        return 1
    return None if previous.evidence == evidence else previous.revision + 1


def _check_numbers(evidence: Evidence) -> None:
    values = evidence.values()
    if len(values) != len(evidence.numbers):
        raise InvalidRequest("E_METRIC_TWICE", "metrics names one metric twice, want each once")
    refuse_unknown(values, "metrics")
    for name in sorted(values):
        fault = unusable(name, values)
        if fault is not None:
            reason = "E_METRIC_NOT_FINITE" if fault is Unusable.METRIC_NOT_FINITE else "E_METRIC_VALUE"
            want = "a finite number; leave a metric out that has no value"
            if fault is Unusable.METRIC_NOT_INTEGRAL:
                want = "a whole number: it counts"
            raise InvalidRequest(
                reason,
                f"metrics.{name} is {values[name]}, want {want}",
                violations=[Violation(f"metrics.{name}", str(values[name]), want)],
            )
