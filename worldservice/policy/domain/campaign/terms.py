"""What a campaign asks of a strategy, stage by stage; every part has a default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from qmtl.core.errors import NotReady
from worldservice.policy.domain.campaign.demotion import DemotionRule, parse_demotions
from worldservice.policy.domain.document import Document, parse_duration, parse_flag, refused_value

CANARY_MAX = 16
DAYS_MAX = 3650


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """A share of the target weight, above 0 and below 1, and the live data days it is held at least."""

    share: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class BacktestTerms:
    """What a backtest has to show. `pbo_required`: the policy writes max_pbo, so an unknown one blocks too."""

    window: timedelta = timedelta(days=365)
    min_trades: int = 100
    deflated_sharpe: float = 0.95
    max_pbo: float = 0.2
    pbo_required: bool = False


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """What paper trading has to show. `auto`: the loop raises to paper by itself."""

    window: timedelta = timedelta(days=30)
    min_trades: int = 30
    min_coverage: float = 0.98
    auto: bool = False


@dataclass(frozen=True, slots=True)
class LiveTerms:
    """How many trade live at most, how long a demoted one waits, and the canary's steps."""

    max_slots: int = 8
    cooldown: timedelta = timedelta(days=7)
    canary: tuple[CanaryStep, ...] = (
        CanaryStep(Decimal("0.1"), 5),
        CanaryStep(Decimal("0.25"), 5),
        CanaryStep(Decimal("0.5"), 10),
    )


@dataclass(frozen=True, slots=True)
class DivergenceTerms:
    """What live and paper may differ from their replay by; fractions, basis points, a year's tracking error.

    `psi_required`: the policy writes psi_max, so a strategy without compared features is UNKNOWN.
    """

    window: timedelta = timedelta(days=20)
    max_age: timedelta = timedelta(days=3)
    match_min: float = 0.95
    fill_min: float = 0.9
    slippage_max_bps: float = 15.0
    tracking_error_max: float = 0.05
    psi_max: float = 0.25
    min_pairs: int = 10
    psi_required: bool = False


@dataclass(frozen=True, slots=True)
class CampaignTerms:
    """The whole section."""

    backtest: BacktestTerms = field(default_factory=BacktestTerms)
    paper: PaperTerms = field(default_factory=PaperTerms)
    live: LiveTerms = field(default_factory=LiveTerms)
    divergence: DivergenceTerms = field(default_factory=DivergenceTerms)
    demote: tuple[DemotionRule, ...] = ()
    divergence_written: bool = False  # whether the policy writes campaign.divergence, which asks for reports
    live_written: bool = False  # whether the policy writes campaign.live, which asks for on_demote: drain or flat


def parse_campaign(root: Document) -> CampaignTerms | None:
    """The section campaign; None when it is absent. Raises InvalidRequest (E_POLICY_...)."""
    if root.optional("campaign") is None:
        return None
    section = root.section("campaign")
    section.only("backtest", "paper", "live", "divergence", "demote")
    return CampaignTerms(
        backtest=_backtest(_part(section, "backtest", "window", "min_trades", "deflated_sharpe", "max_pbo")),
        paper=_paper(_part(section, "paper", "window", "min_trades", "min_coverage", "auto")),
        live=_live(_part(section, "live", "max_slots", "cooldown", "canary")),
        divergence=_divergence(
            _part(
                section,
                "divergence",
                "window",
                "max_age",
                "match_min",
                "fill_min",
                "slippage_max_bps",
                "tracking_error_max",
                "psi_max",
                "min_pairs",
            )
        ),
        demote=parse_demotions(section),
        divergence_written=section.optional("divergence") is not None,
        live_written=section.optional("live") is not None,
    )


def _part(section: Document, key: str, *keys: str) -> Document:
    """A part with its keys checked; an absent part is an empty one."""
    path = f"{section.path}.{key}"
    if section.optional(key) is None:
        return Document.at(path, {})
    part = section.section(key)
    part.only(*keys)
    return part


def _backtest(part: Document) -> BacktestTerms:
    usual = BacktestTerms()
    return BacktestTerms(
        window=_span(part, "window", usual.window),
        min_trades=_count(part, "min_trades", usual.min_trades),
        deflated_sharpe=_number(part, "deflated_sharpe", usual.deflated_sharpe, below=1.0),
        max_pbo=_number(part, "max_pbo", usual.max_pbo, below=1.0),
        pbo_required=part.optional("max_pbo") is not None,
    )


def _paper(part: Document) -> PaperTerms:
    usual = PaperTerms()
    return PaperTerms(
        window=_span(part, "window", usual.window),
        min_trades=_count(part, "min_trades", usual.min_trades),
        min_coverage=_number(part, "min_coverage", usual.min_coverage, below=1.0),
        auto=parse_flag(part, "auto", default=usual.auto),
    )


def _live(part: Document) -> LiveTerms:
    usual = LiveTerms()
    return LiveTerms(
        max_slots=_count(part, "max_slots", usual.max_slots),
        cooldown=_span(part, "cooldown", usual.cooldown),
        canary=_canary(part, usual.canary),
    )


def _divergence(part: Document) -> DivergenceTerms:
    usual = DivergenceTerms()
    return DivergenceTerms(
        window=_span(part, "window", usual.window),
        max_age=_span(part, "max_age", usual.max_age),
        match_min=_number(part, "match_min", usual.match_min, below=1.0),
        fill_min=_number(part, "fill_min", usual.fill_min, below=1.0),
        slippage_max_bps=_number(part, "slippage_max_bps", usual.slippage_max_bps, below=10_000.0),
        tracking_error_max=_number(part, "tracking_error_max", usual.tracking_error_max, below=100.0),
        psi_max=_number(part, "psi_max", usual.psi_max, below=100.0),
        min_pairs=_count(part, "min_pairs", usual.min_pairs),
        psi_required=part.optional("psi_max") is not None,
    )


def _canary(part: Document, usual: tuple[CanaryStep, ...]) -> tuple[CanaryStep, ...]:
    value, path = part.optional("canary"), f"{part.path}.canary"
    if value is None:
        return usual
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > CANARY_MAX:
        raise refused_value(path, value, f"a list of at most {CANARY_MAX} steps like {{share: 0.1, days: 5}}")
    steps = tuple(_step(Document.at(f"{path}[{place}]", each)) for place, each in enumerate(value))
    if list(steps) != sorted(steps, key=lambda one: one.share) or len({one.share for one in steps}) != len(steps):
        raise refused_value(path, [str(one.share) for one in steps], "shares that rise from step to step")
    return steps


def _step(part: Document) -> CanaryStep:
    part.only("share", "days")
    share, path = part.required("share"), f"{part.path}.share"
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise refused_value(path, share, "a number above 0 and below 1")
    part.required("days")
    return CanaryStep(Decimal(str(share)), _count(part, "days", 0))


def _span(part: Document, key: str, usual: timedelta) -> timedelta:
    value = part.optional(key)
    return usual if value is None else parse_duration(value, f"{part.path}.{key}")


def _count(part: Document, key: str, usual: int) -> int:
    value = part.optional(key)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise refused_value(f"{part.path}.{key}", value, "a whole number from 0 to 1000000")
    return value


def _number(part: Document, key: str, usual: float, *, below: float) -> float:
    value = part.optional(key)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= below:
        raise refused_value(f"{part.path}.{key}", value, f"a number from 0 to {below:g}")
    return float(value)


def no_campaign(world_id: str) -> NotReady:
    """The refusal (E_NO_CAMPAIGN) of what needs a section campaign."""
    text = f"the policy of world {world_id} has no section campaign"
    return NotReady("E_NO_CAMPAIGN", text, hint=f"docs/campaigns.md has one: qmtl world policy set {world_id} FILE")
