"""The policy document: YAML in, frozen rules out, strict all the way.

An unknown key, metric or unit is an error that names its path. A section whose rules are not built yet is
refused by name, because a rule that is accepted and ignored is a promise that is not kept. Everything an
expression needs is compiled here, once per version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from qmtl.calendars.windows import Window
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity.canonical import canonical_json, digest
from worldservice.policy.domain.campaign.terms import CampaignTerms, parse_campaign
from worldservice.policy.domain.document import (
    Document,
    Plain,
    parse_duration,
    parse_word,
    read_document,
    refused_value,
)
from worldservice.policy.domain.evidence import EvidenceRule, WorldAccount, parse_account, parse_evidence
from worldservice.policy.domain.expressions import Expression, Result, compile_expression
from worldservice.policy.domain.gating import Gating, parse_gating, stages_of_profiles
from worldservice.policy.domain.governance import (
    Governance,
    LivePromotion,
    OnDemote,
    PositionPolicy,
    parse_governance,
    parse_positions,
)
from worldservice.policy.domain.metric_catalogue import CATALOGUE
from worldservice.policy.domain.risk.terms import RiskTerms, parse_risk
from worldservice.policy.domain.selection_limits import Constraints, Hysteresis, parse_constraints, parse_hysteresis
from worldservice.policy.domain.trading_terms import Terms, parse_windows
from worldservice.worlds.domain.binding import Stage

PIPELINE_VERSION = "5"  # part of ruleset_hash: raise it whenever the same policy would decide otherwise
RULES_MAX = 200
TOPK_MAX = 10_000
PROFILES_MAX = 16


class OnMissing(Enum):
    """What an expression does when a metric it names is missing or unusable."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part has to hold."""

    parts: tuple["Gate", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part has to hold."""

    parts: tuple["Gate", ...]


Gate = Expression | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class TopK:
    """Slots of the selection; None is no limit. A strategy for both sides takes a slot of each."""

    total: int | None = None
    long: int | None = None
    short: int | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Gates over the numbers of one run, and how much data time the run has to cover."""

    gates: Gate
    min_history: timedelta
    on_missing: Mapping[str, OnMissing]

    def missing_rule(self, metric: str) -> OnMissing:
        """What an expression does when a metric is missing; it fails unless the document says otherwise."""
        return self.on_missing.get(metric, OnMissing.FAIL)


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The compiled rules; equal by their hash, from which everything follows, so that verdicts can be kept by it."""

    max_lag: timedelta
    thresholds: Thresholds
    score: Expression | None
    topk: TopK
    constraints: Constraints
    hysteresis: Hysteresis | None
    profiles: Mapping[Stage, Thresholds]
    gating: Gating
    governance: Governance
    campaign: CampaignTerms | None
    windows: tuple[Window, ...]
    positions: PositionPolicy
    evidence: EvidenceRule
    account: WorldAccount
    risk: RiskTerms | None
    checksum: str
    ruleset_hash: str

    @property
    def live_promotion(self) -> LivePromotion:
        """Who may bring a strategy live."""
        return self.governance.live_promotion

    @property
    def terms(self) -> Terms:
        """What holds for all that is active."""
        return Terms(self.windows, self.gating.limits)

    @property
    def account_text(self) -> str:
        """The account and the execution of replays, as text: equal texts are equal terms."""
        return self.account.text(self.gating.execution)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.ruleset_hash == other.ruleset_hash

    def __hash__(self) -> int:
        return hash(self.ruleset_hash)


def parse_policy(text: str) -> Policy:
    """Compile a policy document. Raises InvalidRequest (E_POLICY_...) whose violation names the path."""
    plain = read_document(text)
    root = Document.at("", plain)
    root.only(
        "data_currency", "selection", "validation_profiles", "default_profile_by_stage", "gating_policy", "governance",
        "activation_windows", "position_policy", "evidence", "account", "campaign", "risk",
    )  # fmt: skip
    selection, currency = root.section("selection"), root.section("data_currency")
    selection.only("gates", "score", "topk", "constraints", "hysteresis", "missing_metrics")
    currency.only("max_lag", "min_history")
    score, rules = _score(selection), [0]
    checksum = digest(canonical_json(plain))
    governance, campaign, positions = parse_governance(root), parse_campaign(root), parse_positions(root)
    _check_campaign(governance, campaign, positions.on_demote)
    return Policy(
        max_lag=parse_duration(currency.required("max_lag"), "data_currency.max_lag"),
        thresholds=Thresholds(
            _gate(selection.required("gates"), "selection.gates", rules),
            _span(currency, "min_history"),
            _on_missing(selection, score),
        ),
        score=score,
        topk=_topk(selection, score),
        constraints=parse_constraints(selection),
        hysteresis=parse_hysteresis(selection),
        profiles=_profiles(root, rules),
        gating=parse_gating(root),
        governance=governance,
        campaign=campaign,
        windows=parse_windows(root),
        positions=positions,
        evidence=parse_evidence(root),
        account=parse_account(root),
        risk=parse_risk(root),
        checksum=checksum,
        ruleset_hash=_ruleset_hash(checksum),
    )


def _check_campaign(governance: Governance, campaign: CampaignTerms | None, on_demote: OnDemote) -> None:
    """What the sections ask of each other: who acts by itself goes in steps, and who is lowered can close."""
    if governance.live_promotion is LivePromotion.AUTO_APPLY and (campaign is None or not campaign.live.canary):
        raise refused_value("governance.live_promotion.mode", "auto_apply", "campaign with canary steps beside it")
    if campaign is not None and (campaign.live_written or campaign.demote) and not on_demote.drains:
        raise refused_value(
            "position_policy.on_demote", on_demote.value, "drain or flat, beside campaign.live or campaign.demote"
        )


def rules_of(gate: Gate) -> tuple[Expression, ...]:
    """The expressions of a gate tree in the order they are written."""
    if isinstance(gate, Expression):
        return (gate,)
    return tuple(rule for part in gate.parts for rule in rules_of(part))


def _span(section: Document, key: str) -> timedelta:
    value = section.optional(key)
    return timedelta() if value is None else parse_duration(value, f"{section.path}.{key}")


def _profiles(root: Document, rules: list[int]) -> Mapping[Stage, Thresholds]:
    """Thresholds by stage; profiles that no stage uses are refused."""
    if root.optional("validation_profiles") is None:
        if root.optional("default_profile_by_stage") is not None:
            raise refused_value("default_profile_by_stage", "set", "nothing without validation_profiles")
        return {}
    section = root.section("validation_profiles")
    if not 0 < len(section.values) <= PROFILES_MAX:
        raise refused_value("validation_profiles", f"{len(section.values)} profiles", f"1 to {PROFILES_MAX}")
    found = {name: _profile(section.section(name), rules) for name in section.values}
    return {stage: found[name] for stage, name in stages_of_profiles(root, list(found)).items()}


def _profile(section: Document, rules: list[int]) -> Thresholds:
    section.only("gates", "min_history", "missing_metrics")
    gates = _gate(section.required("gates"), f"{section.path}.gates", rules)
    return Thresholds(gates, _span(section, "min_history"), _on_missing(section, None))


def _score(selection: Document) -> Expression | None:
    text = selection.optional("score")
    if text is None:
        return None
    if not isinstance(text, str):
        raise _refused("E_POLICY_VALUE", "selection.score", text, "a CEL expression in quotes")
    return compile_expression(text, Result.NUMBER, "selection.score")


def _gate(value: Plain, path: str, count: list[int]) -> Gate:
    if isinstance(value, str):
        count[0] += 1
        if count[0] > RULES_MAX:
            raise _refused("E_POLICY_VALUE", path, value, f"at most {RULES_MAX} gates")
        return compile_expression(value, Result.BOOLEAN, path)
    node = Document.at(path, value)
    node.only("and", "or")
    if len(node.values) != 1:
        raise _refused("E_POLICY_VALUE", path, sorted(node.values), "exactly one of and, or")
    word, parts = next(iter(node.values.items()))
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
        raise _refused("E_POLICY_VALUE", f"{path}.{word}", parts, "a list with at least one gate")
    gates = tuple(_gate(part, f"{path}.{word}[{index}]", count) for index, part in enumerate(parts))
    return AllOf(gates) if word == "and" else AnyOf(gates)


def _topk(selection: Document, score: Expression | None) -> TopK:
    if selection.optional("topk") is None:
        return TopK()
    if score is None:
        raise _refused("E_POLICY_VALUE", "selection.topk", "without a score", "selection.score, which ranks for it")
    section = selection.section("topk")
    section.only("total", "by_side")
    sides = section.section("by_side") if section.optional("by_side") is not None else None
    if sides is not None:
        sides.only("long", "short")
    return TopK(
        total=_slots(section, "total"),
        long=_slots(sides, "long") if sides is not None else None,
        short=_slots(sides, "short") if sides is not None else None,
    )


def _slots(section: Document, key: str) -> int | None:
    value = section.optional(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TOPK_MAX:
        raise _refused("E_POLICY_VALUE", f"{section.path}.{key}", value, f"a whole number from 0 to {TOPK_MAX}")
    return value


def _on_missing(section_of: Document, score: Expression | None) -> Mapping[str, OnMissing]:
    if section_of.optional("missing_metrics") is None:
        return {}
    section = section_of.section("missing_metrics")
    rules: dict[str, OnMissing] = {}
    for name, value in section.values.items():
        path = f"{section.path}.{name}"
        if name not in CATALOGUE:
            raise _refused("E_POLICY_METRIC_UNKNOWN", path, name, "a metric of the catalogue")
        rules[name] = parse_word(value, path, OnMissing)
        if score is not None and name in score.names and rules[name] is not OnMissing.FAIL:
            raise _refused(
                "E_POLICY_VALUE", path, value, "fail: the score reads this metric and has no value without it"
            )
    return rules


def _ruleset_hash(checksum: str) -> str:
    catalogue = [[m.name, m.unit.value, m.direction.value] for _, m in sorted(CATALOGUE.items())]
    return digest(canonical_json({"policy": checksum, "pipeline": PIPELINE_VERSION, "catalogue": catalogue}))


def _refused(reason: str, path: str, value: object, want: str) -> InvalidRequest:
    return InvalidRequest(
        reason, f"{path} is {str(value)[:200]!r}, want {want}", violations=[Violation(path, str(value)[:200], want)]
    )
