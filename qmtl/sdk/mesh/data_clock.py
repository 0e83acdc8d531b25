"""A session's bars on one clock: fed to the graph as they became known, those of one close together."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.engine.streaming import Emission, StreamEngine
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import StreamInput
from qmtl.sdk.mesh.history import Market
from qmtl.sdk.mesh.wire.bars import LiveBar
from qmtl.wire.volumes import volume_unit_from_proto

OnMade = Callable[[Sequence[Emission]], None]
"""Hears of what an instant made."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An instant at which bars became known, and all that follows from them. `closed`: the bars by their preset."""

    close_ns: int
    emissions: Sequence[Emission]
    closed: Mapping[str, LiveBar]


class DataClock:
    """Feeds a graph. Bars of presets that the graph has no source in are left out."""

    def __init__(self, dag: Dag, market: Market) -> None:
        self._dag = dag
        self._engine = StreamEngine(dag)
        self._sources = {member.name: _sources_of(dag, member) for member in market.members}
        self._only = market.members[0].name if len(market.members) == 1 else ""
        self._members = market.members
        self._played = {member.name: _Played() for member in market.members}
        self._waiting: list[LiveBar] = []
        self._through_ns = 0
        self.steps = 0

    def warm_up(self, history: Iterable[Bars], until_ns: int, on_made: OnMade | None = None) -> None:
        """Feed all that was known at an instant. `on_made` is called with what each instant made, in order."""
        before_ns, made = until_ns, list[Emission]()
        for time_ns, source, row in events_of(self._dag, bind(self._dag, history)):
            if time_ns > before_ns:
                made += self._advance(before_ns)
            if on_made is not None and time_ns != before_ns:
                on_made(made)
                made = []
            made += self._engine.push(source, time_ns, row)
            before_ns = time_ns
            if on_made is None:
                made.clear()
        made += self._advance(until_ns)
        if on_made is not None:
            on_made(made)
        self._through_ns = until_ns

    def taken_up(self) -> None:
        """The stream begins again where everything is known: what has come of an instant comes again."""
        self._waiting.clear()

    def take(self, bars: Iterable[LiveBar], watermark_ns: int) -> Iterator[Step]:
        """Bars in order, and the instant up to which there are no others; the steps that this completes."""
        self._waiting += [
            bar for bar in bars if bar.close_ns > self._through_ns and (bar.preset or self._only) in self._sources
        ]
        while self._waiting and self._waiting[0].close_ns <= watermark_ns:
            close_ns = self._waiting[0].close_ns
            emissions, closed = list[Emission](), dict[str, LiveBar]()
            while self._waiting and self._waiting[0].close_ns == close_ns:
                bar = self._waiting.pop(0)
                name = bar.preset or self._only
                self._played[name].add(bar)
                closed[name] = bar
                for source in self._sources[name]:
                    emissions += self._engine.push(source, close_ns, bar.row)
            emissions += self._advance(close_ns)
            self._through_ns, self.steps = close_ns, self.steps + 1
            yield Step(close_ns, emissions, closed)
        self._through_ns = max(self._through_ns, watermark_ns)
        if late := self._advance(self._through_ns):
            yield Step(self._through_ns, late, {})

    @property
    def played(self) -> tuple[Bars, ...]:
        """What came, of each preset."""
        return tuple(self._played[member.name].bars(member) for member in self._members)

    def _advance(self, time_ns: int) -> list[Emission]:
        """With one source nothing waits for another."""
        return self._engine.advance(time_ns) if len(self._dag.sources) > 1 else []


def _sources_of(dag: Dag, member: datasetspb.Preset) -> list[StreamInput]:
    key = (member.symbol, member.interval.seconds)
    return [source for source in dag.sources if (source.symbol, source.interval_s) == key]


class _Played:
    """Bars as they come, 48 bytes each."""

    def __init__(self) -> None:
        self._times = array("q")
        self._rows = array("d")

    def add(self, bar: LiveBar) -> None:
        self._times.append(bar.open_ns)
        self._rows.extend(bar.row)

    def bars(self, preset: datasetspb.Preset) -> Bars:
        times = np.array(self._times, dtype=np.int64)
        rows = np.array(self._rows, dtype=np.float64).reshape(len(times), 5)
        return Bars(preset.symbol, preset.interval.seconds, times, rows, volume_unit_from_proto(preset.volume_unit))


def bars_of(played: Iterable[LiveBar], preset: datasetspb.Preset) -> Bars:
    """Live bars as arrays."""
    kept = _Played()
    for bar in played:
        kept.add(bar)
    return kept.bars(preset)
