"""What the risk hub says of the strategies of an account: their covariance, and its risk before and after a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

import numpy as np
from sqlalchemy import Connection

from qmtl.core.errors import NotReady, QmtlError
from worldservice.allocation.domain.plan import Plan
from worldservice.allocation.domain.proposals.propose import Covariance, covariance_of
from worldservice.allocation.domain.shares import Owner
from worldservice.risk.domain.report import covariance_of_snapshot, days_of, risk_report
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import CASH, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import current_snapshot

RISK_UNKNOWN = "RISK_UNKNOWN"


@dataclass(frozen=True, slots=True)
class PlanRisk:
    """Figures of the account's snapshot (see GetReport) before and after a plan; none where `unknown` says why."""

    version: str = ""
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    unknown: str = ""


def account_snapshot(conn: Connection, account: str, now: datetime, files: SnapshotFiles) -> Snapshot:
    """The account's current snapshot. Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED, E_REF_...)."""
    return current_snapshot(conn, Scope(f"account:{account}"), now, None, files)


def owners_in(book: Snapshot) -> list[Owner]:
    """The strategies whose returns a snapshot of an account has."""
    return sorted(Owner(*name.split("/", 1)) for name in book.returns if "/" in name and "/@" not in name)


def hub_covariance(book: Snapshot, wanted: Sequence[Owner]) -> Covariance:
    """Covariance of strategies by a snapshot, given or estimated; of all that it has returns of where none is named.

    Raises NotReady (E_RISK_INPUT, E_RISK_SAMPLE_SHORT), InvalidRequest (E_COVARIANCE_INCOMPLETE).
    """
    owners = list(wanted) or owners_in(book)
    names = sorted("/".join(owner) for owner in owners)
    if missing := [name for name in names if name not in book.returns] or ([] if names else ["any strategy"]):
        raise NotReady(
            "E_RISK_INPUT",
            f"snapshot {book.version} of {book.scope} has no returns of {', '.join(missing[:20])}",
            hint="name those that it has, or give a covariance",
        )
    found = covariance_of_snapshot(book, days_of(book, tuple(names)))
    block = found.of(names)
    triangle = block[np.tril_indices(len(names))]
    return covariance_of([Owner(*name.split("/", 1)) for name in names], [float(each) for each in triangle])


def plan_risk(conn: Connection, plan: Plan, now: datetime, files: SnapshotFiles) -> PlanRisk:
    """Risk of the account as it is and as the plan would leave it: the weight of each strategy goes with its gross
    exposure, what is freed is cash.
    """
    try:
        book = account_snapshot(conn, plan.account, now, files)
        before = risk_report(book).figures
        after = figures_after(book, plan)
    except QmtlError as error:
        return PlanRisk(unknown=f"{RISK_UNKNOWN}: {error.reason}: {error.message}")
    return PlanRisk(book.version, before, after)


def figures_after(book: Snapshot, plan: Plan) -> Mapping[str, float]:
    """The figures of a snapshot as a plan would leave it: VaR, ES and volatility grow with what is held beyond capital,
    leverage with gross exposure; losses under stress are those of today's exposures.
    """
    weights = {name: share for name, share in book.shares().items() if name != CASH}
    for owner, (held, left) in plan.exposures.items():
        name = "/".join(owner)
        if name in weights and held:
            weights[name] *= float(left / held)
    total = sum(weights.values())
    beyond = max(total, 1.0)
    shares = {name: weight / beyond for name, weight in weights.items()}
    found = risk_report(replace(book, weights={**shares, CASH: max(0.0, 1.0 - total)})).figures
    kept = {name: value for name, value in found.items() if name.startswith(("var_", "es_", "vol"))}
    after = {name: value * beyond for name, value in kept.items()}
    if "leverage" in found and book.capital:
        after["leverage"] = found["leverage"] + float((plan.after.gross - plan.before.gross) / Fraction(book.capital))
    return {**found, **after}
