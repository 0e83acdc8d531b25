"""Who may bring a strategy live, and what a promoted or demoted one does with its positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest
from worldservice.policy.domain.document import (
    Document,
    parse_duration,
    parse_flag,
    parse_word,
    refused_value,
)

FLAT_WITHIN, FLAT_WITHIN_MAX = timedelta(hours=1), timedelta(days=30)
FLAT_SLIPPAGE_BPS, FLAT_SLIPPAGE_MAX = Decimal(20), Decimal(1000)


class LivePromotion(Enum):
    """Who may bring a strategy live: nobody, an owner's approval, or the loop where nothing blocks."""

    DISABLED = "disabled"
    MANUAL_APPROVAL = "manual_approval"
    AUTO_APPLY = "auto_apply"


@dataclass(frozen=True, slots=True)
class Governance:
    """Who may bring a strategy live. `two_person`: who asks for a promotion may not approve it."""

    live_promotion: LivePromotion = LivePromotion.MANUAL_APPROVAL
    two_person: bool = False


class OnDemote(Enum):
    """What becomes of what a strategy holds that traded and may not go on: nothing, it may reduce it itself, or
    brokerage closes it.
    """

    HOLD = "hold"
    DRAIN = "drain"
    FLAT = "flat"

    @property
    def drains(self) -> bool:
        """Whether who is demoted may still reduce."""
        return self is not OnDemote.HOLD


class OnPromote(Enum):
    """What a strategy that is promoted does with the target that it stands at: act on it, or take no more risk until
    the target changes.
    """

    ENTER = "enter"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class PositionPolicy:
    """What becomes of positions when a strategy is demoted or promoted.

    `flat_within`: how long brokerage tries to close them; `flat_slippage_bps`: how much worse than the mark it sells,
    or buys back.
    """

    on_demote: OnDemote = OnDemote.HOLD
    flat_within: timedelta = FLAT_WITHIN
    flat_slippage_bps: Decimal = FLAT_SLIPPAGE_BPS
    on_promote: OnPromote = OnPromote.ENTER


def parse_governance(root: Document) -> Governance:
    """The section governance; absent: an owner approves."""
    if root.optional("governance") is None:
        return Governance()
    governance = root.section("governance")
    governance.only("live_promotion")
    section = governance.section("live_promotion")
    section.only("mode", "two_person")
    mode = parse_word(section.required("mode"), f"{section.path}.mode", LivePromotion)
    return Governance(mode, parse_flag(section, "two_person", default=False))


def parse_positions(root: Document) -> PositionPolicy:
    """The section position_policy; absent: a demoted strategy holds what it has, a promoted one acts on its target."""
    if root.optional("position_policy") is None:
        return PositionPolicy()
    section = root.section("position_policy")
    section.only("on_demote", "on_promote", "flat_within", "flat_slippage_bps")
    promoted, on_promote = section.optional("on_promote"), OnPromote.ENTER
    if promoted is not None:
        on_promote = parse_word(promoted, f"{section.path}.on_promote", OnPromote)
    word, path = section.optional("on_demote"), f"{section.path}.on_demote"
    if word is None and (promoted is None or len(section.values) > 1):
        section.required("on_demote")
    on_demote = OnDemote.HOLD if word is None else parse_word(word, path, OnDemote)
    given = [key for key in ("flat_within", "flat_slippage_bps") if section.optional(key) is not None]
    if given and on_demote is not OnDemote.FLAT:
        raise refused_value(path, on_demote.value, f"flat beside {given[0]}")
    return PositionPolicy(on_demote, _flat_within(section), _flat_slippage(section), on_promote)


def _flat_within(section: Document) -> timedelta:
    value, path = section.optional("flat_within"), f"{section.path}.flat_within"
    if value is None:
        return FLAT_WITHIN
    within = parse_duration(value, path)
    if not timedelta(seconds=1) <= within <= FLAT_WITHIN_MAX:
        raise refused_value(path, value, "from 1s to 30d")
    return within


def _flat_slippage(section: Document) -> Decimal:
    value, path = section.optional("flat_slippage_bps"), f"{section.path}.flat_slippage_bps"
    if value is None:
        return FLAT_SLIPPAGE_BPS
    want = f'above 0 and at most {FLAT_SLIPPAGE_MAX}: a whole number, or a decimal in quotes like "2.5"'
    if isinstance(value, float | bool):
        raise refused_value(path, value, want)
    try:
        bps = parse_decimal(str(value), path)
    except InvalidRequest:
        raise refused_value(path, value, want) from None
    if not 0 < bps <= FLAT_SLIPPAGE_MAX:
        raise refused_value(path, value, want)
    return bps
