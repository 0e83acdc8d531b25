"""The targets of an apply: which may be switched to now, and which the policy selects by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from qmtl.core.errors import NotFound, NotReady
from qmtl.core.modes import EffectiveMode, lower
from worldservice.activation.domain.activation import Entry
from worldservice.evaluation.domain.decision import Verdicts
from worldservice.worlds.domain.binding import Binding, RaisedLive, Side, Stage, mode_of
from worldservice.worlds.domain.block import EnteringLive


def check_targets(targets: Sequence[Target], bindings: Mapping[str, Binding], verdicts: Verdicts) -> None:
    """Raises NotFound (E_BINDING_UNKNOWN), NotReady (E_MODE_CEILING, E_LIVE_FORBIDDEN)."""
    for target in targets:
        binding = bindings.get(target.strategy_id)
        if binding is None or target.side not in binding.sides:
            raise NotFound("E_BINDING_UNKNOWN", f"{target.strategy_id} is not bound here for {target.side.value}")
        allowed = verdicts.ceiling_of(target.strategy_id, target.side)
        if lower(allowed, mode_of(target.stage)) is mode_of(target.stage):
            continue
        live = target.stage is Stage.LIVE
        raise NotReady(
            "E_LIVE_FORBIDDEN" if live else "E_MODE_CEILING",
            f"stage of {target.strategy_id} is {target.stage.value}, the world allows {allowed.value} to it now: "
            f"{', '.join(verdicts.decision.reasons) or 'not approved or not selected itself'}",
            hint="ask Decide and the evaluation report for the reasons",
            metadata={"ceiling": allowed.value},
        )


def evaluated_targets(
    verdicts: Verdicts, bindings: Mapping[str, Binding], entries: Sequence[Entry]
) -> tuple[Target, ...]:
    """What the pipeline selects: to paper, and live who is live. `entries` is what stands, or stood before a freeze."""
    known = {(entry.strategy_id, entry.side): entry for entry in entries}
    found = []
    for strategy_id in sorted(verdicts.decision.selected):
        binding = bindings[strategy_id]
        for side in sorted(binding.sides, key=lambda side: side.value):
            entry, allowed = known.get((strategy_id, side)), verdicts.ceiling_of(strategy_id, side)
            live = binding.stage is Stage.LIVE and allowed is EffectiveMode.LIVE and _takes_risk_live(entry)
            stage = Stage.LIVE if live else Stage.PAPER
            if lower(allowed, mode_of(stage)) is mode_of(stage):
                found.append(Target(strategy_id, side, 1.0 if entry is None else entry.weight, stage))
    return tuple(found)


def entering_live(targets: Sequence[Target], standing: Sequence[Entry]) -> tuple[EnteringLive, ...]:
    """The strategies that targets take live and that take no risk live as it stands, or stood before a freeze."""
    live = {entry.strategy_id for entry in standing if _takes_risk_live(entry)}
    weights: dict[str, float] = {}
    for target in targets:
        if target.stage is Stage.LIVE and target.strategy_id not in live:
            weights[target.strategy_id] = max(weights.get(target.strategy_id, 0.0), target.weight)
    return tuple(EnteringLive(name, Decimal(repr(weight))) for name, weight in weights.items())


def raised_live(targets: Sequence[Target], standing: Sequence[Entry]) -> tuple[RaisedLive, ...]:
    """The sides that targets give more weight live than they have as it stands; who is not live there has none."""
    known = {(entry.strategy_id, entry.side): entry for entry in standing}
    found = []
    for target in targets:
        entry = known.get((target.strategy_id, target.side))
        before = entry.weight if entry is not None and _takes_risk_live(entry) else 0.0
        if target.stage is Stage.LIVE and target.weight > before:
            on_paper = entry is not None and entry.active and entry.effective_mode is EffectiveMode.PAPER
            paper = entry.weight if entry is not None and on_paper else None
            found.append(RaisedLive(target.strategy_id, target.side, target.weight, paper))
    return tuple(found)


def _takes_risk_live(entry: Entry | None) -> bool:
    """Whether it takes new risk live: who drains or is frozen has to be brought back by name."""
    if entry is None or entry.freeze or entry.drain:
        return False
    return entry.active and entry.effective_mode is EffectiveMode.LIVE


@dataclass(frozen=True, slots=True)
class Target:
    """What one strategy and side is to be after an apply."""

    strategy_id: str
    side: Side
    weight: float
    stage: Stage
