"""Leading strategies out by a rule: what trades drains or freezes. It only narrows; coming back takes an operator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from qmtl.core.modes import EffectiveMode
from worldservice.activation.domain.activation import Activation, Entry, advanced, can_trade


def led_out(
    before: Activation, strategies: Collection[str] | None, mode: EffectiveMode, now: datetime, *, freeze: bool
) -> tuple[Activation, tuple[Entry, ...]]:
    """The activation with these strategies' entries that trade in `mode` narrowed, and those entries as they were.

    `strategies` None: all. `freeze`: nothing of them passes; else they drain, and what reduces passes. Nobody who
    drains already is drained again, and nobody is widened.
    """
    led: list[Entry] = []
    entries: list[Entry] = []
    for entry in before.entries:
        named = strategies is None or entry.strategy_id in strategies
        if named and entry.effective_mode is mode and can_trade(entry) and (freeze or not entry.drain):
            led.append(entry)
            done = replace(entry, freeze=True) if freeze else replace(entry, drain=True)
            entries.append(replace(done, changed_at=now))
        else:
            entries.append(entry)
    return (advanced(before, entries, now) if led else before), tuple(led)


def takes_risk(activation: Activation, mode: EffectiveMode) -> frozenset[str]:
    """Strategies with an entry that may take new risk in a mode: they trade there and neither drain nor are frozen."""
    return frozenset(
        entry.strategy_id
        for entry in activation.entries
        if entry.effective_mode is mode and can_trade(entry) and not entry.drain
    )
