"""Packages with templates as pip would leave them: a folder of files, and the metadata beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.project.shelves import lay_texts, template_toml

IMPORTED = 'raise SystemExit("a package of templates is data and is not imported")\n'

BREAKOUT = '''"""Signals: long while the price is above its average by a margin."""

from collections.abc import Mapping

from qmtl.sdk import StreamInput, Vertex
from qmtl.sdk import indicators as ta
from qmtl.sdk import signals as decisions

MARGIN = {{ margin | python }}


def signals(inputs: Mapping[str, StreamInput]) -> dict[str, Vertex]:
    """Decisions by name; "target" is the position to hold."""
    price = inputs["price"]
    direction = decisions.threshold(price / ta.sma(price, 20), above=1.0 + MARGIN, below=1.0)
    return {"target": decisions.position_target(direction, long=0.5, short=0.0)}
'''
MARGIN = "[parameters.margin]\ntype = 'number'\ndefault = 0.01\nmin = 0.0\nmax = 1.0\nhelp = 'Above the average.'\n"
ACME = {
    "signal/breakout/template.toml": template_toml(
        "signal", "breakout", {"layers/signal/__init__.py": "signal.py.jinja"}, MARGIN
    ),
    "signal/breakout/signal.py.jinja": BREAKOUT,
    "presets/acme.toml": "name = 'acme'\nsummary = 'Breakouts.'\n[layers]\ndata = 'stream_input'\nsignal = 'breakout'\n"
    "[answers]\nmargin = 0.02\n",
}
"""A package with one template and one preset."""


def install(folder: Path, name: str, files: Mapping[str, str], *, point: str = "", version: str = "1.2.0") -> None:
    """The distribution `name`, whose entry point names its module, or another `point`."""
    module = name.replace("-", "_")
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "entry_points.txt": f"[qmtl.templates]\n{module} = {point or module}\n",
        "INSTALLER": "pip\n",
    }
    lay_texts(folder / f"{module}-{version}.dist-info", metadata)
    lay_texts(folder / module, {"__init__.py": IMPORTED, **files})
