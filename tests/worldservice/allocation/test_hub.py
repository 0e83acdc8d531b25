"""What the risk hub says of an account: covariance for proposals, risk before and after plans."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from qmtl.core.errors import NotReady
from tests.worldservice.allocation.books import F, held, lots, planned, scaled
from tests.worldservice.risk.books import book, snapshot_of
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.hub import figures_after, hub_covariance, owners_in
from worldservice.risk.domain.covariance import covariance_of
from worldservice.risk.domain.report import risk_report
from worldservice.risk.domain.snapshot import CASH, Exposure, Snapshot

WORLDS = {"s0": "a/s0", "s1": "a/s1", "s2": "b/s2"}


def account_book(cash: float = 0.0) -> Snapshot:
    """Three strategies of worlds a and b, over 300 days."""
    weights, returns = book(3, 300, 5)
    named = {WORLDS[name]: weight * (1 - cash) for name, weight in weights.items()}
    named[CASH] = cash
    return snapshot_of(named, {WORLDS[name]: one for name, one in returns.items()}, scope="account:main")


def test_a_covariance_is_that_of_the_strategies_named_or_of_all() -> None:
    snapshot = account_book()
    assert owners_in(snapshot) == [Owner("a", "s0"), Owner("a", "s1"), Owner("b", "s2")]
    found = hub_covariance(snapshot, [])
    assert found.owners == tuple(owners_in(snapshot))
    np.testing.assert_allclose(found.matrix, covariance_of(snapshot.returns).matrix, rtol=1e-12)
    two = hub_covariance(snapshot, [Owner("b", "s2"), Owner("a", "s0")])
    assert two.owners == (Owner("a", "s0"), Owner("b", "s2"))
    with pytest.raises(NotReady, match="E_RISK_INPUT: snapshot v1 of account:main has no returns of c/s9"):
        hub_covariance(snapshot, [Owner("c", "s9")])
    with pytest.raises(NotReady, match="any strategy"):
        hub_covariance(replace(snapshot, returns={}), [])


def test_risk_after_a_plan_goes_with_gross_exposure() -> None:
    snapshot = account_book(0.25)
    rows = [held("a/s0", "2"), held("a/s1", "-1"), held("b/s2", "1"), held("c/new", "1")]
    plan = planned(rows, scaled(a="0.5"), lots("0.001"))
    assert plan.exposures[Owner("a", "s0")] == (F(120_000), F(60_000))
    figures = risk_report(snapshot).figures
    assert 0 < figures_after(snapshot, plan)["var_99"] < figures["var_99"]
    halved = planned(rows, scaled(a="0.5", b="0.5"), lots("0.001"))
    after = figures_after(snapshot, halved)
    assert after["var_99"] == pytest.approx(figures["var_99"] / 2)
    assert after["component_share"] == pytest.approx(figures["component_share"])


def test_leverage_after_a_plan_goes_with_its_gross_exposure() -> None:
    rows = [held("a/s0", "2"), held("a/s1", "-1"), held("b/s2", "1"), held("c/new", "1")]
    gross = [Exposure("a/s0", "BTC", Decimal(5), Decimal(60_000), Decimal(300_000))]
    snapshot = replace(account_book(0.25), capital=Decimal(600_000), exposures=tuple(gross))
    plan = planned(rows, scaled(a="0.5", b="0.5"), lots("0.001"))
    assert (plan.before.gross, plan.after.gross) == (F(300_000), F(180_000))
    assert risk_report(snapshot).figures["leverage"] == pytest.approx(0.5)
    assert figures_after(snapshot, plan)["leverage"] == pytest.approx(0.3)
    assert "leverage" not in figures_after(account_book(0.25), plan)


def test_a_plan_that_takes_more_than_there_is_is_leverage_and_not_scaled_down() -> None:
    snapshot = account_book()
    plan = planned([held("a/s0", "1"), held("a/s1", "1"), held("b/s2", "1")], scaled(a="2", b="2"), lots("0.001"))
    before, after = risk_report(snapshot).figures, figures_after(snapshot, plan)
    assert after["var_99"] == pytest.approx(2 * before["var_99"])
