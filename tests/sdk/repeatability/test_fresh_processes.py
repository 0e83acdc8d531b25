"""Nodes of the author's in two processes of their own: who is refused, by name, before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import CacheView, Node, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.repeatability.fresh_processes import check_repeats
from qmtl.sdk.repeatability.two_processes import CLOCK
from qmtl.sdk.strategy.assembly import assemble

NOWHERE = Gateway("127.0.0.1:1", token="t", outage_s_max=0.2)


class FirstOfASet:
    """Another one by hash seed, in one process always the same."""

    def __call__(self, view: CacheView) -> float:
        return view[0].latest * len(next(iter({"a", "bb", "ccc", "dddd", "eeeee", "ffffff"})))


class Holds:
    """Holds something that belongs to this process."""

    def __init__(self) -> None:
        self.lock = Lock()

    def __call__(self, view: CacheView) -> float:
        return view[0].latest


class Fails:
    """Fails over made-up bars, wherever it runs."""

    def __call__(self, view: CacheView) -> float:
        raise ValueError(f"{view[0].latest} is too low")


class Own(Strategy):
    """One node of the author's between built-ins."""

    name = "own"

    def __init__(self, compute: Callable[[CacheView], float]) -> None:
        self.compute = compute

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        decided = Node(ta.sma(price, 3), self.compute, period=3, name="decided", code_version="1")
        self.trade(signals.position_target(signals.trend(price, decided), long=0.5), price)


@pytest.mark.parametrize("door", [Runner.submit, pytest.param(Runner.run, marks=pytest.mark.soak)])
def test_what_another_hash_seed_changes_is_refused_by_both_doors_before_anything_is_sent(
    door: Callable[..., object],
) -> None:
    with pytest.raises(InvalidRequest, match=r"decided.* is of other values in another process") as caught:
        door(Own(FirstOfASet()), world="w", data="d", gateway=NOWHERE)
    assert caught.value.reason == "E_NOT_DETERMINISTIC"


def test_what_cannot_be_sent_to_another_process_is_refused_without_one() -> None:
    with pytest.raises(InvalidRequest, match="decided is not to be sent to a process of its own") as caught:
        check_repeats(assemble(Own(Holds())).dag)
    assert caught.value.reason == "E_NOT_DETERMINISTIC"


@pytest.mark.soak
def test_what_fails_over_made_up_bars_in_both_is_judged_by_the_bars_of_its_world() -> None:
    check_repeats(assemble(Own(Fails())).dag)


def test_built_ins_alone_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    price = StreamInput("BTC-USD")

    class Plain(Strategy):
        def setup(self) -> None:
            self.trade(signals.position_target(signals.trend(price, ta.sma(price, 3)), long=0.5), price)

    check_repeats(assemble(Plain()).dag)


def test_a_submission_at_the_top_of_a_module_starts_no_processes_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLOCK, "0")
    with pytest.raises(InvalidRequest, match="submission is at the top of a module that other processes import"):
        check_repeats(assemble(Own(FirstOfASet())).dag)


SERVED = """\
import os, sys, threading
if "QMTL_CLOCK_DAYS" in os.environ:
    sys.stdout = open(os.devnull, "w")
    threading.Thread(target=threading.Event().wait).start()

def half(value):
    return value * 0.5
"""

SCRIPT = """\
import sys
sys.path.append({other!r})
import helper_of_a_script
import served_from_its_import
from qmtl.sdk import Runner, Strategy, StreamInput, node, signals
from qmtl.sdk.repeatability.fresh_processes import check_repeats
from qmtl.sdk.strategy.assembly import assemble

FACTOR = 2.0

@node(period=3)
def scaled(view):
    return helper_of_a_script.scale(served_from_its_import.half(view[0].latest)) * FACTOR

class Own(Strategy):
    def setup(self):
        price = StreamInput("BTC-USD")
        self.trade(signals.position_target(signals.trend(price, scaled(price)), long=0.5), price)

sys.path.remove({folder!r})  # the other folder has another file of that name
check_repeats(assemble(Own()).dag)
print("passed")
"""


def test_a_script_and_what_only_it_can_import_are_sent_whole(tmp_path: Path) -> None:
    """And a module that starts a thread at its import, or takes the output away, holds nobody up."""
    (tmp_path / "helper_of_a_script.py").write_text("def scale(value):\n    return value * 0.5\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "helper_of_a_script.py").write_text("raise RuntimeError\n")
    (other / "served_from_its_import.py").write_text(SERVED)
    script = tmp_path / "own.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path), other=str(other)))
    done = subprocess.run((sys.executable, str(script)), capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "passed\n", done.stderr


MOVED = """\
import time
from datetime import UTC, timedelta
before = time.time()
from qmtl.sdk.repeatability.shifted_clock import shift_clock
shift_clock(timedelta(days=400))
import datetime
days = 400 * 86_400
read = [time.time(), time.time_ns() / 1e9, time.mktime(time.localtime()), datetime.datetime.now().timestamp(),
        datetime.datetime.now(UTC).timestamp(), datetime.datetime.today().timestamp(),
        datetime.datetime.utcnow().replace(tzinfo=UTC).timestamp()]
print([days - 2 < each - before < days + 60 for each in read])
print((datetime.date.today() - datetime.date.fromtimestamp(before)).days, time.gmtime(0).tm_year)
moment = datetime.datetime.fromisoformat("2024-01-01") - timedelta(0)
print(isinstance(moment, datetime.datetime), isinstance(moment, datetime.date), isinstance(1, datetime.datetime))
"""


def test_a_moved_clock_is_read_by_every_name() -> None:
    done = subprocess.run((sys.executable, "-c", MOVED), capture_output=True, text=True, timeout=100, check=False)
    read, days, kinds = done.stdout.splitlines()
    assert set(read.strip("[]").split(", ")) == {"True"}
    assert days in ("400 1970", "401 1970")
    assert kinds == "True True False"
