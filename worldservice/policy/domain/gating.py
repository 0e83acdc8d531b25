"""What a policy asks before anything trades live, and how an apply goes; which profile judges which stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.limits import UNLIMITED, RiskLimits
from worldservice.policy.domain.document import (
    Document,
    parse_duration,
    parse_flag,
    parse_text,
    refused_value,
    require_constant,
)
from worldservice.policy.domain.edge_policy import EdgePolicy, parse_edges
from worldservice.policy.domain.execution_model import ExecutionModel, parse_execution
from worldservice.policy.domain.metric_catalogue import CATALOGUE
from worldservice.policy.domain.trading_terms import parse_limits
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.domain.binding import Stage

GUARD_MAX = 1e15
SHARE_POLICY = "feature-artifacts-only"
ALWAYS: Mapping[str, Mapping[str, str]] = {
    "clocks": {"backtest": "virtual", "live": "wall"},
    "snapshot": {"strategy_plane": "cow", "feature_plane": "readonly"},
}
STAGES: Mapping[str, Stage] = {stage.value.lower(): stage for stage in Stage}


@dataclass(frozen=True, slots=True)
class Gating:
    """What has to hold beyond selection before anything trades live, and how an apply goes."""

    dataset_fingerprint: str = ""  # empty: any that is known
    can_short: bool = True
    divergence: Mapping[str, float] = field(default_factory=dict)  # by metric: how much worse paper may be
    freeze_timeout: timedelta | None = None  # None: the service's setting
    edges: EdgePolicy | None = None  # None: nothing has to be opened
    execution: ExecutionModel | None = None  # what backtests have to assume at least
    limits: RiskLimits = UNLIMITED
    no_cross_context: bool = False  # whether who goes live has to show that it read nothing of another context


def parse_gating(root: Document) -> Gating:
    """The section gating_policy. Raises InvalidRequest (E_POLICY_...)."""
    if root.optional("gating_policy") is None:
        return Gating()
    section = root.section("gating_policy")
    section.only(
        "dataset_fingerprint", "share_policy", "divergence_guards", "can_short", "clocks", "freeze_timeout", "snapshot",
        "edges", "execution_model", "risk_limits", "observability",
    )  # fmt: skip
    require_constant(section, "share_policy", SHARE_POLICY)
    for key, statements in ALWAYS.items():
        _always_all(section, key, statements)
    return Gating(
        dataset_fingerprint=parse_text(section, "dataset_fingerprint"),
        can_short=parse_flag(section, "can_short", default=True),
        divergence=_guards(section),
        freeze_timeout=_freeze_timeout(section),
        edges=parse_edges(section),
        execution=parse_execution(section),
        limits=parse_limits(section),
        no_cross_context=_slo(section),
    )


def stages_of_profiles(root: Document, names: Sequence[str]) -> Mapping[Stage, str]:
    """Which profile judges each stage: the one named for it, else the one called like the stage; none is unused."""
    if root.optional("default_profile_by_stage") is None:
        chosen: dict[Stage, str] = {stage: name for name, stage in STAGES.items() if name in names}
    else:
        section = root.section("default_profile_by_stage")
        section.only(*STAGES)
        chosen = {STAGES[key]: _profile_name(section, key, names) for key in section.values}
    for name in names:
        if name not in chosen.values():
            raise refused_value(
                f"validation_profiles.{name}", "used by no stage", "a profile that default_profile_by_stage names"
            )
    return chosen


def _profile_name(section: Document, key: str, names: Sequence[str]) -> str:
    value = section.required(key)
    if not isinstance(value, str) or value not in names:
        raise refused_value(f"{section.path}.{key}", value, f"one of the profiles: {', '.join(names) or 'none'}")
    return value


def _guards(section: Document) -> Mapping[str, float]:
    if section.optional("divergence_guards") is None:
        return {}
    guards = section.section("divergence_guards")
    for name, value in guards.values.items():
        path = f"{guards.path}.{name}"
        if name not in CATALOGUE:
            raise InvalidRequest(
                "E_POLICY_METRIC_UNKNOWN", f"{path} names no metric of the catalogue",
                violations=[Violation(path, name, "a metric of the catalogue")],
            )  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= GUARD_MAX:
            raise refused_value(path, value, "how much worse paper may be than backtest: a number from 0")
    return {name: float(str(value)) for name, value in sorted(guards.values.items())}


def _freeze_timeout(section: Document) -> timedelta | None:
    value = section.optional("freeze_timeout")
    if value is None:
        return None
    path, least = f"{section.path}.freeze_timeout", GATE_TTL + 2 * GATE_MARGIN
    span = parse_duration(value, path)
    if not least < span <= timedelta(hours=1):
        raise refused_value(path, value, f"above {int(least.total_seconds())}s, a session's life, at most 1h")
    return span


def _always_all(section: Document, key: str, statements: Mapping[str, str]) -> None:
    if section.optional(key) is None:
        return
    found = section.section(key)
    found.only(*statements)
    for name, value in statements.items():
        require_constant(found, name, value)


def _slo(section: Document) -> bool:
    """The one objective there is: nothing is read of another context."""
    if section.optional("observability") is None:
        return False
    observability = section.section("observability")
    observability.only("slo")
    slo = observability.section("slo")
    slo.only("cross_context_cache_hit")
    value = slo.required("cross_context_cache_hit")
    if isinstance(value, bool) or value != 0:
        raise refused_value(f"{slo.path}.cross_context_cache_hit", value, "0: any hit is a leak")
    return True
