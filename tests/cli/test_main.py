"""The command as a whole: help is light, errors are readable, plans say what they start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from qmtl.cli.main import app
from qmtl.cli.plan import configured_plan, free_plan
from qmtl.cli.tables import enum_word, when
from qmtl.cli.up import prepare_tokens
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.settings import DEFAULT_ADDRESSES, SERVICES
from tests.cli.conftest import ROOT, Invoke, Run, environment

HEAVY = ("grpc", "pydantic", "google.protobuf", "sqlalchemy", "nats", "numpy", "asyncio")


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, qmtl.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_explains_itself(qmtl: Run) -> None:
    for command in ("up", "world", "world policy set"):
        done = qmtl(*command.split(), "--help")
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "Usage:" in done.stdout


def test_the_reference_has_every_command_and_no_other() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    lines = [line.split("`")[1].split()[1:] for line in reference.splitlines() if line.startswith("**`qmtl ")]
    named = {
        " ".join(takewhile(lambda word: word[0].islower() and word.replace("-", "").isalpha(), one)) for one in lines
    }
    found = dict(commands(get_command(app), ()))
    assert all(found.values())
    assert {" ".join(path) for path in found if path[0] != "config"} | {"config"} == named


def commands(command: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command below a group, with its help."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))
    elif isinstance(command, TyperCommand):
        yield path, command.help or ""


def test_no_mesh_is_a_readable_error(home: Path, qmtl: Run) -> None:
    done = qmtl("world", "list", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith("error: E_TOKEN_MISSING")
    assert "hint: qmtl up" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    submit = qmtl("submit", ROOT / "examples" / "ema_cross.py", "--world", "w", "--home", home)
    assert (submit.returncode, submit.stderr) == (1, done.stderr)


def test_a_mesh_that_was_stopped_is_a_readable_error(home: Path, tmp_path: Path, invoke: Invoke) -> None:
    prepare_tokens(home)
    (tmp_path / "qmtl.toml").write_text('[mesh]\naddresses = {gateway = "127.0.0.1:1"}\n', encoding="utf-8")
    done = invoke("world", "list", "--home", home)
    wanted = (
        f"error: E_NOT_RUNNING: no mesh runs in {home}, and nothing answers at 127.0.0.1:1 (hint: qmtl up starts one)"
    )
    assert (done.returncode, done.stderr) == (1, wanted)


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
