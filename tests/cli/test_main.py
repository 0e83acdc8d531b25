"""The command as a whole: help is light, errors are readable, plans say what they start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.cli.plan import configured_plan, free_plan
from qmtl.cli.tables import enum_word, when
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.settings import DEFAULT_ADDRESSES, SERVICES
from tests.cli.conftest import Run, environment

HEAVY = ("grpc", "pydantic", "google.protobuf", "sqlalchemy", "nats", "numpy", "asyncio")


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, qmtl.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_explains_itself(qmtl: Run) -> None:
    for command in ("up", "down", "status", "token", "world", "strategy", "bus", "config", "world activate"):
        done = qmtl(*command.split(), "--help")
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "Usage:" in done.stdout


def test_no_mesh_is_a_readable_error(home: Path, qmtl: Run) -> None:
    done = qmtl("world", "list", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith("error: E_TOKEN_MISSING")
    assert "hint: qmtl up" in done.stderr


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


def test_enum_words_and_times() -> None:
    assert enum_word(commonpb.EffectiveMode, commonpb.EFFECTIVE_MODE_COMPUTE_ONLY) == "COMPUTE_ONLY"
    assert enum_word(commonpb.EffectiveMode, 99) == "99"
    assert when(Timestamp()) == "-"
    assert when(Timestamp(seconds=1)) == "1970-01-01T00:00:01Z"
