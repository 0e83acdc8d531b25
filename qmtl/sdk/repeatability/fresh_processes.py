"""A graph's values over made-up bars in two processes of their own: what differs comes from more than the inputs.

The two have another hash seed, folder and home, and clocks 400 days apart. `python -m
qmtl.sdk.repeatability.fresh_processes` is such a process: a graph comes in, digests of its nodes' values go out.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType

from qmtl.core.errors import InvalidRequest, refused
from qmtl.sdk.graph.code.closure import is_library
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import Node
from qmtl.sdk.repeatability.sample import digests, sample_bars
from qmtl.sdk.repeatability.two_processes import CLOCK, Children, answer, begin_process, in_two_processes

_HINT = "compute from the node's inputs alone; `qmtl check FILE` shows which nodes differ"


async def check_repeats_beside(dag: Dag) -> None:
    """As `check_repeats`, in a thread; its processes are ended where this is cancelled."""
    children = Children()
    try:
        await asyncio.to_thread(check_repeats, dag, children)
    finally:
        children.end()


def check_repeats(dag: Dag, children: Children | None = None) -> None:
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
    both = in_two_processes((sys.executable, "-m", __name__), _packed(dag, named), children)
    for ended in both:
        if ended.answer is None:
            raise _refusal(named, f"not to be run in a process of its own ({ended.said})")
    values, again = (ended.answer for ended in both)
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
    """Answer with the digests of the graph on standard input; a text: what it raised."""
    begin_process()
    dag: Dag = pickle.loads(sys.stdin.buffer.read())
    try:
        made: object = digests(dag, sample_bars(dag))
    except Exception as error:  # noqa: BLE001  # whatever a node of the author's raises is what is told
        made = f"{type(error).__name__}: {error}"[:300]
    answer(made)


if __name__ == "__main__":
    main()
