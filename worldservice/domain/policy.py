"""The policy document: YAML in, frozen rules out, strict all the way.

An unknown key, metric or unit is an error that names its path. A section whose rules are not built yet is
refused by name, because a rule that is accepted and ignored is a promise that is not kept. Everything an
expression needs is compiled here, once per version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import canonical_json, digest
from worldservice.domain.document import Document, Plain, parse_duration, read_document
from worldservice.domain.expressions import Expression, Result, compile_expression
from worldservice.domain.metrics import CATALOGUE
from worldservice.domain.rules import Constraints, Hysteresis, parse_constraints, parse_hysteresis

PIPELINE_VERSION = "2"  # part of ruleset_hash: raise it whenever the same policy would decide otherwise
RULES_MAX = 200
TOPK_MAX = 10_000
PLANNED_SECTIONS: Mapping[str, str] = {
    "validation_profiles": "validation profiles",
    "default_profile_by_stage": "validation profiles",
    "gating_policy": "gating policy",
    "campaign": "campaigns",
    "governance": "promotion governance",
    "position_policy": "position policy",
    "activation_windows": "activation windows",
}


class OnMissing(Enum):
    """What an expression does when a metric it names is missing or unusable."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class DataCurrency:
    max_lag: timedelta
    min_history: timedelta


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Gate", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Gate", ...]


Gate = Expression | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class TopK:
    """Slots of the selection; None is no limit. A strategy for both sides takes a slot of each."""

    total: int | None = None
    long: int | None = None
    short: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The compiled rules; equal by their hash, from which everything follows, so that verdicts can be kept by it."""

    data_currency: DataCurrency
    gates: Gate
    score: Expression | None
    topk: TopK
    constraints: Constraints
    hysteresis: Hysteresis | None
    on_missing: Mapping[str, OnMissing]
    checksum: str
    ruleset_hash: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.ruleset_hash == other.ruleset_hash

    def __hash__(self) -> int:
        return hash(self.ruleset_hash)

    def missing_rule(self, metric: str) -> OnMissing:
        return self.on_missing.get(metric, OnMissing.FAIL)


def parse_policy(text: str) -> Policy:
    """Compile a policy document. Raises InvalidRequest (E_POLICY_...) whose violation names the path."""
    plain = read_document(text)
    root = Document.at("", plain, _refuse_planned)
    root.only("data_currency", "selection")
    selection = root.section("selection")
    selection.only("gates", "score", "topk", "constraints", "hysteresis", "missing_metrics")
    score = _score(selection)
    gates = _gate(selection.required("gates"), "selection.gates", [0])
    checksum = digest(canonical_json(plain))
    return Policy(
        data_currency=_data_currency(root.section("data_currency")),
        gates=gates,
        score=score,
        topk=_topk(selection, score),
        constraints=parse_constraints(selection),
        hysteresis=parse_hysteresis(selection),
        on_missing=_on_missing(selection, score),
        checksum=checksum,
        ruleset_hash=_ruleset_hash(checksum),
    )


def rules_of(gate: Gate) -> tuple[Expression, ...]:
    """The expressions of a gate tree in the order they are written."""
    if isinstance(gate, Expression):
        return (gate,)
    return tuple(rule for part in gate.parts for rule in rules_of(part))


def _data_currency(section: Document) -> DataCurrency:
    section.only("max_lag", "min_history")
    max_lag = parse_duration(section.required("max_lag"), "data_currency.max_lag")
    history = section.optional("min_history")
    return DataCurrency(
        max_lag, parse_duration(history, "data_currency.min_history") if history is not None else timedelta()
    )


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
    node = Document.at(path, value, _refuse_planned)
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


def _on_missing(selection: Document, score: Expression | None) -> Mapping[str, OnMissing]:
    if selection.optional("missing_metrics") is None:
        return {}
    section = selection.section("missing_metrics")
    rules: dict[str, OnMissing] = {}
    for name, value in section.values.items():
        path = f"{section.path}.{name}"
        if name not in CATALOGUE:
            raise _refused("E_POLICY_METRIC_UNKNOWN", path, name, "a metric of the catalogue")
        words = {rule.value: rule for rule in OnMissing}
        if not isinstance(value, str) or value not in words:
            raise _refused("E_POLICY_VALUE", path, value, "fail, warn or ignore")
        rules[name] = words[value]
        if score is not None and name in score.names and rules[name] is not OnMissing.FAIL:
            raise _refused(
                "E_POLICY_VALUE", path, value, "fail: the score reads this metric and has no value without it"
            )
    return rules


def _ruleset_hash(checksum: str) -> str:
    catalogue = [[m.name, m.unit.value, m.direction.value] for _, m in sorted(CATALOGUE.items())]
    return digest(canonical_json({"policy": checksum, "pipeline": PIPELINE_VERSION, "catalogue": catalogue}))


def _refuse_planned(path: str) -> None:
    part = PLANNED_SECTIONS.get(path)
    if part is not None:
        raise InvalidRequest(
            "E_POLICY_SECTION_NOT_BUILT",
            f"{path} is not enforced yet, so a policy may not rely on it",
            hint=f"leave {path} out until {part} is built",
            violations=[Violation(path, "set", f"nothing: {part} is a later part")],
        )


def _refused(reason: str, path: str, value: object, want: str) -> InvalidRequest:
    return InvalidRequest(
        reason, f"{path} is {str(value)[:200]!r}, want {want}", violations=[Violation(path, str(value)[:200], want)]
    )
