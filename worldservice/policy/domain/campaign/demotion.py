"""Rules that demote a strategy by its live evidence: CEL over the names below, held for some days, then an act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from worldservice.policy.domain.document import (
    Document,
    parse_condition,
    parse_flag,
    parse_in_a_row,
    parse_word,
    refused_value,
)
from worldservice.policy.domain.expressions import Expression, Result, Vocabulary, compile_expression

RULES_MAX = 32
HELD_MAX = 365
EVIDENCE: Mapping[str, bool] = {
    "live_drawdown": False,
    "live_sharpe": False,
    "live_return": False,
    "live_days": True,
    "backtest_max_drawdown": False,
    "backtest_sharpe": False,
    "paper_sharpe": False,
    "cusum": False,
    "tracking_error": False,
    "slippage_bps": False,
    "match_rate": False,
    "fill_ratio": False,
    "psi": False,
}
"""What a rule may read, and whether it is a whole number."""
_WORDS = Vocabulary(EVIDENCE)


class DemotionAct(Enum):
    """What a rule asks for. Only a drain is built: what is held may be reduced, nothing is added."""

    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class DemotionRule:
    """When it holds on `held` live data days in a row: demoted at once (`auto`), or recommended."""

    when: Expression
    held: int = 1
    act: DemotionAct = DemotionAct.DRAIN
    auto: bool = True


def parse_demotions(section: Document) -> tuple[DemotionRule, ...]:
    """The list campaign.demote; absent: none. Raises InvalidRequest (E_POLICY_...)."""
    value, path = section.optional("demote"), f"{section.path}.demote"
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > RULES_MAX:
        raise refused_value(path, value, f"a list of at most {RULES_MAX} rules")
    rules = tuple(_rule(Document.at(f"{path}[{at}]", each)) for at, each in enumerate(value))
    if len({(rule.when.text, rule.held, rule.auto) for rule in rules}) < len(rules):
        raise refused_value(path, [rule.when.text for rule in rules], "every rule once")
    return rules


def _rule(part: Document) -> DemotionRule:
    part.only("when", "for", "act", "auto")
    text, held = parse_condition(part), parse_in_a_row(part, HELD_MAX, "days")
    when = compile_expression(text, Result.BOOLEAN, f"{part.path}.when", _WORDS)
    return DemotionRule(
        when=when,
        held=held,
        act=parse_word(part.required("act"), f"{part.path}.act", DemotionAct),
        auto=parse_flag(part, "auto", default=True),
    )
