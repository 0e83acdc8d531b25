"""What is asked of a plan, from its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import Exhausted, InvalidRequest, refused
from qmtl.core.identity.canonical import digest
from qmtl.wire.fields import enum_from_proto, require_text
from qmtl.wire.instants import span_from_proto
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.allocation.domain.amounts import fraction_of
from worldservice.allocation.domain.plan import PRICE_AGE_MAX, VALID_FOR, Approach, Asked
from worldservice.allocation.domain.scaling import ExplicitScales, ScaleMode, Scales
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import ROWS_MAX, Row, Terms
from worldservice.allocation.domain.trading.cost import Market
from worldservice.allocation.domain.trading.netting import Execution, Split
from worldservice.allocation.domain.trading.overlay import COST_MAX_BPS, Proxy
from worldservice.allocation.domain.trading.pace import Aversion, left_after, urgency

SCALE_MAX = 1_000
SLIPPAGE_MAX_BPS = 1_000
HORIZON_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WantedPlan:
    """A request as read: `revisions` (before, after) or `explicit` scales, and the rest."""

    account: str
    content: str
    revisions: tuple[int, int] | None
    explicit: ExplicitScales
    mode: ScaleMode
    execution: Execution
    approach: Approach
    band: Fraction
    rows: tuple[Row, ...]
    valid_for: timedelta
    price_age_max: timedelta
    markets: Mapping[str, Market]
    days: Decimal
    cost_max_bps: Decimal
    proxies: Mapping[str, tuple[str, str]]
    split: Split
    slice_interval: timedelta | None

    def asked(self, scales: Scales, changes: Mapping[str, Fraction], proxies: Mapping[str, Proxy]) -> Asked:
        """What the plan is asked, once its scales and the prices of its proxies are known."""
        return Asked(
            self.content,
            scales,
            changes,
            self.mode,
            self.execution,
            self.approach,
            self.band,
            self.split,
            self.valid_for,
            self.price_age_max,
            self.markets,
            self.days,
            self.cost_max_bps,
            proxies,
        )


def wanted_from_proto(message: rebalancepb.RebalanceRequest) -> WantedPlan:
    """Raises InvalidRequest (E_FIELD, E_ENUM, E_DECIMAL, E_DUPLICATE_KEY, E_PACE, E_DURATION), Exhausted."""
    kind = message.WhichOneof("scales")
    if kind is None:
        raise refused("E_FIELD", "rebalance.scales", "unset", "revisions or explicit")
    pace = message.pace
    _check_slippage(message.slippage_max_bps)
    return WantedPlan(
        require_text(message.account, "rebalance.account"),
        digest(message.SerializeToString(deterministic=True)),
        _revisions(message.revisions) if kind == "revisions" else None,
        _explicit(message.explicit),
        _mode(message),
        _execution(message),
        _approach(message),
        _number(message.band, "rebalance.band", Fraction(0)),
        tuple(_row(row, f"rebalance.constraints[{index}]") for index, row in enumerate(message.constraints)),
        _span(message, "valid_for", VALID_FOR),
        _span(message, "price_age_max", PRICE_AGE_MAX),
        _markets(message.markets),
        _days(message.days),
        _decimal(message.cost_max_bps, "rebalance.cost_max_bps", COST_MAX_BPS),
        _proxies(message),
        _split(pace) if message.HasField("pace") else Split(),
        _interval(pace),
    )


def _revisions(message: rebalancepb.ShareRevisions) -> tuple[int, int]:
    if message.before_revision < 0 or message.after_revision < 1:
        shown = f"{message.before_revision}, {message.after_revision}"
        raise refused(
            "E_FIELD", "rebalance.revisions", shown, "before_revision of 0 or more, after_revision of 1 or more"
        )
    return message.before_revision, message.after_revision


def _explicit(message: rebalancepb.ExplicitScales) -> ExplicitScales:
    worlds: dict[str, Fraction] = {}
    strategies: dict[Owner, Fraction] = {}
    for index, row in enumerate(message.worlds):
        path = f"rebalance.explicit.worlds[{index}]"
        if row.world_id in worlds:
            raise refused("E_DUPLICATE_KEY", path, row.world_id, "each once")
        worlds[require_text(row.world_id, f"{path}.world_id")] = _scale(row.share, path)
    for index, each in enumerate(message.strategies):
        path, owner = f"rebalance.explicit.strategies[{index}]", Owner(each.world_id, each.strategy_id)
        if owner in strategies:
            raise refused("E_DUPLICATE_KEY", path, "/".join(owner), "each once")
        strategies[owner] = _scale(each.share, path)
    return ExplicitScales(worlds, strategies)


def _scale(text: str, path: str) -> Fraction:
    value = fraction_of(text, f"{path}.share")
    if not 0 <= value <= SCALE_MAX:
        raise refused("E_FIELD", f"{path}.share", text, f"0 to {SCALE_MAX}")
    return value


def _mode(message: rebalancepb.RebalanceRequest) -> ScaleMode:
    number = message.mode or rebalancepb.SCALE_MODE_EXACT
    return enum_from_proto(number, rebalancepb.ScaleMode, "SCALE_MODE_", ScaleMode, "rebalance.mode")


def _execution(message: rebalancepb.RebalanceRequest) -> Execution:
    number = message.execution or rebalancepb.REBALANCE_EXECUTION_PER_WORLD
    names = rebalancepb.RebalanceExecution
    return enum_from_proto(number, names, "REBALANCE_EXECUTION_", Execution, "rebalance.execution")


def _approach(message: rebalancepb.RebalanceRequest) -> Approach:
    number = message.approach or rebalancepb.REBALANCE_APPROACH_SCALE
    names = rebalancepb.RebalanceApproach
    return enum_from_proto(number, names, "REBALANCE_APPROACH_", Approach, "rebalance.approach")


def _row(message: rebalancepb.OrderConstraint, path: str) -> Row:
    def number(name: str, text: str) -> Fraction | None:
        return fraction_of(text, f"{path}.{name}") if text else None

    terms = Terms(
        number("lot", message.lot),
        number("quantity_min", message.quantity_min),
        number("notional_min", message.notional_min),
        number("order_notional_max", message.order_notional_max),
        message.canonical_symbol or None,
    )
    return Row(message.venue, message.symbol, terms)


def _markets(rows: Sequence[rebalancepb.SymbolMarket]) -> dict[str, Market]:
    if len(rows) > ROWS_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"{len(rows)} markets, want at most {ROWS_MAX}")
    found: dict[str, Market] = {}
    for index, row in enumerate(rows):
        path = f"rebalance.markets[{index}]"
        if row.symbol in found:
            raise refused("E_DUPLICATE_KEY", path, row.symbol, "each once")
        found[require_text(row.symbol, f"{path}.symbol")] = _market(row, path)
    return found


def _market(row: rebalancepb.SymbolMarket, path: str) -> Market:
    def number(name: str, text: str) -> Decimal | None:
        value = parse_decimal(text, f"{path}.{name}") if text else None
        if value is not None and value < 0:
            raise refused("E_FIELD", f"{path}.{name}", text, "0 or more")
        return value

    correlation = parse_decimal(row.correlation, f"{path}.correlation") if row.correlation else None
    if correlation is not None and not -1 <= correlation <= 1:
        raise refused("E_FIELD", f"{path}.correlation", row.correlation, "-1 to 1")
    return Market(
        number("daily_vol", row.daily_vol or "0") or Decimal(0),
        number("daily_volume", row.daily_volume),
        number("half_spread_bps", row.half_spread_bps) or Decimal(0),
        number("fee_bps", row.fee_bps) or Decimal(0),
        number("shares_outstanding", row.shares_outstanding),
        parse_decimal(row.beta, f"{path}.beta") if row.beta else None,
        correlation,
    )


def _proxies(message: rebalancepb.RebalanceRequest) -> dict[str, tuple[str, str]]:
    """Venue and symbol by world. Raises InvalidRequest (E_FIELD, E_DUPLICATE_KEY)."""
    found: dict[str, tuple[str, str]] = {}
    for index, row in enumerate(message.proxies):
        path = f"rebalance.proxies[{index}]"
        if row.world_id in found:
            raise refused("E_DUPLICATE_KEY", path, row.world_id, "each once")
        found[require_text(row.world_id, f"{path}.world_id")] = (row.venue, require_text(row.symbol, f"{path}.symbol"))
    if message.approach == rebalancepb.REBALANCE_APPROACH_OVERLAY and message.explicit.strategies:
        path = "rebalance.explicit.strategies"
        raise refused("E_FIELD", path, str(len(message.explicit.strategies)), "none: OVERLAY hedges whole worlds")
    return found


def _split(pace: rebalancepb.Pace) -> Split:
    k = Decimal(0)
    if pace.risk_aversion:
        named = (pace.risk_aversion, pace.volatility, pace.eta, pace.gamma)
        names = ("risk_aversion", "volatility", "eta", "gamma")
        k = urgency(
            Aversion(*(parse_decimal(text, f"rebalance.pace.{name}") for text, name in zip(named, names, strict=True)))
        )
    return Split(left_after(pace.slices, k))


def _interval(pace: rebalancepb.Pace) -> timedelta | None:
    if not pace.HasField("horizon"):
        return None
    horizon = span_from_proto(pace.horizon, "rebalance.pace.horizon")
    if not timedelta(0) <= horizon <= HORIZON_MAX:
        raise refused("E_FIELD", "rebalance.pace.horizon", str(horizon), f"0 to {HORIZON_MAX}")
    return horizon / max(pace.slices, 1)


def _span(message: rebalancepb.RebalanceRequest, name: str, default: timedelta) -> timedelta:
    return span_from_proto(getattr(message, name), f"rebalance.{name}") if message.HasField(name) else default


def _number(text: str, path: str, default: Fraction) -> Fraction:
    value = fraction_of(text, path) if text else default
    if value < 0:
        raise refused("E_FIELD", path, text, "0 or more")
    return value


def _decimal(text: str, path: str, default: Decimal) -> Decimal:
    return parse_decimal(text, path) if text else default


def _check_slippage(text: str) -> None:
    """The executor reads it of the recorded request."""
    if text and not 0 < parse_decimal(text, "rebalance.slippage_max_bps") <= SLIPPAGE_MAX_BPS:
        raise refused("E_FIELD", "rebalance.slippage_max_bps", text, f"above 0, at most {SLIPPAGE_MAX_BPS}")


def _days(text: str) -> Decimal:
    days = _decimal(text, "rebalance.days", Decimal(1))
    if not 0 < days <= 365:
        raise InvalidRequest("E_FIELD", f"rebalance.days is {text}, want above 0, at most 365")
    return days
