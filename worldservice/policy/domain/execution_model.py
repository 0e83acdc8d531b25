"""What a simulation assumed of execution, and whether it was as strict as a policy asks.

Rates are shares of the notional, exact. In a policy None asks nothing; in a run nothing is left open.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest
from worldservice.policy.domain.document import Document, parse_word, refused_value

PLACES_MAX = 8  # of a rate: simulated accounts know no finer ones

PROFILE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)

BPS = Decimal(10_000)


class FillModel(Enum):
    """NEXT_BAR: on the bars that begin at or after an order's acceptance, never on the running one."""

    NEXT_BAR = "next_bar"


@dataclass(frozen=True, slots=True)
class ExecutionModel:
    """`participation` is the share of a bar's volume one strategy may take; 0 in a run: whatever it asks for.

    `profile` names the brokerage profile, with its kind of account; empty: none is asked, or the run had none by name.
    """

    fill: FillModel | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    slippage: Decimal | None = None
    participation: Decimal | None = None
    profile: str = ""

    @property
    def costs(self) -> Mapping[str, Decimal | None]:
        """What has to be as high as asked."""
        return {"maker_fee": self.maker_fee, "taker_fee": self.taker_fee, "slippage": self.slippage}


def lenient(asked: ExecutionModel, assumed: ExecutionModel) -> Iterator[str]:
    """Where a run made it easier for itself than was asked, one sentence each."""
    if asked.fill is not None and assumed.fill is not asked.fill:
        yield f"fill is {assumed.fill.value if assumed.fill else 'unknown'}, {asked.fill.value} is asked"
    for name, least in asked.costs.items():
        given = assumed.costs[name]
        if least is not None and (given is None or given < least):
            yield f"{name} is {_bps(given)}, at least {_bps(least)} is asked"
    if asked.profile and assumed.profile != asked.profile:
        yield f"profile is {assumed.profile or 'none by name'}, {asked.profile} is asked"
    most, taken = asked.participation, assumed.participation
    if most is not None and (taken is None or not 0 < taken <= most):
        yield f"participation is {'unlimited' if taken == 0 else taken}, at most {most} is asked"


def described(model: ExecutionModel) -> str:
    """The terms that a policy asks for, on one line of text."""
    parts = [model.fill.value] if model.fill else []
    parts += [f"{name} >= {_bps(rate)}" for name, rate in model.costs.items() if rate is not None]
    parts += [f"participation <= {model.participation}"] if model.participation is not None else []
    parts += [f"profile {model.profile}"] if model.profile else []
    return ", ".join(parts)


def _bps(rate: Decimal | None) -> str:
    return "unknown" if rate is None else f"{(rate * BPS).normalize():f} bps"


def parse_execution(gating: Document) -> ExecutionModel | None:
    """What backtests have to assume at least; None: nothing is asked."""
    if gating.optional("execution_model") is None:
        return None
    section = gating.section("execution_model")
    section.only("fill", "maker_fee_bps", "taker_fee_bps", "slippage_bps", "participation", "profile")
    if not section.values:
        raise refused_value(section.path, "empty", "at least one of fill, fees, slippage, participation and profile")
    return ExecutionModel(
        fill=_fill(section),
        maker_fee=_rate(section, "maker_fee_bps"),
        taker_fee=_rate(section, "taker_fee_bps"),
        slippage=_rate(section, "slippage_bps"),
        participation=_participation(section),
        profile=_profile(section),
    )


def _fill(section: Document) -> FillModel | None:
    word = section.optional("fill")
    return None if word is None else parse_word(word, f"{section.path}.fill", FillModel)


def _profile(section: Document) -> str:
    """A name as brokerage profiles have it; which there are is known to the brokerage and to the library."""
    name = section.optional("profile")
    if name is None:
        return ""
    if not isinstance(name, str) or not PROFILE.fullmatch(name):
        raise refused_value(f"{section.path}.profile", name, "the name of a brokerage profile, such as ibkr_equities")
    return name


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
