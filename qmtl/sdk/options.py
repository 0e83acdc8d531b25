"""Keyword arguments of the runner's calls that several of them take, each named, typed and explained once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from qmtl.sdk.execution.terms import AccountTerms

if TYPE_CHECKING:
    from qmtl.sdk.mesh.client import Gateway
    from qmtl.sdk.mesh.history import History
    from qmtl.sdk.mesh.session.events import OnEvent
    from qmtl.sdk.mesh.session.terms import PaperTerms

OnTrial = Callable[[int, int], None]


class TrialOptions(TypedDict, total=False):
    """What sweeps and searches take. `objective`: a metric of daily equity (sharpe, sortino, total_return, calmar ...).

    `workers`: processes of their own, 0 none; they import `make`, so a script guards its calls by
    `if __name__ == "__main__"`. `executor="dask"`: on the workers of a cluster, whose scheduler has the address
    `cluster` (default: DASK_SCHEDULER_ADDRESS). `store`: a file that keeps trials, and from which a later call goes on.
    `on_trial`: called after each trial with how many ended, and of how many.
    """

    objective: str
    terms: AccountTerms | None
    workers: int
    executor: str
    cluster: str
    store: str | Path | None
    on_trial: OnTrial | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """TrialOptions with their defaults. Raises TypeError for another name, as every call does."""

    objective: str = "sharpe"
    terms: AccountTerms | None = None
    workers: int = 0
    executor: str = "process"
    cluster: str = ""
    store: str | Path | None = None
    on_trial: OnTrial | None = None


class SubmitOptions(TypedDict, total=False):
    """What a submission takes beside its world.

    `data` names a preset (default: the world's first), `history` the stretch to evaluate. `terms` name neither a
    profile nor cash that differ from the world's. `supersede` cancels older versions of the strategy (the same name,
    other code) at the end. `gateway`: where it is, the token, and how long an outage may last.
    """

    data: str | None
    history: History | None
    terms: AccountTerms | None
    gateway: Gateway | None
    supersede: bool


class SessionOptions(TypedDict, total=False):
    """What a paper session takes beside its world: `data` and `gateway` as of SubmitOptions.

    `terms.until` ends it early. `on_event` hears of each bar, fill and denied order as it comes.
    """

    data: str | None
    terms: PaperTerms | None
    gateway: Gateway | None
    on_event: OnEvent | None
