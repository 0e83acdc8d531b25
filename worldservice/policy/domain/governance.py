"""Who may bring a strategy live, what a demoted one may still do, and the sections whose rules are not built yet."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from worldservice.policy.domain.document import Document, Plain, parse_word

LATER: Mapping[str, str] = {
    "campaign": "campaigns",
    "position_policy.on_promote": "brokerage, complete",
    "position_policy.on_demote.flat": "brokerage, complete",
    "governance.live_promotion.auto_apply": "campaigns",
}


class LivePromotion(Enum):
    """Who may bring a strategy live. Acting by itself comes with campaigns."""

    DISABLED = "disabled"
    MANUAL_APPROVAL = "manual_approval"


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


def parse_live_promotion(root: Document) -> LivePromotion:
    """The section governance; absent: an owner approves."""
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
    """The section position_policy; absent: a demoted strategy holds what it has."""
    if root.optional("position_policy") is None:
        return OnDemote.HOLD
    section = root.section("position_policy")
    section.only("on_demote")
    word, path = section.required("on_demote"), f"{section.path}.on_demote"
    refuse_later(f"{path}.{word}")
    return parse_word(word, path, OnDemote)
