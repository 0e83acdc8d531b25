"""The checks of a snapshot before it is stored: every fault is named by its path, nothing is mended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from qmtl.core.errors import InvalidRequest, NotReady, Violation, refused
from qmtl.core.instants import timestamp_text
from worldservice.risk.domain.covariance import check_semidefinite, covariance_of_triangle
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.snapshot import CASH, TTL_MAX, Scenario, Snapshot
from worldservice.risk.domain.stress import CORRELATION_ONE, WORST_WINDOWS

WEIGHTS_MAX = 2_001
POINTS_MAX = 200_000
POINTS_TOTAL_MAX = 1_000_000
SPANS_MAX = 4 * POINTS_TOTAL_MAX  # days from first to last of every series: tables by day are as large
RETURN_MAX = 1e6  # beyond it squares of squares overflow, and a risk that is not known would read as none
COVARIANCE_MAX = RETURN_MAX**2
SCENARIOS_MAX = 100
EXPOSURES_MAX = 10_000
AHEAD_MAX = timedelta(seconds=5)
SUM_TOLERANCE = 1e-3
VIOLATIONS_MAX = 50
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SCENARIO = re.compile(r"[a-z0-9_]{1,64}")
_BUILT_IN = frozenset({CORRELATION_ONE, *(f"worst_{days}d" for days in WORST_WINDOWS)})


def check_snapshot(snapshot: Snapshot, now: datetime, found: Sequence[Violation] = ()) -> None:
    """Raises InvalidRequest (E_SNAPSHOT_FIELD, E_AS_OF_FUTURE, E_COVARIANCE_...), NotReady (E_SNAPSHOT_EXPIRED).

    `found` are the faults that reading the message met; all are told together.
    """
    faults = [*found, *_faults(snapshot)]
    if faults:
        raise InvalidRequest(
            "E_SNAPSHOT_FIELD",
            "; ".join(str(fault) for fault in faults[:VIOLATIONS_MAX]),
            hint="nothing was stored",
            violations=faults[:VIOLATIONS_MAX],
        )
    if snapshot.as_of > now + AHEAD_MAX:
        raise refused(
            "E_AS_OF_FUTURE",
            "snapshot.as_of",
            timestamp_text(snapshot.as_of),
            f"at most 5 s after {timestamp_text(now)}",
        )
    if snapshot.expires_at <= now:
        raise expired(snapshot.as_of, snapshot.expires_at, now, f"snapshot {snapshot.version}")
    if snapshot.covariance is not None:
        covariance = covariance_of_triangle(snapshot.covariance.ids, snapshot.covariance.triangle)
        covariance.of(sorted(snapshot.invested()))
        check_semidefinite(covariance)


def expired(as_of: datetime, expires_at: datetime, now: datetime, what: str) -> NotReady:
    """The error of a snapshot that is past its time; its age counts from what it is of."""
    age_s = int((now - as_of).total_seconds())
    return NotReady(
        "E_SNAPSHOT_EXPIRED",
        f"{what} is of {timestamp_text(as_of)}, {age_s} s ago, and expired at {timestamp_text(expires_at)}",
        hint="put a newer one; see that its producer runs",
        metadata={"as_of": timestamp_text(as_of), "age_s": str(age_s)},
    )


def _faults(snapshot: Snapshot) -> Iterator[Violation]:
    if _VERSION.fullmatch(snapshot.version) is None:
        yield Violation("snapshot.version", repr(snapshot.version[:80]), "1 to 64 of A-Z a-z 0-9 . _ -")
    whole = snapshot.ttl % timedelta(seconds=1) == timedelta(0)
    if not (whole and timedelta(seconds=1) <= snapshot.ttl <= TTL_MAX):
        yield Violation("snapshot.ttl", f"{snapshot.ttl.total_seconds()} s", "whole seconds, 1 to 86,400")
    yield from _weight_faults(snapshot)
    yield from _series_faults(snapshot)
    yield from _covariance_faults(snapshot)
    if len(snapshot.exposures) > EXPOSURES_MAX:
        yield Violation("snapshot.exposures", f"{len(snapshot.exposures)} rows", f"at most {EXPOSURES_MAX:,}")
    yield from _scenario_faults(snapshot.scenarios)


def _weight_faults(snapshot: Snapshot) -> Iterator[Violation]:
    weights = snapshot.weights
    if not 1 <= len(weights) <= WEIGHTS_MAX:
        yield Violation("snapshot.weights", f"{len(weights)} ids", f"1 to {WEIGHTS_MAX:,}")
        return
    sound = True
    for name in weights:
        if not (math.isfinite(weights[name]) and weights[name] >= 0):
            sound = False
            yield Violation(f"snapshot.weights.{name}", str(weights[name]), "a finite share, 0 or more")
    total = sum(weights.values()) if sound else 1.0  # of huge shares: infinite, which is off too
    if abs(total - 1.0) > SUM_TOLERANCE:
        yield Violation("snapshot.weights", f"a sum of {total:.9g}", f"1 within {SUM_TOLERANCE:g}; the rest is {CASH}")


def _series_faults(snapshot: Snapshot) -> Iterator[Violation]:
    today = snapshot.as_of.date().toordinal()
    points = spans = 0
    for name, series in snapshot.returns.items():
        points += len(series.days)
        spans += series.days[-1] - series.days[0] + 1 if series.days else 0
        yield from _days_faults(f"snapshot.returns.{name}", series, today)
    if points > POINTS_TOTAL_MAX:
        yield Violation("snapshot.returns", f"{points} points", f"at most {POINTS_TOTAL_MAX:,} in all")
    if spans > SPANS_MAX:
        yield Violation("snapshot.returns", f"{spans} days from first to last", f"at most {SPANS_MAX:,} in all")


def _days_faults(path: str, series: DailyReturns, today: int) -> Iterator[Violation]:
    if not series.days:
        yield Violation(path, "an empty series", "at least one day, or no series")
        return
    if len(series.days) > POINTS_MAX:
        yield Violation(path, f"{len(series.days)} points", f"at most {POINTS_MAX:,}")
    for what, days in (("days", series.days), ("closed", series.closed)):
        if any(later <= earlier for earlier, later in pairwise(days)):
            yield Violation(f"{path}.{what}", "days out of order", "ascending days, each once")
    if series.days[-1] >= today:
        yield Violation(path, series.last.isoformat(), "days that were over at as_of")
    bad = next((at for at, value in enumerate(series.values) if not abs(value) <= RETURN_MAX), None)
    if bad is not None:
        yield Violation(
            f"{path}.values[{bad}]", str(series.values[bad]), f"a finite fraction, at most {RETURN_MAX:,.0f} either way"
        )


def _covariance_faults(snapshot: Snapshot) -> Iterator[Violation]:
    given = snapshot.covariance
    if given is None:
        return
    want = len(given.ids) * (len(given.ids) + 1) // 2
    if not given.ids or len(given.triangle) > want:
        yield Violation("snapshot.covariance.lower_triangle", f"{len(given.triangle)} values", f"{want} for its ids")
    if any(later <= earlier for earlier, later in pairwise(given.ids)):
        yield Violation("snapshot.covariance.ids", "ids out of order", "sorted ids, each once")
    bad = next((at for at, value in enumerate(given.triangle) if not abs(value) <= COVARIANCE_MAX), None)
    if bad is not None:
        finite = f"a finite value, at most {COVARIANCE_MAX:g} either way"
        yield Violation(f"snapshot.covariance.lower_triangle[{bad}]", str(given.triangle[bad]), finite)


def _scenario_faults(scenarios: Sequence[Scenario]) -> Iterator[Violation]:
    if len(scenarios) > SCENARIOS_MAX:
        yield Violation("snapshot.scenarios", f"{len(scenarios)} scenarios", f"at most {SCENARIOS_MAX}")
    seen: set[str] = set()
    for at, one in enumerate(scenarios):
        path = f"snapshot.scenarios[{at}]"
        if _SCENARIO.fullmatch(one.name) is None or one.name in _BUILT_IN or one.name in seen:
            yield Violation(f"{path}.name", repr(one.name[:80]), "1 to 64 of a-z 0-9 _, each once, none built in")
        seen.add(one.name)
        if one.window is not None and one.window[0] > one.window[1]:
            yield Violation(f"{path}.first_day", one.window[0].isoformat(), "a day up to last_day")
        shocks = {**one.by_asset_class, **one.by_sector, **one.by_symbol}
        if (one.window is None) == (not shocks):
            yield Violation(path, "shocks and a window, or neither", "either shocks or a window")
        for key, shock in shocks.items():
            if not (math.isfinite(shock) and shock >= -1.0):
                yield Violation(f"{path}.{key}", str(shock), "a finite fraction of price, -1 or more")
