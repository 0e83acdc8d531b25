"""code_hash: what a change of a project does to the hash, and what no hash can be given for."""

from __future__ import annotations

import ast

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.graph.code.closure import code_hash
from qmtl.sdk.graph.code.syntax import free_chains
from tests.core.check_vectors import load_compute
from tests.core.code_cases import DIFFERENT, SAME, Files

BASE = code_hash(load_compute(SAME["base"]))


@pytest.mark.parametrize("name", SAME)
def test_same_function(name: str) -> None:
    assert code_hash(load_compute(SAME[name])) == BASE


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_function(name: str) -> None:
    assert code_hash(load_compute(DIFFERENT[name])) != BASE


def test_all_changes_differ_from_each_other() -> None:
    hashes = {code_hash(load_compute(files)) for files in DIFFERENT.values()}
    assert len(hashes) == len(DIFFERENT)


def test_declared_version_replaces_the_capture() -> None:
    compute = load_compute({"main": "STATE = object()\n\n\ndef compute(x):\n    return STATE, x\n"})
    assert code_hash(compute, code_version="3") == "ver:3"
    with pytest.raises(InvalidRequest) as caught:
        code_hash(compute)
    assert caught.value.reason == "E_CODE_NOT_CAPTURABLE"
    assert caught.value.metadata == {"name": "STATE", "function": "compute"}
    assert "code_version" in caught.value.hint


def test_library_function_counts_by_its_name() -> None:
    import math

    assert code_hash(math.sqrt) == code_hash(math.sqrt)
    assert code_hash(math.sqrt) != code_hash(math.exp)


def test_installed_distribution_counts_by_name() -> None:
    from_import = {"main": "import numpy as np\n\n\ndef compute(x):\n    return np.mean(x)\n"}
    assert code_hash(load_compute(from_import)).startswith("py1:")
    inside = {"main": "def compute(x):\n    import numpy as np\n    return np.mean(x)\n"}
    assert code_hash(load_compute(inside)).startswith("py1:")


KEEP = """\
from qmtl.sdk.graph.factories import node


def keep(fn):
    setattr(keep, "fn", fn)
    return fn


@LINE
@keep
def traced(view):
    return 1


compute = keep.fn
"""


def test_node_decorator_does_not_count() -> None:
    """What `@node(...)` says is in the node's spec already, or is only a display name."""
    hashes = {
        code_hash(load_compute({"main": KEEP.replace("@LINE\n", line)}))
        for line in ("", "@node()\n", "@node(period=4)\n")
    }
    assert len(hashes) == 1


def test_jitted_function_counts_with_its_options() -> None:
    def jitted(option: str) -> Files:
        return {"main": f"import numba\n\n\n@numba.njit({option})\ndef compute(x):\n    return x + 1\n"}

    assert code_hash(load_compute(jitted(""))) != code_hash(load_compute(jitted("fastmath=True")))


def test_wrapper_without_a_decorator_line_is_refused() -> None:
    files = {"main": "import functools\n\n\ndef inner(x):\n    return x\n\n\ncompute = functools.lru_cache(inner)\n"}
    with pytest.raises(InvalidRequest, match="no decorator line"):
        code_hash(load_compute(files))


SCALED = """\
def scale():
    return 1


scale.by = VALUE


def compute(x):
    return x * scale.by
"""


def test_a_value_kept_on_a_function_counts() -> None:
    hashes = {code_hash(load_compute({"main": SCALED.replace("VALUE", value)})) for value in ("3", "4", "3.5")}
    assert len(hashes) == 3
    with pytest.raises(InvalidRequest, match=r"scale\.by"):
        code_hash(load_compute({"main": SCALED.replace("VALUE", "object()")}))


def test_source_that_cannot_be_read_is_refused() -> None:
    space: dict[str, object] = {"__name__": "nowhere"}
    exec("def compute(x):\n    return x\n", space)
    compute = space["compute"]
    assert callable(compute)
    with pytest.raises(InvalidRequest, match="no readable source"):
        code_hash(compute)


def chains(source: str) -> list[str]:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return [".".join(chain) for chain in free_chains(node)]


@pytest.mark.parametrize(
    ("source", "free"),
    [
        ("def f(a):\n    return a.b + c.d.e", ["c.d.e"]),
        ("def f(a=g):\n    return a", []),
        ("def f(a):\n    return [b for b in a for c in b if d]", ["d"]),
        ("def f():\n    global g\n    g = 1\n    return g", ["g"]),
        ("def f():\n    x = 1\n    def inner():\n        nonlocal x\n        x = y\n    return inner", ["y"]),
        ("def f():\n    x = 1\n    def inner():\n        global x\n        return x\n    return inner", ["x"]),
        (
            "def f(a):\n    class C(Base):\n        y = a\n        def m(self):\n            return y\n    return C",
            ["Base", "y"],
        ),
        ("def f(a: T) -> U:\n    b: V = a\n    return b", []),
        ("def f(a):\n    try:\n        return a\n    except E as e:\n        return e", ["E"]),
        ("def f(a):\n    import os.path as p, sys\n    return p, sys", []),
        ("def f(a):\n    return (lambda x, y=k: x + y + z)(a)", ["k", "z"]),
        ("def f(a):\n    if any((n := b) for b in a):\n        return n", ["any"]),
        ("@deco(1)\ndef f(a):\n    return a", ["deco"]),
        ("def f(a):\n    return g(a).h.i", ["g"]),
        ("def f(a):\n    for i, (j, *k) in a:\n        del i\n    with o() as w:\n        return w, j, k", ["o"]),
    ],
)
def test_free_chains(source: str, free: list[str]) -> None:
    assert chains(source) == free
