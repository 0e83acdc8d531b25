"""Named strictness of conformance: which rules refuse a delivery, and the thresholds of the soft ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seamless.domain.conformance.report import Rule


@dataclass(frozen=True, slots=True)
class ConformancePolicy:
    """A named strictness: which findings refuse the data, and the thresholds of the soft rules."""

    name: str
    blocking: frozenset[Rule]
    step_limit: float = 0.25
    sparse_share: float = 0.10


TOLERANT = ConformancePolicy("tolerant", frozenset({Rule.SCHEMA}))
STRICT = ConformancePolicy(
    "strict",
    frozenset(Rule) - {Rule.SCHEMA_CANARY, Rule.SORT, Rule.DUPLICATE, Rule.PARTIAL_LAST_BAR, Rule.SPARSE_VOLUME},
)
POLICIES: Mapping[str, ConformancePolicy] = {policy.name: policy for policy in (STRICT, TOLERANT)}
