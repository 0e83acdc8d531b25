"""What every rule said of a strategy, with the numbers it saw and where each of them came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class MetricSource(Enum):
    REQUEST = "REQUEST"
    LATEST_RUN = "LATEST_RUN"
    RISK_HUB = "RISK_HUB"


class PipelineStage(Enum):
    DATA_CURRENCY = "DATA_CURRENCY"
    EDGES = "EDGES"
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
    source: MetricSource = MetricSource.REQUEST
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
