"""The sections of a policy beside the selection: profiles per stage, gating, governance, activation windows.

A statement the mesh always keeps (`share_policy`, `clocks`) may be written with its only value; one whose rule is not
built is refused by name, because a rule that is accepted and ignored is a promise that is not kept.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.windows import Window, zone
from worldservice.domain.document import Document, Plain, parse_duration, parse_word, refused_value
from worldservice.domain.edges import EdgePolicy
from worldservice.domain.execution import ExecutionModel
from worldservice.domain.gates import GATE_MARGIN, GATE_TTL
from worldservice.domain.metrics import CATALOGUE
from worldservice.domain.terms import parse_edges, parse_execution, parse_limits
from worldservice.domain.worlds import Stage

WINDOWS_MAX = 32
GUARD_MAX = 1e15
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHARE_POLICY = "feature-artifacts-only"
ALWAYS: Mapping[str, Mapping[str, str]] = {
    "clocks": {"backtest": "virtual", "live": "wall"},
    "snapshot": {"strategy_plane": "cow", "feature_plane": "readonly"},
}
STAGES: Mapping[str, Stage] = {stage.value.lower(): stage for stage in Stage}
LATER: Mapping[str, str] = {
    "campaign": "campaigns",
    "position_policy.on_promote": "brokerage, complete",
    "position_policy.on_demote.flat": "brokerage, complete",
    "governance.live_promotion.auto_apply": "campaigns",
}
_DAYS = re.compile(r"([a-z]{3})\.\.([a-z]{3})")
_WALL = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


class LivePromotion(Enum):
    """Who may bring a strategy live. Acting by itself comes with campaigns."""

    DISABLED = "disabled"
    MANUAL_APPROVAL = "manual_approval"


class OnDemote(Enum):
    """What a strategy that traded may do once it may not go on: nothing, or reduce what it holds."""

    HOLD = "hold"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Gating:
    """What has to hold beyond selection before anything trades live, and how an apply goes."""

    dataset_fingerprint: str = ""  # empty: any that is known
    can_short: bool = True
    divergence: Mapping[str, float] = field(default_factory=dict)  # by metric: how much worse paper may be
    freeze_timeout: timedelta | None = None  # None: the house's
    edges: EdgePolicy | None = None  # None: nothing has to be opened
    execution: ExecutionModel | None = None  # what backtests have to assume at least
    limits: RiskLimits = UNLIMITED
    no_cross_context: bool = False  # whether who goes live has to show that it read nothing of another context


def refuse_later(path: str, value: Plain = None) -> None:
    """Raises InvalidRequest (E_POLICY_SECTION_NOT_BUILT) when the path is one of a later part."""
    part = LATER.get(path)
    if part is not None:
        raise InvalidRequest(
            "E_POLICY_SECTION_NOT_BUILT",
            f"{path} is not enforced yet, so a policy may not rely on it",
            hint=f"leave {path} out until {part} is built",
            violations=[Violation(path, "set", f"nothing: {part} is a later part")],
        )


def parse_gating(root: Document) -> Gating:
    if root.optional("gating_policy") is None:
        return Gating()
    section = root.section("gating_policy")
    section.only(
        "dataset_fingerprint", "share_policy", "divergence_guards", "can_short", "clocks", "freeze_timeout", "snapshot",
        "edges", "execution_model", "risk_limits", "observability",
    )  # fmt: skip
    _always(section, "share_policy", SHARE_POLICY)
    for key, statements in ALWAYS.items():
        _always_all(section, key, statements)
    return Gating(
        dataset_fingerprint=_text(section, "dataset_fingerprint"),
        can_short=_flag(section, "can_short", default=True),
        divergence=_guards(section),
        freeze_timeout=_freeze_timeout(section),
        edges=parse_edges(section),
        execution=parse_execution(section),
        limits=parse_limits(section),
        no_cross_context=_slo(section),
    )


def parse_live_promotion(root: Document) -> LivePromotion:
    if root.optional("governance") is None:
        return LivePromotion.MANUAL_APPROVAL
    governance = root.section("governance")
    governance.only("live_promotion")
    section = governance.section("live_promotion")
    section.only("mode")
    word = section.required("mode")
    refuse_later(f"{section.path}.{word}")
    return parse_word(word, f"{section.path}.mode", LivePromotion)


def parse_on_demote(root: Document) -> OnDemote:
    if root.optional("position_policy") is None:
        return OnDemote.HOLD
    section = root.section("position_policy")
    section.only("on_demote")
    word, path = section.required("on_demote"), f"{section.path}.on_demote"
    refuse_later(f"{path}.{word}")
    return parse_word(word, path, OnDemote)


def parse_windows(root: Document) -> tuple[Window, ...]:
    value = root.optional("activation_windows")
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= WINDOWS_MAX:
        raise refused_value("activation_windows", value, f"a list of 1 to {WINDOWS_MAX} windows")
    return tuple(
        _window(Document.at(f"activation_windows[{i}]", one, root.known_absent)) for i, one in enumerate(value)
    )


def stages_of_profiles(root: Document, names: Sequence[str]) -> Mapping[Stage, str]:
    """Which profile judges each stage: as said, else the one that is called like the stage; each has to be used."""
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


def _window(section: Document) -> Window:
    section.only("days", "from", "to", "tz")
    name = section.required("tz")
    try:
        zone(str(name))
    except (KeyError, ValueError, OSError):
        raise refused_value(f"{section.path}.tz", name, "an IANA zone like America/New_York or UTC") from None
    return Window(_days(section), _wall(section, "from"), _wall(section, "to"), str(name))


def _days(section: Document) -> frozenset[int]:
    value, path = section.required("days"), f"{section.path}.days"
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise refused_value(path, value, "a list like [mon..fri] or [sat, sun]")
    return frozenset(day for word in value for day in _span_of_days(word, path))


def _span_of_days(word: Plain, path: str) -> Sequence[int]:
    found = _DAYS.fullmatch(word) if isinstance(word, str) else None
    first, last = found.groups() if found else (word, word)
    if first not in DAYS or last not in DAYS:
        raise refused_value(path, word, f"days of {', '.join(DAYS)}, or a span like mon..fri")
    start, end = DAYS.index(str(first)), DAYS.index(str(last))
    return [(start + step) % len(DAYS) for step in range((end - start) % len(DAYS) + 1)]


def _wall(section: Document, key: str) -> time:
    value = section.required(key)
    found = _WALL.fullmatch(value) if isinstance(value, str) else None
    if found is None or (value == "24:00" and key == "from"):
        raise refused_value(f"{section.path}.{key}", value, 'a wall time in quotes, "00:00" to "24:00"')
    return time() if value == "24:00" else time(int(found[1]), int(found[2]))


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
        _always(found, name, value)


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


def _always(section: Document, key: str, value: str) -> None:
    given = section.optional(key)
    if given is not None and given != value:
        raise refused_value(f"{section.path}.{key}", given, f"{value}, which always holds")


def _text(section: Document, key: str) -> str:
    value = section.optional(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable() or value.isspace():
        raise refused_value(f"{section.path}.{key}", value, "1 to 200 printable characters, not all blank")
    return value


def _flag(section: Document, key: str, *, default: bool) -> bool:
    value = section.optional(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refused_value(f"{section.path}.{key}", value, "true or false")
    return value
