"""Evaluation runs and reports: the numbers of one strategy, where each came from, and what every rule said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from qmtl.core.errors import InvalidRequest, NotReady, Violation
from worldservice.domain.metrics import Unusable, refuse_unknown, unusable
from worldservice.domain.worlds import Side, Stage


class Source(Enum):
    REQUEST = "REQUEST"
    LATEST_RUN = "LATEST_RUN"
    RISK_HUB = "RISK_HUB"


class PipelineStage(Enum):
    DATA_CURRENCY = "DATA_CURRENCY"
    SUFFICIENCY = "SUFFICIENCY"
    GATES = "GATES"
    VALIDATION = "VALIDATION"
    SCORE = "SCORE"
    SELECTION = "SELECTION"


class Outcome(Enum):
    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"


class Summary(Enum):
    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Number:
    """One metric value and its provenance; `source_id` names the run it was taken from."""

    name: str
    value: float
    source: Source = Source.REQUEST
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    stage: PipelineStage
    rule: str
    outcome: Outcome
    reason: str = ""
    inputs: tuple[Number, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    world_id: str
    strategy_id: str
    policy_version: int
    ruleset_hash: str
    summary: Summary
    verdicts: tuple[RuleVerdict, ...]
    score: float | None
    selected: bool
    rank: int
    evaluated_at: datetime


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a strategy holds at full weight, as fractions of the world's capital; sector empty: unknown."""

    long_gross: float
    short_gross: float
    sector: str = ""


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

    def __hash__(self) -> int:
        """Of what tells runs apart; hashing every part of every number cost more than judging them."""
        return hash((self.run_id, self.data_end, *[number.value for number in self.numbers]))

    def values(self) -> Mapping[str, float]:
        return {number.name: number.value for number in self.numbers}


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


@dataclass(frozen=True, slots=True)
class EvaluationRun:
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
        if number.source is Source.LATEST_RUN
        else Number(number.name, number.value, Source.LATEST_RUN, latest.run_id)
        for number in latest.numbers
    )
    return Evidence(
        asked.run_id,
        asked.stage,
        borrowed,
        latest.dataset_fingerprint,
        latest.data_start,
        latest.data_end,
        latest.coverage,
        latest.footprint,
        latest.correlations,
    )


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
