"""The runner: one strategy, three ways to run it, none of which lets the author choose a mode.

`backtest` is local research. `submit` hands the strategy to a world, which decides; `run` goes on live as far
as that world's activation allows. The connected ways load their transport when they are called.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from brokerage.domain.market.instrument import Instrument
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import STREAMED_INSTANTS, OnProgress
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.interrupts import interruptible, run_beside, say_plainly
from qmtl.sdk.reports.backtest import BacktestResult
from qmtl.sdk.reports.progress import ReplayProgress
from qmtl.sdk.strategy.assembly import assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.sdk.streams.features import bind_features

if TYPE_CHECKING:
    import polars as pl

    from qmtl.sdk.mesh.client import Gateway
    from qmtl.sdk.mesh.options import SessionOptions, SubmitOptions
    from qmtl.sdk.mesh.recordings import RecordedSession
    from qmtl.sdk.mesh.session.result import SessionResult
    from qmtl.sdk.mesh.submission.result import SubmitResult
    from qmtl.sdk.research.optimize import OptimizeResult
    from qmtl.sdk.research.options import TrialOptions, TrialSettings
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
        features: Mapping[str, pl.DataFrame] | None = None,
        streaming: bool = False,
        every_bar: bool = False,
        on_progress: OnProgress | None = None,
    ) -> BacktestResult:
        """Run a strategy over local bars, without a mesh. Not authoritative.

        `instruments`: what is traded beside the instruments that the library knows by name and those of the terms.
        `features`: rows of each feature that the graph reads, by the name of its node, as `read_feature` gives them.
        The result is the same bit for bit however the graph is driven: at once; `streaming`: fed 4,096 instants at a
        time, each node with the state it had, which bounds its memory; `every_bar`: event by event, and the account
        looks at every close, which takes some hundred times as long.
        `on_progress(what, done, of)`: told as nodes and bars are done (default: a bar on a terminal, after a second).
        """
        say_plainly()
        assembled = assemble(strategy)
        bind_features(assembled.dag, features or {})
        bars = _bars_of(data)
        terms = terms or AccountTerms()
        terms = replace(terms, instruments=(*terms.instruments, *instruments))
        with interruptible(f"backtest of {assembled.name}"):
            chunk = STREAMED_INSTANTS if streaming else 0
            with ReplayProgress(sys.stderr) as shown:
                told = on_progress or shown
                made = replay(assembled, bars, terms, every_bar=every_bar, chunk=chunk, on_progress=told)
            return BacktestResult(assembled.name, made, bars, terms)

    @staticmethod
    def sweep(
        make: Maker,
        grid: Mapping[str, Sequence[Value]],
        data: Bars | Iterable[Bars],
        **options: Unpack[TrialOptions],
    ) -> SweepResult:
        """Backtest `make(**point)` at every point of a grid: ranked, drawn, with a verdict on the best.

        Options: qmtl.sdk.research.options.TrialOptions. Raises as qmtl.sdk.research.sweep.sweep.
        """
        from qmtl.sdk.research.options import TrialSettings
        from qmtl.sdk.research.sweep import sweep

        say_plainly()
        settings = TrialSettings(**options)
        with interruptible("sweep", _kept_in(settings)):
            return sweep(make, grid, _bars_of(data), settings)

    @staticmethod
    def optimize(
        make: Maker,
        space: Space,
        data: Bars | Iterable[Bars],
        *,
        trials: int = 50,
        seed: int = 0,
        sampler: str = "random",
        walk_forward: WalkForward | None = None,
        **options: Unpack[TrialOptions],
    ) -> OptimizeResult:
        """Try points of a space, drawn by the seed, and test what was chosen on what came after.

        `sampler="tpe"` learns from its tries where to look (needs optuna); each fold then has a search of its own,
        which sees its training only. Options: qmtl.sdk.research.options.TrialOptions.
        Raises as qmtl.sdk.research.optimize.optimize.
        """
        from qmtl.sdk.research.optimize import Draw, optimize
        from qmtl.sdk.research.options import TrialSettings

        say_plainly()
        settings = TrialSettings(**options)
        with interruptible("search", _kept_in(settings)):
            return optimize(make, space, _bars_of(data), settings, Draw(trials, seed, sampler), walk_forward)

    @staticmethod
    async def submit_async(
        strategy: Strategy, *, world: str, address: str = "", **options: Unpack[SubmitOptions]
    ) -> SubmitResult:
        """Submit a strategy to a world, replay the world's data, send the orders, return what the world says.

        The world computes its numbers from a replay of its own, in its own account. Submitting what is live attaches
        to it and says so. `address`: of the gateway (default: QMTL_ADDRESS, else the mesh of this home).
        Options: qmtl.sdk.mesh.options.SubmitOptions.
        Raises the errors of qmtl.core.errors: NotFound for an unknown world or preset, InvalidRequest for a bad
        graph, NotReady (E_SUBMISSION_FAILED), Unavailable once an outage lasts too long.
        """
        from qmtl.sdk.mesh.submission.submit import submit

        options["gateway"] = _gateway(options.get("gateway"), address)
        return await submit(strategy, world=world, **options)

    @staticmethod
    def submit(strategy: Strategy, *, world: str, address: str = "", **options: Unpack[SubmitOptions]) -> SubmitResult:
        """As submit_async, waiting for the result. Ctrl-C: KeyboardInterrupt, once what was bound is withdrawn."""
        return _wait(
            f"submission to world {world}", Runner.submit_async(strategy, world=world, address=address, **options)
        )

    @staticmethod
    async def run_async(
        strategy: Strategy, *, world: str, address: str = "", **options: Unpack[SessionOptions]
    ) -> SessionResult:
        """Go on live in a world's session, as far as its activation allows, until the session ends.

        Submits first (or attaches to what is live), waits for an operator's activation, continues every node from
        history, then trades bar by bar: on paper, or with `allow_live=True` at an exchange where the world has made the
        strategy LIVE. Moved from one to the other it goes on there. Survives restarts of every service and of this
        process. Options: qmtl.sdk.mesh.options.SessionOptions. Raises NotReady (E_NOT_ACTIVATED, E_WARMUP),
        PermissionDenied (E_LIVE_GUARD): it is LIVE and that was not meant; and what submit_async raises.
        """
        from qmtl.sdk.mesh.session.run import run

        options["gateway"] = _gateway(options.get("gateway"), address)
        return await run(strategy, world=world, **options)

    @staticmethod
    def run(strategy: Strategy, *, world: str, address: str = "", **options: Unpack[SessionOptions]) -> SessionResult:
        """As run_async, waiting for the end of the session. Ctrl-C: KeyboardInterrupt, which says what stays bound."""
        return _wait(f"session in world {world}", Runner.run_async(strategy, world=world, address=address, **options))

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


def _kept_in(settings: TrialSettings) -> str:
    return f"trials that had ended are in {settings.store}" if settings.store else "no trial is kept without a store"


def _wait(what: str, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; in a thread of its own where an event loop runs already, as in a notebook. Ctrl-C cancels it."""
    with interruptible(what):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        return run_beside(work)
