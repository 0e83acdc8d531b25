"""The node catalogue: all of the SDK's built-ins, committed as they are declared, and the DAGs that follow from it."""

from __future__ import annotations

import importlib
import json
import pkgutil

import qmtl.sdk
from qmtl.sdk.catalogue import BUILTINS, SCHEMAS
from qmtl.sdk.graph.builtins import Builtin
from tests.sdk.graph import make_vectors
from tools.node_catalogue import PATH, catalogue_text


def test_the_committed_catalogue_is_what_the_sdk_declares() -> None:
    assert PATH.read_text(encoding="utf-8") == catalogue_text(), "run `python -m tools.node_catalogue`"


def test_the_committed_dags_are_what_the_sdk_builds() -> None:
    committed = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(make_vectors.vectors())), "run `python -m tests.sdk.graph.make_vectors`"


def test_no_built_in_is_left_out() -> None:
    declared = {
        builtin.type.node_type
        for module in pkgutil.walk_packages(qmtl.sdk.__path__, "qmtl.sdk.")
        for builtin in vars(importlib.import_module(module.name)).values()
        if isinstance(builtin, Builtin)
    }
    assert declared == {builtin.type.node_type for builtin in BUILTINS}
    assert {builtin.type.output for builtin in BUILTINS} <= set(SCHEMAS)
