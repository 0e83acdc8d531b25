"""The command as a whole: help is light, errors are readable, plans say what they start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from qmtl.cli.main import app, explain
from qmtl.core.errors import InvalidRequest, NotBuilt, NotFound, Violation
from tests.cli.conftest import ROOT, Run, environment

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


def test_errors_are_one_line_with_the_hint() -> None:
    error = NotFound("E_X", "no such thing", hint="make one")
    assert explain(error) == "error: E_X: no such thing (hint: make one)"
    several = InvalidRequest("E_Y", "two", violations=[Violation("a", "1", "2"), Violation("b", "3", "4")])
    assert explain(several).splitlines()[1:] == ["  a is 1, want 2", "  b is 3, want 4"]


def test_what_is_not_built_names_its_part() -> None:
    error = NotBuilt(
        "E_NOT_BUILT", "x.Y/Z is not built yet", hint="it comes with: that part", metadata={"part": "that part"}
    )
    assert explain(error) == "error: E_NOT_BUILT: not built yet: that part"
