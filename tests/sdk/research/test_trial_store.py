"""The store of trials: one writer at a time, and nothing in it that no sweep wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.sdk import Runner
from qmtl.sdk.research.trial_store import TrialStore
from tests.sdk.research.crosses import DATA, Cross

HOLDER = """
import sys
from pathlib import Path
from qmtl.sdk.research.trial_store import TrialStore

with TrialStore(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_by_name_until_the_first_has_ended(tmp_path: Path) -> None:
    store = tmp_path / "trials.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=f"E_STORE_IN_USE: the store {store} is being written by another"):
            Runner.sweep(Cross, {"fast": [2]}, DATA, store=store)
        holder.kill()
        holder.wait()
    assert len(Runner.sweep(Cross, {"fast": [2]}, DATA, store=store).trials) == 1
    with TrialStore(store), pytest.raises(Conflict), TrialStore(store):
        pass


@pytest.mark.parametrize("line", [b"a,b\n", b"[]\n", b'{"key": 1}\n'])
def test_a_file_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path, line: bytes) -> None:
    store = tmp_path / "notes"
    store.write_bytes(line)
    with pytest.raises(InvalidRequest, match="line 1, want a file that a sweep has written"):
        Runner.sweep(Cross, {"fast": [2]}, DATA, store=store)
    assert store.read_bytes() == line
