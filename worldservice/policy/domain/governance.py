"""Who may bring a strategy live, what a demoted one may still do, and the sections whose rules are not built yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from worldservice.policy.domain.document import Document, Plain, parse_flag, parse_word, require_constant

LATER: Mapping[str, str] = {
    "position_policy.on_promote.enter": "brokerage, complete",
    "position_policy.on_demote.flat": "brokerage, complete",
}


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
    """What a strategy that traded may do once it may not go on: nothing, or reduce what it holds."""

    HOLD = "hold"
    DRAIN = "drain"


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


def parse_on_demote(root: Document) -> OnDemote:
    """The section position_policy; absent: a demoted strategy holds what it has.

    `on_promote: keep` always holds: a promoted strategy acts at its next change of target.
    """
    if root.optional("position_policy") is None:
        return OnDemote.HOLD
    section = root.section("position_policy")
    section.only("on_demote", "on_promote")
    if (promoted := section.optional("on_promote")) is not None:
        refuse_later(f"{section.path}.on_promote.{promoted}")
        require_constant(section, "on_promote", "keep")
    elif not section.values:
        section.required("on_demote")
    word, path = section.optional("on_demote"), f"{section.path}.on_demote"
    if word is None:
        return OnDemote.HOLD
    refuse_later(f"{path}.{word}")
    return parse_word(word, path, OnDemote)
