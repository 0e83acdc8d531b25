"""What sweeps and searches take beside what they try, each named, typed and explained once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from qmtl.sdk.execution.terms import AccountTerms

OnTrial = Callable[[int, int], None]


class TrialOptions(TypedDict, total=False):
    """What sweeps and searches take. `objective`: a metric of daily equity (sharpe, sortino, total_return, calmar ...).

    `workers`: processes of their own, 0 none; they import `make`, so a script guards its calls by
    `if __name__ == "__main__"`. `executor="dask"`: on the workers of a cluster, whose scheduler has the address
    `cluster` (default: DASK_SCHEDULER_ADDRESS). `store`: a file that keeps trials, and from which a later call goes on.
    `on_trial`: called after each trial with how many ended, and of how many (default: a line of a terminal, if any).
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
