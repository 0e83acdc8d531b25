"""Fills of a netted order, booked to the strategies it was sent for: in whole steps, exact at the end.

Of a cumulative fill F of an order of Q steps a share of d steps is owed |d| F/Q. Shares against the order cross with
the others at the fill's own price: floor(D- F/Q) steps of them (D- is their sum), and the others get F and as many.
Nothing booked is taken back. Each next step goes to the largest deficit; ties go to the earlier owner.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from fractions import Fraction


def attributed(shares: Sequence[int], filled: int, before: Sequence[int]) -> list[int]:
    """Signed steps of each share after `filled` of the order's |Q| steps, where `before` was booked until now.

    `shares`: signed whole steps in order of owner; their sum is the order, which is not 0. Raises ValueError for a fill
    that goes back or above the order.
    """
    whole = sum(shares)
    if not whole or not 0 <= filled <= abs(whole):
        raise ValueError(f"filled is {filled} of {whole} steps")
    sign = 1 if whole > 0 else -1
    along = [index for index, share in enumerate(shares) if share * sign > 0]
    against = [index for index, share in enumerate(shares) if share * sign < 0]
    part = Fraction(filled, abs(whole))
    crossed = int(sum(abs(shares[index]) for index in against) * part)
    found = list(before)
    for members, total, direction in ((along, filled + crossed, sign), (against, crossed, -sign)):
        got = _more([abs(shares[i]) for i in members], part, [abs(before[i]) for i in members], total)
        for index, steps in zip(members, got, strict=True):
            found[index] = direction * steps
    return found


def booked_after(shares: Sequence[int], lot: int, filled: int, before: Sequence[int]) -> list[int]:
    """Signed quantity of each share after `filled` of the order, in whole lots wherever the fill is.

    What a venue fills beyond the order goes to the largest share along it: it is a fact, and somebody's.
    """
    whole = sum(shares)
    most = min(filled, abs(whole))
    within = [max(min(got, share), 0) if share > 0 else min(max(got, share), 0)
              for got, share in zip(before, shares, strict=True)]  # fmt: skip
    step = lot if not any(each % lot for each in (most, *shares, *within)) else 1
    steps = attributed([each // step for each in shares], most // step, [each // step for each in within])
    found = [each * step for each in steps]
    if filled > abs(whole):
        sign = 1 if whole > 0 else -1
        found[max(range(len(shares)), key=lambda i: (shares[i] * sign, -i))] += sign * (filled - most)
    return found


def split_fee(fee: int, shares: Sequence[int]) -> list[int]:
    """A fee in its smallest units, by |shares|; what is left over goes to the largest, of equal ones to the earlier."""
    weights = [abs(share) for share in shares]
    whole = sum(weights)
    parts = [fee * weight // whole for weight in weights]
    largest = max(range(len(weights)), key=lambda index: (weights[index], -index))
    parts[largest] += fee - sum(parts)
    return parts


def _more(most: Sequence[int], part: Fraction, before: Sequence[int], total: int) -> list[int]:
    """Steps with as many more as `total` asks, each to the largest deficit, none above its most."""
    found, left = list(before), total - sum(before)
    if left < 0:
        raise ValueError(f"{sum(before)} steps are booked, more than {total}")
    deficits = [share * part - got for share, got in zip(most, before, strict=True)]
    if left > len(most):
        level = _level(deficits, most, before, left)
        for index, steps in enumerate(_down_to(level, deficits, most, before)):
            found[index] += steps
            deficits[index] -= steps
            left -= steps
    heap = [(-deficit, index) for index, deficit in enumerate(deficits) if found[index] < most[index]]
    heapq.heapify(heap)
    for _ in range(left):
        deficit, index = heapq.heappop(heap)
        found[index] += 1
        if found[index] < most[index]:
            heapq.heappush(heap, (deficit + 1, index))
    return found


def _level(deficits: Sequence[Fraction], most: Sequence[int], before: Sequence[int], left: int) -> int:
    """The lowest whole deficit to which all may come down with at most `left` steps."""
    low, high = -left - 1, int(max(deficits)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = sum(_down_to(middle, deficits, most, before)) <= left
        low, high = (low, middle) if fits else (middle, high)
    return high


def _down_to(level: int, deficits: Sequence[Fraction], most: Sequence[int], before: Sequence[int]) -> list[int]:
    """Steps that bring each deficit down to a level, none above its most."""
    rows = zip(deficits, most, before, strict=True)
    return [min(max(-((level - deficit) // 1), 0), room - got) for deficit, room, got in rows]
