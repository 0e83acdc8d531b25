"""Reports of the contract tests: which reasons no test raises yet."""

from __future__ import annotations

import pytest

from tests.contract.reasons import named_in_tests, registered


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the registered reasons that no test names, after every run that has these tests."""
    missing = sorted(set(registered()) - named_in_tests())
    if missing:
        terminalreporter.write_line(f"{len(missing)} registered reasons that no test names: {', '.join(missing)}")
