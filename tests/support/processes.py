"""Starting Python subprocesses that see the same packages as the test run."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_env() -> dict[str, str]:
    """The environment for a child interpreter: the checkout and its generated stubs are importable."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")])}
