"""Calls whose answer is another each time are found by whatever name they have, and others are left alone."""

from __future__ import annotations

import ast

import pytest

from qmtl.project.validation.clock import changing_calls

CALLS = {
    "import time\ntime.time()": [(2, "time.time")],
    "import time as t\nt.time_ns()": [(2, "time.time_ns")],
    "from datetime import datetime\nx = datetime.now()": [(2, "datetime.datetime.now")],
    "import datetime\nx = datetime.date.today()": [(2, "datetime.date.today")],
    "import numpy as np\nnp.random.normal()": [(2, "numpy.random.normal")],
    "import numpy.random\nnumpy.random.rand(2)": [(2, "numpy.random.rand")],
    "import numpy as np\nnp.random.default_rng()": [(2, "numpy.random.default_rng")],
    "import numpy as np\nnp.random.default_rng(7)": [],
    "import numpy as np\nnp.random.default_rng(seed=7)": [],
    "from random import Random, shuffle\nRandom().random()\nshuffle([])": [(2, "random.Random"), (3, "random.shuffle")],
    "import random\nrandom.Random(7).random()": [],
    "def time(): ...\ntime()\nself.time()": [],
    "from .clock import time\ntime()": [],
    "import time\ntime.sleep": [],
}


@pytest.mark.parametrize("text", CALLS, ids=range(len(CALLS)))
def test_a_call_that_changes_is_found(text: str) -> None:
    assert sorted(changing_calls(ast.parse(text))) == CALLS[text]
