"""Ids by chance: of their length, and never again."""

from __future__ import annotations

import random
import re
import subprocess
import sys

from qmtl.rpc.telemetry.ids import new_id
from tests.support.processes import python_env


def test_an_id_has_its_digits() -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", new_id()) for _ in range(1_000))
    assert all(re.fullmatch("[0-9a-f]{3}", new_id(3)) for _ in range(100))  # with leading zeros


def test_ids_do_not_come_again_when_the_shared_chance_is_seeded() -> None:
    seen = set()
    for _ in range(100):
        random.seed(7)
        seen.add(new_id())
    assert len(seen) == 100


def test_a_forked_process_has_ids_of_its_own() -> None:
    program = "import os; from qmtl.rpc.telemetry.ids import new_id; os.fork() and os.wait(); print(new_id())"
    told = subprocess.run([sys.executable, "-c", program], env=python_env(), capture_output=True, text=True, check=True)
    assert len(set(told.stdout.split())) == 2
