"""A command in two processes: what each answers, and that nothing of them is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qmtl.sdk import CacheView, Node, StreamInput
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.repeatability.fresh_processes import check_repeats_beside
from qmtl.sdk.repeatability.two_processes import Children, in_two_processes
from tests.support.waiting import eventually


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_process_is_over_once_it_has_answered_and_what_it_started_ends_with_it(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! >> {tmp_path}/pids; echo printed; echo '[1]'"
    one, other = in_two_processes(("sh", "-c", script))
    assert (one.answer, other.answer) == ([1], [1])
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    await eventually(lambda: not any(is_alive(int(pid)) for pid in pids))


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo '[1]'; echo no module >&2; exit 3", "no module"), ("exit 0", "code 0"), ("kill -9 $$", "code -9")],
)
def test_who_does_not_answer_says_why(script: str, said: str) -> None:
    for ended in in_two_processes(("sh", "-c", script)):
        assert ended.answer is None
        assert said in ended.said


async def test_processes_are_ended_from_another_thread(tmp_path: Path) -> None:
    children = Children()
    script = f"echo $$ >> {tmp_path}/pids; sleep 600"
    running = asyncio.create_task(asyncio.to_thread(in_two_processes, ("sh", "-c", script), b"", children))
    pids = tmp_path / "pids"
    await eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    children.end()
    one, other = await running
    assert (one.answer, other.answer) == (None, None)
    for ended in in_two_processes(("sh", "-c", script), b"", children):  # one that comes too late
        assert ended.answer is None


class Endless:
    """Never has a value."""

    def __call__(self, view: CacheView) -> float:
        while True:
            pass


def own_processes() -> list[int]:
    """Processes of nodes that this one has started."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = {int(pid) for task in tasks for pid in task.read_text().split()}
    return [pid for pid in pids if b"fresh_processes" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.soak
async def test_a_submission_that_is_given_up_ends_the_processes_of_its_nodes() -> None:
    made = Node(StreamInput("BTC-USD"), Endless(), name="endless", code_version="1")
    checked = asyncio.create_task(check_repeats_beside(build_dag([made])))
    await eventually(lambda: len(own_processes()) == 2)
    started = own_processes()
    checked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checked
    assert not any(map(is_alive, started))
