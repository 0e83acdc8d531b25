"""Every `qmtl ...` that a page or a text of the program shows is a command of the table, with options it has."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from qmtl.cli.command_table import COMMANDS, GROUPS, Deferred
from tests.cli.conftest import ROOT

SHOWN = re.compile(r"`(qmtl [^`\n]+)`|^(?:\$ )?(qmtl [^\n]+)$", re.MULTILINE)
SAID = re.compile(r"\bqmtl ((?:[a-z][a-z-]* ?)+(?: ?--[a-z-]+)*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")
WORDS = {path.split()[0] for path in (*COMMANDS, *GROUPS)}


def documented() -> Iterator[tuple[str, str]]:
    """What README and the pages show, with its page."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for found in SHOWN.finditer(page.read_text(encoding="utf-8")):
            yield page.name, (found[1] or found[2]).partition("#")[0].strip()


def said() -> Iterator[tuple[str, str]]:
    """What texts of the program name: hints of errors, lines of commands, docstrings."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split():
        path = ROOT / name
        if name.startswith(("gen/", "tests/", "clients/")) or not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for found in SAID.finditer(node.value):
                    if found[1].split()[0] in WORDS:
                        yield name, found[0].strip()


@cache
def options(path: str) -> frozenset[str]:
    """The options of a command, both forms of a switch."""
    command = Deferred(path.split()[-1], COMMANDS[path]).real()
    named = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    return frozenset({*named, "--help"})


def complaint(line: str) -> str:
    """Why a shown line cannot be typed; empty when it can. Of alternatives `a|b` each is one."""
    words = line.split()[1:]
    if not words or words[0] == "COMMAND":
        return ""
    if "|" in words[-1] and words[-1].replace("|", "").isalpha():
        return next(filter(None, (complaint(" ".join(["qmtl", *words[:-1], one])) for one in words[-1].split("|"))), "")
    path = max(
        (" ".join(words[:n]) for n in (1, 2, 3) if " ".join(words[:n]) in {*COMMANDS, *GROUPS}), default="", key=len
    )
    if not path and not words[0].startswith("--"):
        return f"no command begins with {words[0]}"
    below = words[len(path.split()) :]
    if path in GROUPS and below and below[0].isalpha() and below[0].islower():
        return f"{path} has no {below[0]}"
    unknown = set(OPTION.findall(line)) - options(path) if path in COMMANDS else set()
    return f"{path} has no {', '.join(sorted(unknown))}" if unknown else ""


def test_every_command_of_the_pages_can_be_typed() -> None:
    shown = list(documented())
    assert len(shown) > 100
    assert [(page, line, why) for page, line in shown if (why := complaint(line))] == []


def test_every_command_that_the_program_names_exists() -> None:
    named = list(said())
    assert len(named) > 20
    assert [(name, text, why) for name, text in named if (why := complaint(text))] == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("qmtl worlds list", "no command begins with worlds"),
        ("qmtl world lst", "world has no lst"),
        ("qmtl world list --limt 3", "world list has no --limt"),
        ("qmtl config generate|check", "config has no check"),
        ("qmtl up [--free-ports] [--replicas gateway=3]", ""),
    ],
)
def test_a_command_that_is_none_is_found(line: str, why: str) -> None:
    assert complaint(line) == why
