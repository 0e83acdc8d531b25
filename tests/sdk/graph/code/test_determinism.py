"""What a compute function may not do: read clocks, chance or the outside, keep state, hold data."""

from __future__ import annotations

import time

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.graph.code.closure import code_hash
from tests.core.check_vectors import load_compute

HEAD = """\
import datetime as dt
import functools
import os
import random
import time
from datetime import datetime
from pathlib import Path
from random import random as draw

import numpy as np
import pandas as pd
import polars as pl

COUNT = [0]
SEEN = {}
HELD = {"seen": []}
LIMIT = 3
WEIGHTS = [0.5] * 64


"""

CLOCKS = (
    "return pd.Timestamp.now().second",
    "return pd.Timestamp('now').second",
    "return pd.to_datetime('today').second",
    "return int(np.datetime64('now').astype(int))",
    "return datetime.now().second",
    "return dt.datetime.utcnow().second",
    "return dt.date.today().day",
    "return time.time()",
    "clock = time.monotonic\n    return clock()",
    "import time as later\n    return later.time_ns()",
    "from datetime import datetime as when\n    return when.today().day",
)
UNSTEADY = (
    "return random.random()",
    "return draw()",
    "return random.Random().random()",
    "return np.random.rand()",
    "return np.random.default_rng().random()",
    "return np.random.default_rng",
    "from numpy.random import normal\n    return normal()",
    "return hash(view)",
    "return id(view)",
    "import secrets\n    return secrets.randbelow(3)",
    "import uuid\n    return uuid.uuid4().int",
)
OUTSIDE = (
    "return os.stat('/').st_mtime",
    "return len(os.environ)",
    "return os.path.getmtime('/')",
    "return open('/').read()",
    "return Path('/').stat().st_mtime",
    "return pd.read_csv('closes.csv')",
    "return pl.scan_parquet('closes.parquet')",
    "return np.load('closes.npy')",
    "import sys\n    return len(sys.argv)",
)
STATE = (
    "COUNT[0] += 1\n    return COUNT[0]",
    "COUNT.append(1)\n    return len(COUNT)",
    "HELD['seen'].append(1)\n    return 1",
    "SEEN[view] = 1\n    return len(SEEN)",
    "SEEN.setdefault(1, 2)\n    return len(SEEN)",
    "del SEEN[1]\n    return 1",
    "for SEEN[0] in (1, 2):\n        pass\n    return 1",
    "global LIMIT\n    LIMIT += 1\n    return LIMIT",
    "compute.calls = 1\n    return 1",
    "def inner():\n        COUNT.pop()\n    inner()\n    return 1",
)
FINE = (
    "return random.Random(7).random()",
    "return np.random.default_rng(7).random()",
    "return np.random.Generator(np.random.PCG64(seed=7)).random()",
    "return dt.datetime(2026, 1, 5).day + dt.timedelta(1).days",
    "return pd.Timestamp('2026-01-05').day",
    "return np.append([1.0], 2.0).sum()",
    "import sys\n    return sys.float_info.max",
    "found = []\n    found.append(1)\n    found[0] += 1\n    return found[0]",
    "total = 0\n    def add(x):\n        nonlocal total\n        total += x\n    add(1)\n    return total",
    "return sum(WEIGHTS)",
    "return LIMIT + COUNT[0]",
    "time = 3\n    return time",
)


def hash_of(body: str, signature: str = "view") -> str:
    return code_hash(load_compute({"main": f"{HEAD}def compute({signature}):\n    {body}\n"}))


def reason_of(body: str, signature: str = "view") -> str:
    with pytest.raises(InvalidRequest) as caught:
        hash_of(body, signature)
    assert "compute" in caught.value.message
    assert caught.value.metadata["function"].startswith("compute")
    return caught.value.reason


@pytest.mark.parametrize("body", CLOCKS)
def test_clocks_are_refused(body: str) -> None:
    assert reason_of(body) == "E_WALL_CLOCK"


@pytest.mark.parametrize("body", UNSTEADY + OUTSIDE + STATE)
def test_what_differs_from_run_to_run_is_refused(body: str) -> None:
    assert reason_of(body) == "E_NOT_DETERMINISTIC"


@pytest.mark.parametrize("body", FINE)
def test_what_depends_on_the_inputs_alone_passes(body: str) -> None:
    assert hash_of(body).startswith("py1:")


def test_a_default_that_is_changed_is_kept_state() -> None:
    assert reason_of("seen.append(1)\n    return len(seen)", "view, seen=[]") == "E_NOT_DETERMINISTIC"
    assert hash_of("return len(seen)", "view, seen=[]").startswith("py1:")


def test_a_helper_is_judged_like_the_function() -> None:
    helper = "def helper():\n    return random.random()\n\n\n"
    files = {"main": f"import random\n\n\n{helper}def compute(view):\n    return helper()\n"}
    with pytest.raises(InvalidRequest, match=r"helper, line 5, draws .*random\.random"):
        code_hash(load_compute(files))


def test_a_project_module_is_called_but_not_changed() -> None:
    files = {
        "tools": "KEPT = []\n\n\ndef add(a, b):\n    return a + b\n",
        "main": "import tools\n\n\ndef compute(view):\n    return BODY\n",
    }
    fine = {name: text.replace("BODY", "tools.add(1, 2)") for name, text in files.items()}
    assert code_hash(load_compute(fine)).startswith("py1:")
    changed = {name: text.replace("BODY", "tools.KEPT.append(1)") for name, text in files.items()}
    with pytest.raises(InvalidRequest) as caught:
        code_hash(load_compute(changed))
    assert caught.value.reason == "E_NOT_DETERMINISTIC"


def test_a_stated_version_is_judged_too() -> None:
    compute = load_compute({"main": "import time\n\n\ndef compute(view):\n    return time.time()\n"})
    with pytest.raises(InvalidRequest) as caught:
        code_hash(compute, code_version="3")
    assert caught.value.reason == "E_WALL_CLOCK"


class Clocked:
    """A strategy's method as compute function."""

    def look(self, view: object) -> float:
        return time.time()


def test_a_method_with_a_stated_version_is_judged_too() -> None:
    with pytest.raises(InvalidRequest, match=r"Clocked\.look, line \d+, reads the clock: time\.time"):
        code_hash(Clocked().look, code_version="3")


@pytest.mark.parametrize(
    ("head", "body", "numbers"),
    [
        ("FUTURE = [1.0] * 65", "FUTURE[0]", 65),
        ("FUTURE = {str(i): (i, 1.5) for i in range(33)}", "FUTURE['1']", 66),
        ("A = [1] * 40\nB = [2] * 40", "A[0] + B[0]", 80),
        ("", f"[{', '.join(['1.5'] * 65)}][0]", 65),
        ("FUTURE = '1.25,' * 104", "float(FUTURE.split(',')[0])", 65),
        ("", f"float('{'1.25,' * 104}'.split(',')[0])", 65),
    ],
)
def test_more_than_64_numbers_are_data(head: str, body: str, numbers: int) -> None:
    with pytest.raises(InvalidRequest, match=f"holds {numbers} numbers, want at most 64") as caught:
        code_hash(load_compute({"main": f"{head}\n\n\ndef compute(view):\n    return {body}\n"}))
    assert caught.value.reason == "E_DATA_IN_CODE"


@pytest.mark.parametrize(
    "body",
    [
        "importlib.import_module('os').environ['X']",
        "float(view.__class__.__init__.__globals__['WEIGHTS'][0])",
        "np.__dict__['random']",
    ],
)
def test_modules_through_other_doors_are_outside(body: str) -> None:
    with pytest.raises(InvalidRequest, match="reads what is outside of its inputs") as caught:
        code_hash(
            load_compute({"main": f"import importlib\nimport numpy as np\n\n\ndef compute(view):\n    return {body}\n"})
        )
    assert caught.value.reason == "E_NOT_DETERMINISTIC"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("vars(np)['random'].rand()", "numpy"),
        ("getattr(np, 'ran' + 'dom').rand()", "numpy"),
        ("vars(np.linalg)['norm'](1.0)", "numpy.linalg"),
        ("(lambda any: any.random.rand())(np)", "numpy"),
        ("vars(inner)['inf']", "math"),
    ],
)
@pytest.mark.parametrize("version", ["", "1"])
def test_a_module_is_no_value(body: str, name: str, version: str) -> None:
    text = f"import numpy as np\n\n\ndef compute(view):\n    import math as inner\n    return {body}\n"
    with pytest.raises(InvalidRequest, match=f"line 6, uses module {name} as a value") as caught:
        code_hash(load_compute({"main": text}), code_version=version)
    assert caught.value.reason == "E_NOT_DETERMINISTIC"


def test_what_is_read_of_a_module_may_be_used() -> None:
    text = "import numpy as np\n\n\ndef compute(view):\n    return np.linalg.norm(np.inf)\n"
    code_hash(load_compute({"main": text}))


def test_a_docstring_is_no_data() -> None:
    code_hash(load_compute({"main": f"def compute(view):\n    '{'what it does ' * 60}'\n    return 1.0\n"}))
