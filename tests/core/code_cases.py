"""Small projects whose `main.compute` is hashed: what counts, what does not, and what is refused."""

from __future__ import annotations

Files = dict[str, str]

BASE = '''\
import math

from helpers import smooth

WINDOW = 20


def compute(view, scale=2):
    """Says what it does."""
    total = sum(smooth(value) for value in view)  # a comment
    return math.sqrt(total) * scale / WINDOW
'''
HELPERS = """\
from deeper import weight

FACTOR = 0.5


def smooth(value):
    return weight(value) * FACTOR


def unused(value):
    return value
"""
DEEPER = "def weight(value):\n    return value + 1\n"


def project(main: str = BASE, helpers: str = HELPERS, deeper: str = DEEPER) -> Files:
    return {"main": main, "helpers": helpers, "deeper": deeper}


SAME = {
    "base": project(),
    "other_comment_and_layout": project(
        BASE.replace("  # a comment", "").replace(
            "sum(smooth(value) for value in view)", "sum(\n        smooth(value) for value in view\n    )"
        )
    ),
    "other_docstring": project(BASE.replace("Says what it does.", "Says more.")),
    "other_constant_spelling": project(BASE.replace("WINDOW = 20", "WINDOW = 0x14")),
    "moved_down": project("\n\n" + BASE),
    "other_unused_helper": project(helpers=HELPERS.replace("    return value\n", "    return -value\n")),
}
DIFFERENT = {
    "helper_two_calls_down": project(deeper=DEEPER.replace("+ 1", "+ 2")),
    "module_constant": project(BASE.replace("WINDOW = 20", "WINDOW = 21")),
    "constant_of_a_helper": project(helpers=HELPERS.replace("0.5", "0.25")),
    "default_value": project(BASE.replace("scale=2", "scale=3")),
    "operator": project(BASE.replace("* scale", "+ scale")),
    "library_function": project(BASE.replace("math.sqrt", "math.exp")),
    "int_and_float_literal": project(BASE.replace("return math.sqrt(total) * scale", "return 1 * scale")),
    "float_literal": project(BASE.replace("return math.sqrt(total) * scale", "return 1.0 * scale")),
    "float_constant": project(BASE.replace("WINDOW = 20", "WINDOW = 20.0")),
    "float_default": project(BASE.replace("scale=2", "scale=2.0")),
    "list_constant": project(BASE.replace("WINDOW = 20", "WINDOW = [20]")),
    "tuple_constant": project(BASE.replace("WINDOW = 20", "WINDOW = (20,)")),
    "list_that_says_float": project(BASE.replace("WINDOW = 20", "WINDOW = ['float', 20]")),
    "list_that_says_tuple": project(BASE.replace("WINDOW = 20", "WINDOW = ['tuple', 20]")),
    "float_inside": project(BASE.replace("WINDOW = 20", "WINDOW = {'a': [(1, 2.0)]}")),
    "integer_inside": project(BASE.replace("WINDOW = 20", "WINDOW = {'a': [(1, 2)]}")),
    "list_inside": project(BASE.replace("WINDOW = 20", "WINDOW = {'a': [[1, 2]]}")),
    "true_constant": project(BASE.replace("WINDOW = 20", "WINDOW = True")),
    "one_constant": project(BASE.replace("WINDOW = 20", "WINDOW = 1")),
    "negative_zero": project(BASE.replace("WINDOW = 20", "WINDOW = -0.0")),
    "zero": project(BASE.replace("WINDOW = 20", "WINDOW = 0.0")),
}
FORMS = {
    "f_strings": {"main": 'def compute(x, w):\n    return f"{x:>{w}}" "tail" f"{x!r}{{}}{x=}{w:}"\n'},
    "match_and_walrus": {
        "main": "def compute(x):\n    match x:\n        case {'a': [1, *rest], **others} if (n := len(rest)) > 1:\n"
        "            return n, others\n        case str(text) | bytes(text):\n            return text\n"
        "    return None\n"
    },
    "closure_value": {
        "main": "def make(seed):\n    def inner(x):\n        return x * seed\n    return inner\n\n\ncompute = make(7)\n"
    },
    "closure_other_value": {
        "main": "def make(seed):\n    def inner(x):\n        return x * seed\n    return inner\n\n\ncompute = make(8)\n"
    },
    "two_lambdas_on_a_line_first": {"main": "compute, other = lambda x: x + 1, lambda x: x + 2\n"},
    "two_lambdas_on_a_line_second": {"main": "other, compute = lambda x: x + 1, lambda x: x + 2\n"},
    "recursion": {"main": "def compute(n):\n    return 1 if n < 2 else n * compute(n - 1)\n"},
    "partial": {
        "main": "from functools import partial\n\n\ndef scaled(x, by):\n    return x * by\n\n\n"
        "compute = partial(scaled, by=3)\n"
    },
    "decorated_by_the_project": {
        "main": "import functools\n\n\ndef twice(fn):\n    @functools.wraps(fn)\n    def inner(x):\n"
        "        return fn(fn(x))\n"
        "    return inner\n\n\n@twice\ndef compute(x):\n    return x + 1\n"
    },
    "cached": {"main": "import functools\n\n\n@functools.lru_cache(maxsize=8)\ndef compute(x):\n    return x + 1\n"},
    "annotations_of_unknown_types": {
        "main": "from __future__ import annotations\n\n\ndef compute(x: Unknown) -> Other:\n"
        "    y: Local = x\n    return y\n"
    },
    "module_attribute": {
        "main": "import helpers\n\n\ndef compute(x):\n    return helpers.LIMITS['a'] + helpers.add(x)\n",
        "helpers": "LIMITS = {'a': 1, 'b': [2, None]}\n\n\ndef add(x):\n    return x + 1\n",
    },
    "imported_constant": {"main": "from math import inf, pi\n\n\ndef compute(x):\n    return min(x * pi, inf)\n"},
    "scopes": {
        "main": "K = 3\n\n\ndef compute(x):\n    def inner(K):\n        return [K for K in range(K)]\n"
        "    class Local:\n"
        "        y = 1\n        def get(self):\n            return K\n"
        "    return inner(x), Local().get(), {a: b for a, b in x if a}\n"
    },
    "surrogate_text": {
        "main": "def compute(x):\n    return x == '\\ud800' or x == b'\\xff' or x == 1e400 or x == 2j\n"
    },
    "async_compute": {"main": "async def compute(x):\n    async with x as y:\n        return await y\n"},
}
CODE: dict[str, Files] = {**SAME, **DIFFERENT, **FORMS}

CODE_REFUSALS: dict[str, tuple[Files, str]] = {
    "object_in_a_global": ({"main": "STATE = object()\n\n\ndef compute(x):\n    return STATE, x\n"}, "STATE"),
    "object_in_a_helpers_global": (project(helpers=HELPERS.replace("FACTOR = 0.5", "FACTOR = {1, 2}")), "FACTOR"),
    "not_a_number": ({"main": "LIMIT = float('nan')\n\n\ndef compute(x):\n    return x < LIMIT\n"}, "LIMIT"),
    "integer_beyond_2_53": ({"main": "BIG = 2**53\n\n\ndef compute(x):\n    return x < BIG\n"}, "BIG"),
    "object_in_a_closure": (
        {
            "main": "def make(held):\n    def inner(x):\n        return held, x\n    return inner\n\n\n"
            "compute = make(object())\n"
        },
        "held",
    ),
    "object_as_default": ({"main": "def compute(x, held=object()):\n    return held, x\n"}, "held"),
    "class_of_the_project": ({"main": "class Model:\n    pass\n\n\ndef compute(x):\n    return Model(), x\n"}, "Model"),
    "undefined_name": ({"main": "def compute(x):\n    return missing(x)\n"}, "missing"),
    "evaluated_text": ({"main": "def compute(x):\n    return eval(x)\n"}, "eval"),
    "project_module_as_value": (
        {"main": "import helpers\n\n\ndef compute(x):\n    return helpers\n", "helpers": "A = 1\n"},
        "helpers",
    ),
    "project_module_imported_inside": (
        {"main": "def compute(x):\n    import helpers\n    return helpers.A\n", "helpers": "A = 1\n"},
        "helpers",
    ),
    "bound_method": (
        {"main": "class Holder:\n    def run(self, x):\n        return x\n\n\ncompute = Holder().run\n"},
        "Holder.run",
    ),
    "bound_builtin": ({"main": "seen = []\nkeep = seen.append\n\n\ndef compute(x):\n    return keep(x)\n"}, "keep"),
}
