"""The runner: one strategy, three ways to run it, none of which lets the author choose a mode.

`backtest` is local research. `submit` hands the strategy to a world, which decides; `run` goes on live as far
as that world's activation allows. The connected ways load their transport when they are called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from brokerage.domain.market.instrument import Instrument
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.interrupts import interruptible, run_beside
from qmtl.sdk.reports.backtest import BacktestResult
from qmtl.sdk.strategy.assembly import assemble
from qmtl.sdk.strategy.strategy import Strategy

if TYPE_CHECKING:
    import polars as pl

    from qmtl.sdk.mesh.client import Gateway
    from qmtl.sdk.mesh.history import History
    from qmtl.sdk.mesh.recordings import RecordedSession
    from qmtl.sdk.mesh.session.events import OnEvent
    from qmtl.sdk.mesh.session.result import SessionResult
    from qmtl.sdk.mesh.session.terms import PaperTerms
    from qmtl.sdk.mesh.submission.result import SubmitResult
    from qmtl.sdk.research.executors.choice import Executor
    from qmtl.sdk.research.optimize import OptimizeResult
    from qmtl.sdk.research.runs import OnTrial
    from qmtl.sdk.research.spaces import Space
    from qmtl.sdk.research.splits import WalkForward
    from qmtl.sdk.research.sweep import SweepResult
    from qmtl.sdk.research.trials import Maker, Value

T = TypeVar("T")


class Runner:
    """Entry points. Every call takes a new strategy instance."""

    @staticmethod
    def backtest(
        strategy: Strategy,
        data: Bars | Iterable[Bars],
        *,
        terms: AccountTerms | None = None,
        instruments: Iterable[Instrument] = (),
        streaming: bool = False,
    ) -> BacktestResult:
        """Run a strategy over local bars, without a mesh. Not authoritative.

        `instruments`: what is traded beside the instruments that the library knows by name and those of the terms.
        `streaming` True drives the graph event by event instead of in batch: slower, the same result bit for bit.
        """
        assembled = assemble(strategy)
        bars = _bars_of(data)
        terms = terms or AccountTerms()
        terms = replace(terms, instruments=(*terms.instruments, *instruments))
        with interruptible(f"backtest of {assembled.name}"):
            return BacktestResult(assembled.name, replay(assembled, bars, terms, streaming=streaming), bars, terms)

    @staticmethod
    def sweep(
        make: Maker,
        grid: Mapping[str, Sequence[Value]],
        data: Bars | Iterable[Bars],
        *,
        objective: str = "sharpe",
        terms: AccountTerms | None = None,
        workers: int = 0,
        executor: str = "process",
        cluster: str = "",
        store: str | Path | None = None,
        on_trial: OnTrial | None = None,
    ) -> SweepResult:
        """Backtest `make(**point)` at every point of a grid: ranked, drawn, with a verdict on the best.

        `workers`: processes of their own, 0 none; they import `make`, so a script guards its calls by
        `if __name__ == "__main__"`. `executor="dask"`: on the workers of a cluster, whose scheduler has the address
        `cluster` (default: DASK_SCHEDULER_ADDRESS). `store`: a file that keeps trials, and from which a later call goes
        on. Raises as qmtl.sdk.research.sweep.sweep.
        """
        from qmtl.sdk.research.sweep import sweep

        with interruptible("sweep", _kept_in(store)):
            return sweep(
                make,
                grid,
                _bars_of(data),
                objective=objective,
                terms=terms,
                executor=_executor(executor, workers, cluster),
                store=Path(store) if store is not None else None,
                on_trial=on_trial,
            )

    @staticmethod
    def optimize(
        make: Maker,
        space: Space,
        data: Bars | Iterable[Bars],
        *,
        objective: str = "sharpe",
        trials: int = 50,
        seed: int = 0,
        sampler: str = "random",
        walk_forward: WalkForward | None = None,
        terms: AccountTerms | None = None,
        workers: int = 0,
        executor: str = "process",
        cluster: str = "",
        store: str | Path | None = None,
        on_trial: OnTrial | None = None,
    ) -> OptimizeResult:
        """Try points of a space, drawn by the seed, and test what was chosen on what came after.

        `sampler="tpe"` learns from its tries where to look (needs optuna); each fold then has a search of its own,
        which sees its training only. `workers`, `executor`, `cluster` and `store` as of sweep.
        Raises as qmtl.sdk.research.optimize.optimize.
        """
        from qmtl.sdk.research.optimize import optimize

        with interruptible("search", _kept_in(store)):
            return optimize(
                make,
                space,
                _bars_of(data),
                objective=objective,
                trials=trials,
                seed=seed,
                sampler=sampler,
                walk_forward=walk_forward,
                terms=terms,
                executor=_executor(executor, workers, cluster),
                store=Path(store) if store is not None else None,
                on_trial=on_trial,
            )

    @staticmethod
    async def submit_async(
        strategy: Strategy,
        *,
        world: str,
        data: str | None = None,
        address: str = "",
        history: History | None = None,
        terms: AccountTerms | None = None,
        gateway: Gateway | None = None,
        supersede: bool = False,
    ) -> SubmitResult:
        """Submit a strategy to a world, replay the world's data, send the orders, return what the world says.

        The world computes its numbers from a replay of its own, in its own account: `terms` names neither a profile nor
        cash that differ. `supersede` cancels older versions of the strategy (the same name, other code) at the end.

        `data` names a preset (default: the world's first), `history` the stretch to evaluate, `address` the gateway
        (default: QMTL_ADDRESS, else the mesh of this home). Submitting what is live attaches to it and says so.
        Raises the errors of qmtl.core.errors: NotFound for an unknown world or preset, InvalidRequest for a bad
        graph, NotReady (E_SUBMISSION_FAILED), Unavailable once an outage lasts too long.
        """
        from qmtl.sdk.mesh.submission.submit import submit

        where = _gateway(gateway, address)
        return await submit(
            strategy, world=world, data=data, history=history, terms=terms, gateway=where, supersede=supersede
        )

    @staticmethod
    def submit(
        strategy: Strategy,
        *,
        world: str,
        data: str | None = None,
        address: str = "",
        history: History | None = None,
        terms: AccountTerms | None = None,
        gateway: Gateway | None = None,
        supersede: bool = False,
    ) -> SubmitResult:
        """As submit_async, waiting for the result. Ctrl-C: KeyboardInterrupt, once what was bound is withdrawn."""
        return _wait(
            f"submission to world {world}",
            Runner.submit_async(
                strategy,
                world=world,
                data=data,
                address=address,
                history=history,
                terms=terms,
                gateway=gateway,
                supersede=supersede,
            ),
        )

    @staticmethod
    async def run_async(
        strategy: Strategy,
        *,
        world: str,
        data: str | None = None,
        address: str = "",
        terms: PaperTerms | None = None,
        gateway: Gateway | None = None,
        on_event: OnEvent | None = None,
    ) -> SessionResult:
        """Go on live in a world's paper session, as far as its activation allows, until the session ends.

        Submits first (or attaches to what is live), waits for an operator's activation, continues every node from
        history, then trades bar by bar; `terms.until` ends it earlier. `on_event` hears of each bar, fill and
        denied order as it comes. Survives restarts of every service and of this process.
        Raises NotReady (E_NOT_ACTIVATED, E_WARMUP), and what submit_async raises.
        """
        from qmtl.sdk.mesh.session.session import run

        where = _gateway(gateway, address)
        return await run(strategy, world=world, data=data, terms=terms, gateway=where, on_event=on_event)

    @staticmethod
    def run(
        strategy: Strategy,
        *,
        world: str,
        data: str | None = None,
        address: str = "",
        terms: PaperTerms | None = None,
        gateway: Gateway | None = None,
        on_event: OnEvent | None = None,
    ) -> SessionResult:
        """As run_async, waiting for the end of the session. Ctrl-C: KeyboardInterrupt, which says what stays bound."""
        return _wait(
            f"paper session in world {world}",
            Runner.run_async(
                strategy, world=world, data=data, address=address, terms=terms, gateway=gateway, on_event=on_event
            ),
        )

    @staticmethod
    def read_recording(
        fingerprints: Sequence[str],
        *,
        world: str,
        recorded_session: str = "",
        address: str = "",
        gateway: Gateway | None = None,
    ) -> RecordedSession:
        """What a data session was told, by the fingerprints of its recordings, one of each preset: its bars in the
        order and at the data times at which it was told of them, and what is known before them. Its `replay(strategy)`
        decides where the recorded run could have.

        Needs operator in `world`, in which it is played, and reader in the recorded session's world. Raises NotFound
        (E_ARTIFACT_UNKNOWN), InvalidRequest (E_DATA_SESSION): several sessions were told these bars at other times.
        """
        from qmtl.sdk.mesh.recordings import read_recording

        return _wait(
            "reading of a recording",
            read_recording(_gateway(gateway, address), world, fingerprints, recorded_session),
        )

    @staticmethod
    def read_feature(
        factor: str,
        *,
        world: str,
        instrument: str,
        interval: str,
        params: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        dataset_fingerprint: str = "",
        address: str = "",
        gateway: Gateway | None = None,
    ) -> pl.DataFrame:
        """A published feature of a world: `time` (UTC, when each value was known) and its columns.

        The newest; with `as_of` the one that a backtest there sees, with `dataset_fingerprint` that of this data.
        Raises NotReady (E_FEATURE_MISSING) where there is none.
        """
        from qmtl.sdk.mesh.features import feature_name, read_feature

        name = feature_name(factor, instrument, interval, params)
        return _wait(
            "reading of a feature",
            read_feature(_gateway(gateway, address), world, name, as_of, dataset_fingerprint),
        )


def _bars_of(data: Bars | Iterable[Bars]) -> tuple[Bars, ...]:
    """Every Bars that was given. Raises InvalidRequest (E_FIELD) for anything else, and for none at all."""
    found: tuple[object, ...] = (
        (data,) if isinstance(data, Bars | str) or not isinstance(data, Iterable) else tuple(data)
    )
    for each in found:
        if not isinstance(each, Bars):
            shown = f"{each!r} ({type(each).__name__})" if isinstance(each, str) else type(each).__name__
            raise refused("E_FIELD", "data", shown, "Bars, such as Bars.from_pandas(frame, symbol, interval)")
        if not len(each):
            raise refused("E_FIELD", f"data of {each.symbol}", "0 bars", "at least one bar")
    if not found:
        raise refused("E_FIELD", "data", "empty", "at least one Bars")
    return tuple(each for each in found if isinstance(each, Bars))


def _gateway(given: Gateway | None, address: str) -> Gateway:
    from qmtl.sdk.mesh.client import Gateway

    base = given or Gateway()
    return replace(base, address=address) if address else base


def _executor(name: str, workers: int, cluster: str) -> Executor:
    from qmtl.sdk.research.executors.choice import Executor

    return Executor(name, workers, cluster)


def _kept_in(store: str | Path | None) -> str:
    return f"trials that had ended are in {store}" if store is not None else "no trial is kept without a store"


def _wait(what: str, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; in a thread of its own where an event loop runs already, as in a notebook. Ctrl-C cancels it."""
    with interruptible(what):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        return run_beside(work)
