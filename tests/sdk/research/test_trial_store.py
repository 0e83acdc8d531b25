"""The store of trials: one writer at a time, and nothing in it that no sweep wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brokerage.domain.models.profiles.generic import margin
from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.sdk import AccountTerms, Runner
from qmtl.sdk.research.trial_store import TrialStore
from qmtl.sdk.research.trials import Trials
from tests.sdk.research.crosses import DATA, Cross

HOLDER = """
import sys
from pathlib import Path
from qmtl.sdk.research.trial_store import TrialStore

with TrialStore(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

KEY = """
from brokerage.domain.models.profiles.generic import margin
from qmtl.sdk import AccountTerms
from qmtl.sdk.research.trials import Trials
from tests.sdk.research.crosses import DATA, Cross

print(Trials(Cross, [DATA], AccountTerms(profile=margin(2))).key({"fast": 2}))
"""


def test_another_process_knows_a_trial_by_the_same_key_whatever_its_hashes() -> None:
    here = Trials(Cross, [DATA], AccountTerms(profile=margin(2))).key({"fast": 2})
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", KEY], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here
    other = Trials(Cross, [DATA], AccountTerms(profile=margin(3))).key({"fast": 2})
    assert other != here


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


@pytest.mark.parametrize("line", [b"a,b\n", b"[]\n", b'{"key": 1}\n', b"one line without an end"])
def test_a_file_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path, line: bytes) -> None:
    store = tmp_path / "notes"
    store.write_bytes(line)
    with pytest.raises(InvalidRequest, match="line 1, want a file that a sweep has written"):
        Runner.sweep(Cross, {"fast": [2]}, DATA, store=store)
    assert store.read_bytes() == line
