"""Ids that nothing else has, of calls, traces and events: they need not be hard to guess.

The operating system is asked once, when the process starts: to ask it for each id hands the interpreter to another
thread, inside transactions too.
"""

from __future__ import annotations

import os
from random import Random
from typing import Final

_CHANCE: Final = Random()  # of its own, seeded by the system: whoever seeds the shared one repeats no id
os.register_at_fork(after_in_child=_CHANCE.seed)  # two processes do not go on with the same


def new_id(digits: int = 32) -> str:
    """Hexadecimal digits, each by chance; with the usual 32 two are never the same."""
    return f"{_CHANCE.getrandbits(4 * digits):0{digits}x}"
