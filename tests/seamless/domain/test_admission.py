"""Admission: what a domain may read, and when it is too late."""

from __future__ import annotations

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain
from seamless.domain import admission
from seamless.domain.admission import Lateness, Origin
from tests.seamless.samples import START, STEP


def test_a_backtest_reads_artifacts_only_and_names_its_as_of() -> None:
    assert admission.admit(ExecutionDomain.BACKTEST, 5, None).origins == {Origin.ARTIFACT}
    with pytest.raises(InvalidRequest) as caught:
        admission.admit(ExecutionDomain.BACKTEST, None, 7)
    assert caught.value.reason == "E_AS_OF_REQUIRED"


def test_a_dry_run_sees_no_further_than_its_session() -> None:
    assert admission.admit(ExecutionDomain.DRYRUN, START, START + STEP).horizon_ns == START + STEP
    assert admission.admit(ExecutionDomain.DRYRUN, START, None).horizon_ns == START
    with pytest.raises(InvalidRequest) as caught:
        admission.admit(ExecutionDomain.DRYRUN, None, None)
    assert caught.value.reason == "E_AS_OF_REQUIRED"


def test_only_live_domains_breach_on_lag() -> None:
    late = (46, 45)
    assert admission.lateness(ExecutionDomain.LIVE, *late) is Lateness.LAG_ABOVE_LIMIT
    assert admission.lateness(ExecutionDomain.SHADOW, *late) is Lateness.LAG_ABOVE_LIMIT
    assert admission.lateness(ExecutionDomain.BACKTEST, *late) is Lateness.IN_TIME
    assert admission.lateness(ExecutionDomain.LIVE, 45, 45) is Lateness.IN_TIME
