"""Which way pays for the decisions of a run: compiled code, the same functions in Python, or the event path.

What was done in Python is counted, so that compiling begins once it costs less than what it saves, in one run or in the
thousandth of a sweep. All ways lead to the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from qmtl.sdk.engine.compiling import is_kept, work_of
from qmtl.sdk.execution.compiled.kernel import forward

BARS_OF_A_DECISION = 70
"""What a decision and its fill take in Python, in bars at which margin is looked at: 28 us against 0.4 us."""
BARS_OF_AN_EVENT = 400
"""What a decision and its fill save beside the event path, in bars: at least 160 us."""
BARS_OF_EXITS, BARS_OF_A_LIST = 7, 4_000
"""The same for brackets: a bar at which exits are looked at in Python, and what a decision and its list take on the
event path.
"""
DECISIONS_OF_SEVERAL = 5
"""A decision on several symbols is so many on one."""
DEARER_BRACKETS, DEARER_SEVERAL = 2, 3
"""How many times as long their kernels take to compile: 5.5 s and 9 s."""
PAYS_FROM, PAYS_FROM_KEPT = 7_500_000, 500_000
"""Bars in Python from which compiling pays: 3 s of CPU once; what is kept on disk loads in 0.2 s."""


class Compiling(Enum):
    """When the plain stretches of a replay are compiled. PLAIN: the same functions in Python. NEVER: not even those."""

    NEVER = "never"
    WHERE_IT_PAYS = "where it pays"
    ALWAYS = "always"
    PLAIN = "plain"


def cheapest(
    decisions: int,
    bars: int,
    runs: int,
    kernel: Callable[..., object] = forward,
    event: int = BARS_OF_AN_EVENT,
    dearer: int = 1,
) -> Compiling:
    """The cheapest way through the first of so many runs alike. `bars`: those at which `kernel` looks at margin;
    `event`: what a decision saves beside the event path; `dearer`: how many times the 3 s its compiling takes.
    """
    work, cost = work_of(kernel), bars + BARS_OF_A_DECISION * decisions
    if not decisions:
        return Compiling.NEVER
    ahead = work.amount + cost * runs
    if work.made is not None or ahead >= PAYS_FROM * dearer or (ahead >= PAYS_FROM_KEPT and is_kept(kernel)):
        return Compiling.ALWAYS
    if event * decisions < bars:
        return Compiling.NEVER
    work.amount += cost
    return Compiling.PLAIN
