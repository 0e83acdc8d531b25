"""The terms of a gating policy that others keep: edges that applies open, execution that runs assume, limits of risk.

Money and rates are exact: whole numbers, or decimals in quotes; a decimal that YAML would read as a float is refused
where it is money.
"""

from collections.abc import Sequence
from decimal import Decimal

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import ExecutionDomain
from worldservice.domain.document import Document, Plain, parse_word, refused_value
from worldservice.domain.edges import EdgePolicy
from worldservice.domain.execution import BPS, ExecutionModel, FillModel

PLACES_MAX = 8  # of a rate: simulated accounts know no finer ones
DIGITS_MAX = 18  # of an amount, before the point and after it together
_DOMAINS = {"dryrun": ExecutionDomain.DRYRUN, "live": ExecutionDomain.LIVE}
_AMOUNT = 'above 0: a whole number, or a decimal in quotes like "2500.50"'


def parse_edges(gating: Document) -> EdgePolicy | None:
    """What an apply opens is part of what is shut until then; unless said it is all of it."""
    if gating.optional("edges") is None:
        return None
    section = gating.section("edges")
    section.only("pre_promotion", "post_promotion")
    before = section.section("pre_promotion")
    before.only("disable_edges_to")
    shut = _domains(before, "disable_edges_to")
    if section.optional("post_promotion") is None:
        return EdgePolicy(shut, shut)
    after = section.section("post_promotion")
    after.only("enable_edges_to")
    opens = _domains(after, "enable_edges_to")
    if not opens <= shut:
        raise refused_value(
            f"{after.path}.enable_edges_to", after.values["enable_edges_to"], "of what pre_promotion disables"
        )
    return EdgePolicy(shut, opens)


def parse_execution(gating: Document) -> ExecutionModel | None:
    if gating.optional("execution_model") is None:
        return None
    section = gating.section("execution_model")
    section.only("fill", "maker_fee_bps", "taker_fee_bps", "slippage_bps", "participation")
    if not section.values:
        raise refused_value(section.path, "empty", "at least one of fill, fees, slippage and participation")
    return ExecutionModel(
        fill=_fill(section),
        maker_fee=_rate(section, "maker_fee_bps"),
        taker_fee=_rate(section, "taker_fee_bps"),
        slippage=_rate(section, "slippage_bps"),
        participation=_participation(section),
    )


def parse_limits(gating: Document) -> RiskLimits:
    if gating.optional("risk_limits") is None:
        return UNLIMITED
    section = gating.section("risk_limits")
    section.only("max_order_notional", "max_position_notional", "max_gross_notional", "max_net_notional")
    position = None if section.optional("max_position_notional") is None else section.section("max_position_notional")
    if position is not None:
        position.only("long", "short")
    limits = RiskLimits(
        order_notional_max=_amount(section, "max_order_notional"),
        long_notional_max=_amount(position, "long"),
        short_notional_max=_amount(position, "short"),
        gross_notional_max=_amount(section, "max_gross_notional"),
        net_notional_max=_amount(section, "max_net_notional"),
    )
    if limits == UNLIMITED:
        raise refused_value(section.path, "no limit", "at least one limit")
    return limits


def _domains(section: Document, key: str) -> frozenset[ExecutionDomain]:
    """One word, or a list of them."""
    value, path = section.required(key), f"{section.path}.{key}"
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not words:
        raise refused_value(path, value, "dryrun, live or both as a list")
    return frozenset(_domain(word, path) for word in words)


def _domain(word: Plain, path: str) -> ExecutionDomain:
    if not isinstance(word, str) or word not in _DOMAINS:
        raise refused_value(path, word, "dryrun or live: what is evaluated is computed in backtest, always")
    return _DOMAINS[word]


def _fill(section: Document) -> FillModel | None:
    word = section.optional("fill")
    return None if word is None else parse_word(word, f"{section.path}.fill", FillModel)


def _rate(section: Document, key: str) -> Decimal | None:
    """Basis points, as the share they are."""
    value = _number(section, key)
    if value is not None and not (0 <= value <= BPS and _simulable(value / BPS)):
        want = f"basis points from 0 to {BPS}, to {PLACES_MAX - 4} places"
        raise refused_value(f"{section.path}.{key}", section.values[key], want)
    return None if value is None else value / BPS


def _participation(section: Document) -> Decimal | None:
    value = _number(section, "participation")
    if value is not None and not (0 < value <= 1 and _simulable(value)):
        want = f"above 0, at most 1, to {PLACES_MAX} places"
        raise refused_value(f"{section.path}.participation", section.values["participation"], want)
    return value


def _simulable(rate: Decimal) -> bool:
    return rate == rate.quantize(Decimal(1).scaleb(-PLACES_MAX))


def _number(section: Document, key: str) -> Decimal | None:
    """A rate as it is written; the float YAML makes of it has the same shortest decimal."""
    value, path = section.optional(key), f"{section.path}.{key}"
    if value is None:
        return None
    try:
        written = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
        return parse_decimal("" if isinstance(value, bool) else written, path)
    except InvalidRequest:
        raise refused_value(path, value, "a plain decimal number") from None


def _amount(section: Document | None, key: str) -> Decimal | None:
    value = None if section is None else section.optional(key)
    if section is None or value is None:
        return None
    path = f"{section.path}.{key}"
    if isinstance(value, float | bool):
        raise refused_value(path, value, _AMOUNT)
    try:
        amount = parse_decimal(str(value), path)
    except InvalidRequest:
        raise refused_value(path, value, _AMOUNT) from None
    if amount <= 0 or len(amount.as_tuple().digits) > DIGITS_MAX:
        raise refused_value(path, value, f"{_AMOUNT}, of at most {DIGITS_MAX} digits")
    return amount
