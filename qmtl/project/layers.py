"""The layers of a project: what each is for, which it needs, and the function by which the next one uses it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from qmtl.core.errors import InvalidRequest


class Layer(StrEnum):
    """One responsibility of a strategy project, in the order in which they build on each other."""

    DATA = "data"
    SIGNAL = "signal"
    EXECUTION = "execution"
    BROKERAGE = "brokerage"
    MONITORING = "monitoring"


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """`function` and `arguments`: what the layer's package has to define."""

    summary: str
    needs: tuple[Layer, ...]
    function: str
    arguments: tuple[str, ...]


FACTS = {
    Layer.DATA: LayerFacts("inputs: streams, history, presets, synthetic bars", (), "inputs", ()),
    Layer.SIGNAL: LayerFacts("indicators, transforms, models; no orders", (Layer.DATA,), "signals", ("inputs",)),
    Layer.EXECUTION: LayerFacts(
        "sizing, risk control and timing of what is traded", (Layer.SIGNAL,), "orders", ("signals", "inputs")
    ),
    Layer.BROKERAGE: LayerFacts("account, venue profile, limits, live guard", (Layer.EXECUTION,), "profile", ()),
    Layer.MONITORING: LayerFacts("metrics, alerts, notebooks on results; reads only", (), "monitors", ()),
}


def layer_named(name: str) -> Layer:
    """Raises InvalidRequest (E_LAYER_UNKNOWN)."""
    if name not in set(Layer):
        raise InvalidRequest("E_LAYER_UNKNOWN", f"layer is {name!r}, want one of {', '.join(Layer)}")
    return Layer(name)


def missing(chosen: Collection[Layer]) -> tuple[Layer, ...]:
    """Layers that the chosen ones need, directly or not, and that are not chosen; lowest first."""
    wanted = set(chosen)
    for layer in reversed(Layer):
        if layer in wanted:
            wanted.update(FACTS[layer].needs)
    return tuple(layer for layer in Layer if layer in wanted and layer not in chosen)


def below(layer: Layer) -> tuple[Layer, ...]:
    """Every layer that this one builds on, lowest first: what it may import."""
    return missing([layer])
