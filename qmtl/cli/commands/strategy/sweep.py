"""`qmtl sweep`: a strategy over a grid of parameters, ranked, with a verdict on whether the best is more than luck."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.strategy.backtest import Place, Setting
from qmtl.cli.options import with_options
from qmtl.cli.projects.loading import absolute_place, load_strategy
from qmtl.core.errors import refused
from qmtl.sdk.research.executors.choice import PROCESS
from qmtl.sdk.research.options import TrialSettings
from qmtl.sdk.research.sweep import SweepResult
from qmtl.sdk.research.sweep import sweep as run_sweep
from qmtl.sdk.research.trials import Value
from qmtl.sdk.strategy.assembly import assemble
from qmtl.sdk.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """Makes strategies of a file, in whichever process."""

    place: str

    def __call__(self, **params: Value) -> Strategy:
        return _kind(self.place)(**params)


@lru_cache(maxsize=8)
def _kind(place: str) -> type[Strategy]:
    return load_strategy(place)


@with_options(Setting)
def sweep(
    setting: Setting,
    place: Place,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=A,B,C", help="Values of a parameter of the class. Repeatable."),
    ] = None,
    grid_file: Annotated[
        Path | None,
        typer.Option("--grid", metavar="FILE", help="TOML: table `grid`, a list for each parameter."),
    ] = None,
    objective: Annotated[str, typer.Option("--objective", help="The metric to rank by.")] = "sharpe",
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Processes; 0: this one. Default: one a core.")
    ] = None,
    executor: Annotated[
        str, typer.Option("--executor", help="process: this machine; dask: the workers of a dask.distributed cluster.")
    ] = PROCESS,
    cluster: Annotated[
        str, typer.Option("--cluster", help="Address of the cluster's scheduler. Default: DASK_SCHEDULER_ADDRESS.")
    ] = "",
    store: Annotated[
        Path | None, typer.Option("--store", help="File that keeps trials; continued if it exists.")
    ] = None,
    heat_map: Annotated[
        Path | None, typer.Option("--heat-map", help="Draw the first two parameters into this file.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every trial into this file.")] = None,
) -> None:
    """Run a strategy at every point of a grid, without a mesh, and say whether the best is more than luck."""
    grid = (_grid(grid_file) if grid_file else {}) | dict(_values(one) for one in values or [])
    if not grid:
        raise refused("E_FIELD", "set", "no parameter", "NAME=VALUE,VALUE, or --grid FILE")
    make = StrategyFile(absolute_place(place))
    sources = assemble(make(**{name: each[0] for name, each in grid.items()})).dag.sources
    bars = setting.bars(sources)
    if heat_map is not None and len(grid) < 2:
        raise refused("E_FIELD", "heat-map", f"{len(grid)} parameter", "two parameters")
    found = run_sweep(
        make,
        grid,
        bars,
        TrialSettings(
            objective=objective,
            terms=setting.terms(bars),
            workers=_workers(executor, workers),
            executor=executor,
            cluster=cluster,
            store=store,
            on_trial=_progress,
        ),
    )
    typer.echo(str(found))
    _write(found, heat_map, csv)


def _write(found: SweepResult, heat_map: Path | None, csv: Path | None) -> None:
    if heat_map is not None:
        x, y, *_ = found.trials[0].params
        typer.echo(f"heat map: {found.heat_map(x, y, heat_map)}")
    if csv is not None:
        found.frame.write_csv(csv)
        typer.echo(f"trials: {csv}")


def _workers(executor: str, given: int | None) -> int:
    if given is not None:
        return given
    return os.cpu_count() or 1 if executor == PROCESS else 0


def _progress(done: int, of: int) -> None:
    if os.isatty(2):
        typer.echo(f"\r{done} of {of} trials", err=True, nl=done == of)


def _grid(path: Path) -> dict[str, Sequence[Value]]:
    """Values by parameter. Raises InvalidRequest (E_FIELD) for another file, and for what is no list of values."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refused("E_FIELD", "grid", f"{path}: {error}", "a TOML file with a table grid") from None
    table = written.get("grid")
    if not isinstance(table, dict) or set(written) != {"grid"}:
        raise refused("E_FIELD", "grid", f"tables {sorted(written)}", "one table, grid")
    for name, values in table.items():
        if not isinstance(values, list) or not values or not all(isinstance(one, str | int | float) for one in values):
            raise refused("E_FIELD", f"grid.{name}", repr(values), "a list of numbers, texts, true or false")
    return table


def _values(text: str) -> tuple[str, Sequence[Value]]:
    name, equals, listed = text.partition("=")
    if not equals or not name.isidentifier() or not all(listed.split(",")):
        raise refused("E_FIELD", "set", text, "NAME=VALUE,VALUE")
    return name, [_value(each) for each in listed.split(",")]


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
