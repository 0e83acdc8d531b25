"""`qmtl check`: whether a strategy in a file can be trusted to mean on new data what it meant on old."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Annotated

import typer

from qmtl.cli.projects.fresh import differing_nodes
from qmtl.cli.projects.loading import absolute_place, load_strategy
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.repeatability.sample import sample_bars
from qmtl.sdk.research.look_ahead import Leak, find_look_ahead
from qmtl.sdk.strategy.assembly import assemble


@dataclass(slots=True)
class Checked:
    """What the checks came to. `differing`: nodes whose values differ between two processes."""

    name: str
    nodes: int
    bars: int = 0
    differing: list[str] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.differing and not self.leaks


def check(
    place: Annotated[
        str, typer.Argument(metavar="FILE[:CLASS]", help="path/to/strategy.py, or path/to/strategy.py:Class.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Check a strategy in a file: its graph, that it repeats itself, that no value looks ahead; 1 where one fails."""
    assembled = assemble(load_strategy(place)())
    found = _checked(absolute_place(place), assembled.name, assembled.dag)
    typer.echo(json.dumps(_document(found), indent=2) if as_json else _text(found))
    if not found.passed:
        sys.exit(1)


def _checked(place: str, name: str, dag: Dag) -> Checked:
    bars = sample_bars(dag)
    found = Checked(name, len(dag.nodes), max(map(len, bars)))
    found.differing = differing_nodes(place)
    found.leaks = list(find_look_ahead(dag, bars))
    return found


def _text(found: Checked) -> str:
    lines = [f"{found.name}: {'passed' if found.passed else 'FAILED'}", f"graph       legal, {found.nodes} nodes"]
    differing = f"two processes differ at {', '.join(found.differing)}: they depend on more than their inputs"
    lines.append(
        f"repeats     {differing if found.differing else f'{found.bars} made-up bars in two processes: equal'}"
    )
    if not found.leaks:
        lines.append("look-ahead  no value of the past depends on the future of these bars (no proof)")
    for leak in found.leaks:
        of = ", as one of its inputs" if leak.inherited else ""
        at, cut = timestamp_text(from_ns(leak.time_ns)), timestamp_text(from_ns(leak.cut_ns))
        lines.append(
            f"look-ahead  {leak.node}: its value at {at} changed with the future after {cut} {leak.probe.value}{of}"
        )
    return "\n".join(lines)


def _document(found: Checked) -> dict[str, object]:
    leaks = [
        {
            "node": leak.node,
            "probe": leak.probe.value,
            "cut": timestamp_text(from_ns(leak.cut_ns)),
            "time": timestamp_text(from_ns(leak.time_ns)),
            "inherited": leak.inherited,
        }
        for leak in found.leaks
    ]
    return {"name": found.name, "passed": found.passed, "nodes": found.nodes, "bars": found.bars} | {
        "differing": found.differing,
        "leaks": leaks,
    }
