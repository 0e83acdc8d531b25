"""A graph's values over made-up bars in two processes of their own: what differs comes from more than the inputs.

The two have another hash seed, folder and home, and clocks 400 days apart. `python -m
qmtl.sdk.repeatability.fresh_processes` is such a process: a graph comes in, digests of its nodes' values go out.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from qmtl.core.errors import InvalidRequest, refused
from qmtl.sdk.graph.code.closure import is_library
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import Node
from qmtl.sdk.repeatability.sample import digests, sample_bars
from qmtl.sdk.repeatability.shifted_clock import shift_clock

PATIENCE_S = 120.0
APART = timedelta(days=400)
CLOCK = "QMTL_CLOCK_DAYS"
"""In the environment of such a process: by how many days its clock is moved."""
_HINT = "compute from the node's inputs alone; `qmtl check FILE` shows which nodes differ"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its code, the last line that it wrote, the end of its errors."""

    code: int
    last_line: str
    said: str


def check_repeats(dag: Dag) -> None:
    """Refuse a graph in which a node of the author's has other values in another process.

    A node that fails over made-up bars in both is not judged by them, nor is a graph that reads queues.
    Raises InvalidRequest (E_NOT_DETERMINISTIC), naming the nodes.
    """
    named = [dag.names[vertex.node_id] for vertex in dag.nodes if isinstance(vertex, Node)]
    if not named:
        return
    if CLOCK in os.environ:
        want = 'it under `if __name__ == "__main__":`'
        raise refused("E_FIELD", "submission", "at the top of a module that other processes import", want)
    one, other = in_two_processes((sys.executable, "-m", __name__), _packed(dag, named))
    for ended in (one, other):
        if ended.code:
            raise _refusal(named, f"not to be run in a process of its own ({ended.said})")
    values, again = json.loads(one.last_line), json.loads(other.last_line)
    if isinstance(values, str) or isinstance(again, str):
        if isinstance(values, str) and isinstance(again, str):
            return
        failed = values if isinstance(values, str) else again
        raise _refusal(named, f"failing in one of two processes and not in the other ({failed})")
    differing = differing_names(values, again)
    if differing:
        raise _refusal(differing, "of other values in another process")


def differing_names(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Nodes whose digests differ between two runs, or that only one of them has, in the order of the first."""
    return [name for name in dict.fromkeys((*one, *other)) if one.get(name) != other.get(name)]


def in_two_processes(command: Sequence[str], given: bytes = b"") -> tuple[Ended, Ended]:
    """Run a command twice at once, in environments that a pure function cannot tell apart.

    Raises InvalidRequest (E_NODE_VALUE) where one takes more than PATIENCE_S.
    """
    with ExitStack() as stack:
        started = []
        for seed, shift in ((1, timedelta(0)), (2, APART)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "given").write_bytes(given)
            with (folder / "given").open("rb") as standard_input:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=_environment(folder, seed, shift),
                    stdin=standard_input,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        first, second = map(_ended, started)
    return first, second


def move_clock() -> None:
    """Move this process's clock as its environment says."""
    shift_clock(timedelta(days=int(os.environ.get(CLOCK, "0"))))


def _environment(folder: Path, seed: int, shift: timedelta) -> dict[str, str]:
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    own = {"PYTHONHASHSEED": str(seed), "HOME": str(folder), "PYTHONPATH": paths, CLOCK: str(shift.days)}
    return {**os.environ, **own}


def _ended(process: subprocess.Popen[str]) -> Ended:
    try:
        out, errors = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise InvalidRequest("E_NODE_VALUE", f"made-up bars took more than {PATIENCE_S:.0f} s") from None
    said = " ".join(errors.strip().splitlines()[-2:]) or "it ended without a word"
    return Ended(process.returncode, out.strip().rpartition("\n")[2], said[:500])


def _packed(dag: Dag, named: Sequence[str]) -> bytes:
    import cloudpickle

    with _carried_along():
        try:
            packed: bytes = cloudpickle.dumps(dag)
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
            raise _refusal(named, f"not to be sent to a process of its own ({error})") from error
    return packed


@contextmanager
def _carried_along() -> Iterator[None]:
    """Modules of the project that another process would not find are sent with what is defined in them."""
    import cloudpickle

    found = _hidden_modules()
    for module in found:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in found:
            cloudpickle.unregister_pickle_by_value(module)


def _hidden_modules() -> list[ModuleType]:
    tops = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    hidden = {top for top in tops if not is_library(top) and not _is_found(top)}
    loaded = [(name, module) for name, module in list(sys.modules.items()) if name.partition(".")[0] in hidden]
    return [module for name, module in loaded if getattr(module, "__file__", None) and module.__name__ == name]


def _is_found(top: str) -> bool:
    """Whether another process finds this very module under its name, and no other file."""
    spec, file = PathFinder.find_spec(top), getattr(sys.modules.get(top), "__file__", None)
    return spec is not None and (file is None or spec.origin == file)


def _refusal(names: Sequence[str], what: str) -> InvalidRequest:
    return refused("E_NOT_DETERMINISTIC", ", ".join(names), what, "values of its inputs alone", hint=_HINT)


def main() -> None:
    """Print the digests of the graph on standard input as JSON; a text: what it raised."""
    move_clock()
    dag: Dag = pickle.loads(sys.stdin.buffer.read())
    try:
        made: object = digests(dag, sample_bars(dag))
    except Exception as error:  # noqa: BLE001  # whatever a node of the author's raises is what is told
        made = f"{type(error).__name__}: {error}"[:300]
    sys.stdout.write("\n" + json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
