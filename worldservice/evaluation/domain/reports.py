"""What every rule said of a strategy, with the numbers it saw and where each of them came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from worldservice.evaluation.domain.reasons import DecisionReason


class MetricSource(Enum):
    """Where a number came from."""

    REQUEST = "REQUEST"
    LATEST_RUN = "LATEST_RUN"
    RISK_HUB = "RISK_HUB"
    REPLAY = "REPLAY"
    BOOKS = "BOOKS"


class PipelineStage(Enum):
    """Which stage of the pipeline a verdict is of."""

    DATA_CURRENCY = "DATA_CURRENCY"
    EDGES = "EDGES"
    SUFFICIENCY = "SUFFICIENCY"
    GATES = "GATES"
    VALIDATION = "VALIDATION"
    SCORE = "SCORE"
    SELECTION = "SELECTION"


class Outcome(Enum):
    """What a rule came to; SKIPPED: an earlier stage failed."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"


class Summary(Enum):
    """What all rules of a strategy came to."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Number:
    """One metric value and its provenance; `source_id` names the run it was taken from."""

    name: str
    value: float
    source: MetricSource = MetricSource.REQUEST
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule said, with the numbers it saw."""

    stage: PipelineStage
    rule: str
    outcome: Outcome
    reason: DecisionReason | None = None
    inputs: tuple[Number, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What every rule said of one strategy."""

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
