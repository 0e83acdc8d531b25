"""What one snapshot says to the limits and exit rules of a policy: per rule and target, how it stands.

It counts nothing and narrows nothing. A number that is missing or not finite is RISK_UNKNOWN: an alarm, never an exit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from worldservice.policy.domain.expressions import Expression, NotComputable
from worldservice.policy.domain.risk.terms import (
    INCREMENTAL_LIMITS,
    ExitAct,
    ExitRule,
    ExitTarget,
    RiskTerms,
)
from worldservice.risk.domain.breaches.breach import Standing
from worldservice.risk.domain.report import RiskReport

NEAR_FROM = 0.9
UNKNOWN = "RISK_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule on one target. `act` None: it only blocks and tells. `want`: snapshots in a row that make a breach."""

    rule: str
    target: str
    standing: Standing
    figures: Mapping[str, float]
    want: int
    act: ExitAct | None
    detail: str


def findings(terms: RiskTerms, report: RiskReport) -> list[Finding]:
    """Every limit, then every exit rule on each of its targets."""
    limits = [(name, most) for name, most in terms.limits.items() if name not in INCREMENTAL_LIMITS]
    found = [_limit(name, most, report.figures) for name, most in limits]
    for rule in terms.exits:
        match rule.of:
            case ExitTarget.STRATEGY:
                for one in report.strategies:
                    found.extend(_exit(rule, one.strategy_id, report.strategy_figures(one.strategy_id)))
            case ExitTarget.WORLD:
                found.extend(_exit(rule, "", report.figures))
            case ExitTarget.LARGEST_COMPONENT:
                found.extend(_exit(rule, "", report.figures))
    return found


def holds(when: Expression, figures: Mapping[str, float]) -> bool | None:
    """Whether an expression holds; None: a number it reads is not known, or it has no value."""
    if any(not math.isfinite(figures.get(name, math.nan)) for name in when.names):
        return None
    try:
        return when.test(figures)
    except NotComputable:
        return None


def largest_component(report: RiskReport, without: frozenset[str]) -> str | None:
    """The strategy with the largest part of VaR among those that are not led out already; ties by id."""
    rows = [one for one in report.strategies if one.component is not None and one.strategy_id not in without]
    best = min(rows, key=lambda one: (-(one.component or 0.0), one.strategy_id), default=None)
    return None if best is None or not best.component or best.component <= 0 else best.strategy_id


def _limit(name: str, most: float, figures: Mapping[str, float]) -> Finding:
    value = figures.get(name)
    if value is None or not math.isfinite(value):
        return Finding(
            f"{UNKNOWN}:limits.{name}", "", Standing.BEYOND, {}, 1, None, f"{name} is not known, want at most {most:g}"
        )
    standing = Standing.BEYOND if value > most else Standing.NEAR if value > NEAR_FROM * most else Standing.WITHIN
    detail = f"{name} is {value:.6g}, want at most {most:g}"
    return Finding(f"limits.{name}", "", standing, {name: value}, 1, None, detail)


def _exit(rule: ExitRule, target: str, figures: Mapping[str, float]) -> list[Finding]:
    read = {name: figures[name] for name in rule.when.names if name in figures}
    told = ", ".join(f"{name} {value:.6g}" for name, value in read.items())
    verdict = holds(rule.when, figures)
    unknown = Finding(
        f"{UNKNOWN}:{rule.name}",
        target,
        Standing.BEYOND if verdict is None else Standing.WITHIN,
        read,
        1,
        None,
        f"a number of {rule.when.text} is not known" + (f": {told}" if told else ""),
    )
    if verdict is None:
        return [unknown]
    standing = Standing.BEYOND if verdict else Standing.WITHIN
    return [unknown, Finding(rule.name, target, standing, read, rule.in_a_row, rule.act, f"{rule.when.text}: {told}")]
