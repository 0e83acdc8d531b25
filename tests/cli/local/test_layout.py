"""Layouts of a local mesh say what they start and where."""

from __future__ import annotations

from pathlib import Path

from qmtl.cli.local.layout import configured_plan, free_plan
from qmtl.config.settings import DEFAULT_ADDRESSES, SERVICES


def test_default_plan_uses_the_documented_ports(tmp_path: Path) -> None:
    plan = configured_plan(tmp_path, None, {"gateway": 2})
    assert {place.name: place.address for place in plan.places[:6]} == dict(DEFAULT_ADDRESSES)
    assert plan.places[0].metrics_port == 7720
    extra = plan.places[6]
    assert (extra.name, extra.service) == ("gateway-2", "gateway")
    environ = next(unit.environ for unit in plan.units() if unit.name == "gateway-2")
    assert environ["QMTL__GATEWAY__BIND"] == extra.address
    assert environ["QMTL__MESH__ADDRESSES__GATEWAY"] == DEFAULT_ADDRESSES["gateway"]


def test_free_plan_has_no_port_twice(tmp_path: Path) -> None:
    plan = free_plan(tmp_path)
    ports = [int(place.address.rpartition(":")[2]) for place in plan.places]
    ports += [place.metrics_port for place in plan.places] + [int(plan.nats_url.rpartition(":")[2])]
    assert len(set(ports)) == 2 * len(SERVICES) + 1
