"""Weights within caps and floors, as exact shares: water filling, bands around today's shares, a target of volatility.

Caps come after the method, not inside it: within the bisection of hierarchical risk parity they would move weight
between halves that were already weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from qmtl.core.errors import InvalidRequest
from worldservice.allocation.domain.amounts import cut, text_of
from worldservice.allocation.domain.shares import SHARE_PLACES

UNIT = Fraction(1, 10**SHARE_PLACES)


def filled(
    weights: Sequence[Fraction], total: Fraction, floors: Sequence[Fraction], caps: Sequence[Fraction]
) -> list[Fraction]:
    """Shares that add up to `total`: weights by one factor, each within its floor and cap, exactly.

    What has weight 0 gets its floor, and more only where all others are at their caps. Raises InvalidRequest
    (E_CAPS_INFEASIBLE) with the sums.
    """
    least, most = sum(floors, Fraction(0)), sum(caps, Fraction(0))
    crossed = [index for index, (low, high) in enumerate(zip(floors, caps, strict=True)) if low > high]
    if crossed or not least <= total <= most:
        why = (
            f"floor of row {crossed[0]} is above its cap"
            if crossed
            else f"floors {text_of(least)}, caps {text_of(most)}"
        )
        want = f"floors <= {text_of(total, SHARE_PLACES)} <= caps"
        raise InvalidRequest("E_CAPS_INFEASIBLE", f"{why}, want {want}", hint="raise caps, lower floors or the total")
    factor = _factor(weights, total, floors, caps)
    shares = [min(max(factor * w, low), high) for w, low, high in zip(weights, floors, caps, strict=True)]
    missing = total - sum(shares, Fraction(0))
    if missing > 0:  # all with weight are at their caps
        room = [Fraction(0) if w else high - share for w, share, high in zip(weights, shares, caps, strict=True)]
        whole = sum(room, Fraction(0))
        shares = [share + missing * each / whole for share, each in zip(shares, room, strict=True)]
    return shares


def rounded(shares: Sequence[Fraction], total: Fraction) -> list[Fraction]:
    """Shares of at most 9 places that add up to `total` cut to as many, by largest remainder, ties to the earlier."""
    found = [cut(share, SHARE_PLACES) for share in shares]
    left = int((cut(total, SHARE_PLACES) - sum(found, Fraction(0))) / UNIT)
    order = sorted(range(len(found)), key=lambda i: (found[i] - shares[i], i))
    for index in order[:left]:
        found[index] += UNIT
    return found


def banded(
    shares: Sequence[Fraction], today: Sequence[Fraction], band: Fraction, total: Fraction,
    floors: Sequence[Fraction], caps: Sequence[Fraction],
) -> list[Fraction]:  # fmt: skip
    """Who is proposed a share within `band` of today's keeps today's; the others share what is left, in proportion.

    Raises InvalidRequest (E_CAPS_INFEASIBLE) where their floors and caps do not let them.
    """
    stays = [0 < abs(a - b) <= band or a == b for a, b in zip(shares, today, strict=True)]
    if all(stays):
        return list(today)
    low = [b if stay else f for b, f, stay in zip(today, floors, stays, strict=True)]
    high = [b if stay else c for b, c, stay in zip(today, caps, stays, strict=True)]
    return filled(shares, total, low, high)


def _factor(
    weights: Sequence[Fraction], total: Fraction, floors: Sequence[Fraction], caps: Sequence[Fraction]
) -> Fraction:
    """The factor at which clipped weights add up to `total`: their sum rises with it in straight pieces."""
    bends = sorted(
        {bound / w for w, low, high in zip(weights, floors, caps, strict=True) if w for bound in (low, high)}
    )
    if not bends:
        return Fraction(0)

    def at(factor: Fraction) -> Fraction:
        rows = zip(weights, floors, caps, strict=True)
        return sum((min(max(factor * w, low), high) for w, low, high in rows), Fraction(0))

    below, above = 0, len(bends) - 1
    if at(bends[above]) <= total:
        return bends[above]
    if at(bends[0]) >= total:
        return bends[0]
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if at(bends[middle]) <= total else (below, middle)
    low, high = at(bends[below]), at(bends[above])
    if high == low:
        return bends[below]
    return bends[below] + (bends[above] - bends[below]) * (total - low) / (high - low)
