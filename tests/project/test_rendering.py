"""Rendering: the same bytes for the same answers, and templates that cannot do more than write text."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from google.protobuf.json_format import ParseDict

from brokerage.domain.models.profiles.generic import spot
from qmtl.broker.v1.account_pb2 import AccountLimits
from qmtl.core.errors import QmtlError
from qmtl.project.layers import Layer
from qmtl.project.operations import whole
from qmtl.project.parameters import Parameter, ParameterKind, answered, parsed_answers
from qmtl.project.project_file import PROJECT_FILE, RUNNING
from qmtl.project.rendering import FILE_BYTES_MAX, python_literal, rendered, toml_literal
from qmtl.project.selection import ASKED_BY_DATA, select
from qmtl.project.shelf import Shelf
from qmtl.sdk import AccountTerms, Runner, Strategy, StreamInput, signals
from tests.project.shelves import OWN, preset, template_toml, written
from tests.sdk.market import prices
from tools.template_table import PAGE, template_table
from worldservice.policy.domain.governance import LivePromotion
from worldservice.policy.domain.policy import parse_policy
from worldservice.policy.domain.presets import PRESETS as POLICIES

DIGESTS = Path(__file__).with_name("template_digests.json")
PRESETS = ("minimal", "production", "research")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_the_same_bytes_again_and_files_that_parse(name: str) -> None:
    files = whole(preset(name))
    assert files == whole(preset(name))
    for path, content in files.items():
        assert b"\r" not in content or path.endswith(".tgz")
        if path.endswith(".py"):
            ast.parse(content)
        elif path.endswith(".toml"):
            tomllib.loads(content.decode())
        elif path.endswith(".ipynb"):
            assert json.loads(content)["nbformat"] == 4


def test_minimal_is_small() -> None:
    """Its own two files, which say what was rendered, are not counted."""
    files = preset("minimal").files()
    lines = sum(content.count(b"\n") for path, content in files.items() if path.endswith((".py", ".md", ".toml")))
    assert len(files) <= 12
    assert lines <= 250
    assert files["data/SYNTHETIC.csv"].count(b"\n") == 3_001
    assert b"SYNTHETIC: a random walk" in files["README.md"]


def test_the_model_of_a_template_is_named_by_its_hash() -> None:
    files = select(OWN, RUNNING, layers=["signal"], named={"signal": "ml_model"}, with_requires=True).files()
    [path] = [one for one in files if one.startswith("layers/signal/models/")]
    digest = hashlib.sha256(files[path]).hexdigest()
    assert path == f"layers/signal/models/{digest}.json"
    assert f'MODEL = "{digest}"'.encode() in files["layers/signal/__init__.py"]


def test_a_research_project_gives_its_sweep_a_parameter_only_where_the_signal_has_it() -> None:
    assert b"def __init__(self, entry: float = signal.ENTRY)" in preset("research").files()["strategy.py"]
    other = select(OWN, RUNNING, preset="research", named={"signal": "single_indicator"}).files()
    assert b"__init__" not in other["strategy.py"]
    assert tomllib.loads(other["sweeps/grid.toml"].decode()) == {"grid": {}}


@pytest.mark.parametrize("layer", Layer)
def test_a_layer_makes_a_project_with_what_it_needs_alone(layer: Layer) -> None:
    assert whole(select(OWN, RUNNING, layers=[layer], with_requires=True))


def test_a_readme_names_a_file_of_bars_only_where_there_is_one_of_the_interval() -> None:
    hourly, research = preset("minimal", interval="1h").files(), preset("research", interval="1h").files()
    assert "data/SYNTHETIC.csv" not in hourly
    assert b"--data YOUR_BARS.csv" in hourly["README.md"]
    made, read = (research["README.md"].index(one) for one in (b"python -m layers.data.synthetic", b"qmtl backtest"))
    assert made < read
    assert b"--name synthetic --interval 1h" in research["README.md"]


def test_the_wanted_coverage_is_what_the_script_asks_for() -> None:
    files = preset("production", min_coverage=0.875).files()
    assert b"if found < 0.875:" in files["layers/data/coverage.sh"]


def test_the_policy_of_production_is_moderate_and_its_limits_are_those_of_an_account() -> None:
    files = preset("production", max_gross=9_000).files()
    text = files["policies/world.yaml"].decode()
    ours, moderate = yaml.safe_load(text), yaml.safe_load(POLICIES["moderate"].document)
    assert ours["data_currency"] == moderate["data_currency"]
    assert all(ours["selection"][key] == moderate["selection"][key] for key in ("gates", "score"))
    assert parse_policy(text).live_promotion is LivePromotion.MANUAL_APPROVAL
    limits = ParseDict(json.loads(files["policies/risk_limits.json"]), AccountLimits())
    assert (limits.gross_max, limits.leverage_max, limits.symbol_max) == ("9000", "1", "0.5")


@pytest.mark.parametrize(("template", "held"), [("intent_first", "0.10"), ("canary_guard", "0.02")])
def test_execution_never_holds_more_than_the_signals_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, held: str
) -> None:
    """Long a tenth of equity by the signals, below a limit of 0.8 or at a canary's fifth of it."""
    named, answers = {"execution": template}, {"canary_guard": {"canary_weight": 0.2}}.get(template, {})
    files = select(
        OWN, RUNNING, layers=["execution"], named=named, with_requires=True, answers={"long": 0.1, **answers}
    ).files()
    (tmp_path / f"{template}_layer.py").write_bytes(files["layers/execution/__init__.py"])
    monkeypatch.syspath_prepend(tmp_path)
    layer = importlib.import_module(f"{template}_layer")

    class Held(Strategy):
        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            target = signals.position_target(signals.threshold(price, above=100.0, below=100.0), long=0.1)
            self.trade(layer.orders({"target": target}, {"price": price}), price)

    terms = AccountTerms(cash=Decimal(10_000), profile=spot("0", participation="0"))
    bars = prices(*[99.0] * 97, *[101.0] * 3, 100.0, *[100.0] * 3)
    fills = Runner.backtest(Held(), bars, terms=terms).replay.fills
    worth = sum((fill.quantity * fill.price for fill in fills), Decimal(0)) / 10_000
    assert round(worth, 2) == Decimal(held)


def test_a_template_that_changes_steps_its_version() -> None:
    """After a step of a version: python -m tests.project.test_rendering."""
    assert json.loads(DIGESTS.read_text()) == digests()


def test_the_page_of_templates_is_made_from_their_metadata() -> None:
    assert PAGE.read_text(encoding="utf-8") == template_table(OWN)


def digests() -> dict[str, list[str]]:
    """Version and SHA-256 over the sources of each template."""
    found = {}
    for key, template in sorted(OWN.templates.items()):
        content = hashlib.sha256()
        for path, source in sorted(template.facts.files.items()):
            content.update(f"{path}\0{template.text(source)}\0".encode())
        found[key] = [str(template.facts.version), content.hexdigest()]
    return found


HOSTILE_TEXT = {
    "{{ ''.__class__.__mro__ }}": "E_TEMPLATE_METADATA",
    "{{ name.__class__ }}": "E_TEMPLATE_METADATA",
    "{{ name['x'] }}": "E_TEMPLATE_METADATA",
    "{{ range(10) }}": "E_TEMPLATE_METADATA",
    "{{ 'x' * 10000000000 }}": "E_TEMPLATE_METADATA",
    "{{ 10 ** 10 ** 10 }}": "E_TEMPLATE_METADATA",
    "{{ name ~ name }}": "E_TEMPLATE_METADATA",
    "{% set x = name %}": "E_TEMPLATE_METADATA",
    "{% include 'x' %}": "E_TEMPLATE_METADATA",
    "{% macro m() %}{% endmacro %}": "E_TEMPLATE_METADATA",
    "{{ name | format }}": "E_TEMPLATE_METADATA",
    "{{ unknown }}": "E_TEMPLATE_METADATA",
    "{{ name ": "E_TEMPLATE_METADATA",
    "{% for a in layers %}{% for b in layers %}{% for c in layers %}x{% endfor %}{% endfor %}{% endfor %}":
        "E_TEMPLATE_METADATA",
    "x" * (FILE_BYTES_MAX + 1): "E_TEMPLATE_SIZE",
    "{% for a in layers %}" + "x" * (FILE_BYTES_MAX // 2) + "{% endfor %}": "E_TEMPLATE_SIZE",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE_TEXT, ids=range(len(HOSTILE_TEXT)))
def test_a_template_that_asks_for_more_than_output_is_refused(tmp_path: Path, text: str) -> None:
    metadata = template_toml("data", "bad", {"a.txt": "a.jinja"})
    shelf = written(tmp_path, {"data/bad/template.toml": metadata, "data/bad/a.jinja": text})
    with pytest.raises(QmtlError) as refusal:
        rendered([shelf.template("data", "bad")], {"name": "x"}, ("data", "signal", "execution"))
    assert refusal.value.reason == HOSTILE_TEXT[text]


OUTSIDE = (
    "../a",
    "/etc/a",
    "a/../../b",
    "a//b",
    "",
    ".",
    "a\\b",
    "c:a",
    "a\n",
    " a",
    ".git/config",
    "qmtl-project.toml",
)


@pytest.mark.parametrize("path", OUTSIDE, ids=range(len(OUTSIDE)))
def test_a_path_that_leaves_the_project_is_refused(tmp_path: Path, path: str) -> None:
    metadata = template_toml("data", "bad", {}) + f"{json.dumps(path)} = 'a.txt'\n"
    shelf = written(tmp_path, {"data/bad/template.toml": metadata, "data/bad/a.txt": "text"})
    with pytest.raises(QmtlError) as refusal:
        rendered([shelf.template("data", "bad")], {}, ())
    assert refusal.value.reason == "E_TEMPLATE_PATH"


def test_two_templates_never_write_one_file_and_no_file_is_a_folder(tmp_path: Path) -> None:
    one, two = template_toml("data", "one", {"a": "f"}), template_toml("signal", "two", {"a": "f"})
    three = template_toml("execution", "three", {"a/b": "f"})
    files = {"data/one/template.toml": one, "signal/two/template.toml": two, "execution/three/template.toml": three}
    shelf = written(tmp_path, {**files, "data/one/f": "x", "signal/two/f": "x", "execution/three/f": "x"})
    for other in (shelf.template("signal", "two"), shelf.template("execution", "three")):
        with pytest.raises(QmtlError) as refusal:
            rendered([shelf.template("data", "one"), other], {}, ())
        assert refusal.value.reason == "E_TEMPLATE_PATH"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("name = 'X'\n", "name is 'X'"),
        ("colour = 1\n", "name is None"),
        (template_toml("data", "x", {}, "colour = 1"), "unknown field is colour"),
        (template_toml("nowhere", "x", {}), "layer is 'nowhere'"),
        (template_toml("data", "x", {}).replace("1.0.0", "one"), "version is 'one'"),
        (template_toml("data", "x", {}) + "[parameters.a]\ntype='integer'\ndefault='1'\nhelp='h'\n", "a is '1'"),
        ("name = ", "data/x/template.toml"),
        (template_toml("data", "x", {}, 'requires = ["signals"]'), "requires is ['signals']"),
        (template_toml("data", "y", {}), "it says data/y, want the folder's own data/x"),
        (template_toml("data", "x", {}).replace("1.0.0", "2.1.0"), "want migrations.md with ## 2.0.0"),
        (template_toml("data", "x", {}) + "[parameters.api_key]\ntype='text'\ndefault='1'\nhelp='h'\n", "a secret"),
    ],
)
def test_metadata_is_strict(tmp_path: Path, metadata: str, said: str) -> None:
    shelf = written(tmp_path, {"data/x/template.toml": metadata})
    with pytest.raises(QmtlError, match="E_TEMPLATE_METADATA") as refusal:
        shelf.template("data", "x")
    assert said in refusal.value.message
    assert [fault.error for fault in shelf.faults] == [refusal.value]


def test_templates_that_exclude_each_other_or_are_of_another_version_are_refused(tmp_path: Path) -> None:
    frame = template_toml("frame", "strategy", {})
    old = template_toml("data", "old", {}).replace('qmtl = ">=0"', 'qmtl = "<0"')
    alone = template_toml("signal", "alone", {}, 'conflicts = ["data/stream_input"]')
    files = {"frame/strategy/template.toml": frame, "data/old/template.toml": old, "signal/alone/template.toml": alone}
    shelf = written(tmp_path, {**files, "data/stream_input/template.toml": template_toml("data", "stream_input", {})})
    for named, reason in (({"data": "old"}, "E_PROJECT_NEWER"), ({"signal": "alone"}, "E_TEMPLATE_CONFLICT")):
        with pytest.raises(QmtlError) as refusal:
            select(shelf, RUNNING, layers=["data", "signal"] if "signal" in named else ["data"], named=named)
        assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "x" * 10_000),
        ("name", '"; import os'),
        ("name", "a\nb"),
        ("name", "{{ name }}"),
        ("fast", "1.5"),
        ("fast", "1"),
        ("fast", "ten"),
        ("long", "nan"),
        ("interval", "7m"),
        ("colour", "red"),
    ],
)
def test_an_answer_that_is_none_is_refused(key: str, text: str) -> None:
    with pytest.raises(QmtlError) as refusal:
        parsed_answers(preset("minimal").parameters, {key: text})
    assert refusal.value.reason == "E_PARAMETER"
    assert key in str(refusal.value)


@pytest.mark.parametrize("text", ['"', "'", "\\", '"""', "{{ 1 }}", "a\x7f", "é\u2028", "]\ntrue"])
def test_literals_say_their_text_again(text: str) -> None:
    assert ast.literal_eval(python_literal(text)) == text
    assert tomllib.loads(f"a = {toml_literal(text)}")["a"] == text


HOSTILE_ANSWERS = ('"; import os', "{{ name }}", "{% for %}", "\\", "a'''b", '"""', "${HOME}", "$(id)", "é", "# [x]")


@pytest.mark.parametrize("answer", HOSTILE_ANSWERS, ids=range(len(HOSTILE_ANSWERS)))
def test_an_answer_is_text_in_every_file_and_the_project_parses(tmp_path: Path, answer: str) -> None:
    """A parameter without a pattern takes any line of text."""
    asked = "".join(
        f"[parameters.{name}]\ntype = 'text'\ndefault = 'x'\nhelp = 'h'\n" for name in ("remark", *ASKED_BY_DATA)
    )
    files = {"a.py": "a.py.jinja", "a.toml": "a.toml.jinja"}
    shelf = written(
        tmp_path,
        {
            "data/free/template.toml": template_toml("data", "free", files, asked),
            "data/free/a.py.jinja": "X = {{ remark | python }}\n",
            "data/free/a.toml.jinja": "x = {{ remark | toml }}\n",
        },
    )
    both = Shelf([OWN.template("data", "seamless").source, shelf.template("data", "free").source])
    selection = select(both, RUNNING, layers=["data"], named={"data": "free"}, answers={"remark": answer})
    made = whole(selection)
    [line] = ast.parse(made["a.py"]).body
    assert isinstance(line, ast.Assign)
    assert isinstance(line.value, ast.Constant)
    assert line.value.value == tomllib.loads(made["a.toml"].decode())["x"] == answer
    assert tomllib.loads(made[PROJECT_FILE].decode())["answers"]["remark"] == answer


def test_a_template_of_data_asks_for_what_the_files_around_it_read(tmp_path: Path) -> None:
    shelf = written(tmp_path, {"data/mute/template.toml": template_toml("data", "mute", {})})
    both = Shelf([OWN.template("data", "seamless").source, shelf.template("data", "mute").source])
    with pytest.raises(QmtlError, match="E_TEMPLATE_METADATA: data/mute has no parameters symbol, interval"):
        select(both, RUNNING, layers=["data"], named={"data": "mute"})


def test_an_answer_that_looks_like_a_secret_is_refused_and_not_repeated() -> None:
    parameter = Parameter("remark", ParameterKind.TEXT, "x", "")
    secret = "ghp_" + "a1B2" * 9
    with pytest.raises(QmtlError, match="E_PARAMETER: remark is a GitHub token, want no secret") as refusal:
        parameter.checked(f"see {secret}")
    assert secret not in str(refusal.value)


@pytest.mark.parametrize(("count", "size", "said"), [(201, 1, "201 files"), (9, 240 * 1024, f"{9 * 240 * 1024} bytes")])
def test_a_project_has_a_size(tmp_path: Path, count: int, size: int, said: str) -> None:
    metadata = template_toml("data", "large", {f"{number}.txt": "f" for number in range(count)})
    shelf = written(tmp_path, {"data/large/template.toml": metadata, "data/large/f": "x" * size})
    with pytest.raises(QmtlError, match=f"E_TEMPLATE_SIZE: project has {said}"):
        rendered([shelf.template("data", "large")], {}, ())


def test_bounds_are_part_of_a_range() -> None:
    parameter = Parameter("n", ParameterKind.INTEGER, 2, "", minimum=2, maximum=5)
    assert [parameter.checked(value) for value in (2, 5)] == [2, 5]
    for value in (1, 6, True, "3", 3.0):
        with pytest.raises(QmtlError, match="an integer from 2 to 5"):
            parameter.checked(value)
    assert answered({"n": parameter}, {}) == {"n": 2}


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n")
