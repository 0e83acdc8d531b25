"""The section `risk` of a policy: how fresh a snapshot has to be, limits that block, and rules that lead out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.core.numbers import is_finite_number
from worldservice.policy.domain.document import (
    Document,
    parse_condition,
    parse_duration,
    parse_in_a_row,
    parse_word,
    refused_value,
)
from worldservice.policy.domain.expressions import Expression, Result, Vocabulary, compile_expression

RULES_MAX = 32
IN_A_ROW_MAX = 1_000
LIMIT_MAX = 1_000.0
MAX_AGE = timedelta(minutes=15)
CANDIDATE_SHARE = 0.1
SCOPE_FIGURES = (
    "var_99",
    "es_99",
    "var_975",
    "es_975",
    "var_99_normal",
    "es_99_normal",
    "es_975_normal",
    "var_99_historical",
    "es_99_historical",
    "es_975_historical",
    "vol",
    "drawdown",
    "stress_loss",
    "component_share",
    "leverage",
)
"""What a rule about a world may read: the figures of a risk report, all fractions of capital. Those without a method
are the larger of both.
"""
STRATEGY_FIGURES = ("drawdown", "vol", "component_share")
"""What a rule about single strategies may read."""
INCREMENTAL_LIMITS = ("incremental_var_99", "incremental_es_99", "incremental_es_975")
"""What a candidate may add at most."""
_OF_SCOPE = Vocabulary(dict.fromkeys(SCOPE_FIGURES, False), "figures of a risk report")
_OF_STRATEGY = Vocabulary(dict.fromkeys(STRATEGY_FIGURES, False))


class ExitTarget(Enum):
    """Who a rule judges, and leads out."""

    STRATEGY = "strategy"
    WORLD = "world"
    LARGEST_COMPONENT = "largest_component"


class ExitAct(Enum):
    """Drain: what is held may be reduced. Freeze: nothing trades."""

    DRAIN = "drain"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class ExitRule:
    """When it holds for `in_a_row` new snapshots one after the other, the target is narrowed.

    `name` has a digest of the rule: what another policy's rule of the same place has counted or done is not this one's.
    """

    name: str
    when: Expression
    in_a_row: int
    of: ExitTarget
    act: ExitAct


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """The whole section. `limits`: the most of each figure, fractions of capital over one day."""

    max_age: timedelta = MAX_AGE
    candidate_share: float = CANDIDATE_SHARE
    limits: Mapping[str, float] = field(default_factory=dict)
    exits: tuple[ExitRule, ...] = ()


def parse_risk(root: Document) -> RiskTerms | None:
    """The section risk; None: reports only, nothing is blocked or led out. Raises InvalidRequest (E_POLICY_...)."""
    if root.optional("risk") is None:
        return None
    section = root.section("risk")
    section.only("freshness", "candidate_share", "limits", "exit")
    max_age = MAX_AGE
    if section.optional("freshness") is not None:
        freshness = section.section("freshness")
        freshness.only("max_age")
        max_age = parse_duration(freshness.required("max_age"), "risk.freshness.max_age")
        if max_age <= timedelta():
            raise refused_value("risk.freshness.max_age", freshness.values["max_age"], "above 0")
    return RiskTerms(max_age, _share(section), _limits(section), _exits(section))


def _share(section: Document) -> float:
    value = section.optional("candidate_share")
    if value is None:
        return CANDIDATE_SHARE
    if not is_finite_number(value) or not 0.0 < value < 1.0:
        raise refused_value("risk.candidate_share", value, "a number between 0 and 1, both excluded")
    return float(value)


def _limits(section: Document) -> Mapping[str, float]:
    if section.optional("limits") is None:
        return {}
    limits = section.section("limits")
    limits.only(*SCOPE_FIGURES, *INCREMENTAL_LIMITS)
    found = {}
    for name, value in limits.values.items():
        if not is_finite_number(value) or not 0.0 < value <= LIMIT_MAX:
            raise refused_value(f"risk.limits.{name}", value, f"a number above 0, at most {LIMIT_MAX:g}")
        found[name] = float(value)
    return found


def _exits(section: Document) -> tuple[ExitRule, ...]:
    value = section.optional("exit")
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > RULES_MAX:
        raise refused_value("risk.exit", value, f"a list of at most {RULES_MAX} rules")
    parts = [Document.at(f"risk.exit[{at}]", each) for at, each in enumerate(value)]
    return tuple(_exit(part, at) for at, part in enumerate(parts))


def _exit(part: Document, at: int) -> ExitRule:
    part.only("when", "for", "of", "act")
    text, in_a_row = parse_condition(part), parse_in_a_row(part, IN_A_ROW_MAX, "snapshots")
    of = parse_word(part.required("of"), f"{part.path}.of", ExitTarget)
    words = _OF_STRATEGY if of is ExitTarget.STRATEGY else _OF_SCOPE
    act = parse_word(part.required("act"), f"{part.path}.act", ExitAct)
    when = compile_expression(text, Result.BOOLEAN, f"{part.path}.when", words)
    mark = digest(canonical_json([text, in_a_row, of.value, act.value])).removeprefix("blake3:")[:8]
    return ExitRule(f"exit[{at}]#{mark}", when, in_a_row, of, act)
