"""The command as a whole: help is light, errors are readable, plans say what they start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile

import pytest
from typer import Context
from typer.main import get_command

from qmtl.cli.command_table import COMMANDS, GROUPS, Deferred, Group
from qmtl.cli.main import app, explain
from qmtl.core.errors import InvalidRequest, NotBuilt, NotFound, Violation
from tests.cli.conftest import ROOT, Run, environment

HEAVY = ("grpc", "pydantic", "google.protobuf", "sqlalchemy", "nats", "numpy", "asyncio")


@pytest.mark.parametrize(("group", "of_typer"), [("", []), ("world", ["pydantic"])])
def test_help_imports_nothing_heavy(group: str, of_typer: list[str]) -> None:
    """typer itself reads the options of a group with pydantic."""
    show = f"app([*{group.split()!r}, '--help'], standalone_mode=False)"
    loaded = f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    code = f"import sys; from qmtl.cli.main import app; {show}; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stderr.strip() == str(of_typer)


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
    assert {path for path in COMMANDS if not path.startswith("config ")} | {"config"} == named


@pytest.mark.parametrize("path", COMMANDS)
def test_a_listing_says_what_the_command_itself_says(path: str) -> None:
    command = Deferred(path.split()[-1], COMMANDS[path])
    assert command.help
    assert command.real().help.splitlines()[0] == command.help


def test_every_command_and_group_can_be_reached() -> None:
    root = get_command(app)
    assert isinstance(root, Group)
    assert set(reached(root, "")) == {*COMMANDS, *GROUPS}


def reached(group: Group, below: str) -> Iterator[str]:
    """Every name below a group."""
    context = Context(group)
    for name in group.list_commands(context):
        path = f"{below} {name}".strip()
        yield path
        found = group.get_command(context, name)
        if isinstance(found, Group):
            yield from reached(found, path)


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
