"""Writes the node catalogue of the gateway from the SDK's declarations; a test fails while the two differ."""

import json
from pathlib import Path

from qmtl.sdk.catalogue import catalogue_document

PATH = Path(__file__).resolve().parent.parent / "gateway" / "submissions" / "catalogue" / "node_catalogue.json"


def catalogue_text() -> str:
    """The committed form: indented, keys in the order of the declaration."""
    return json.dumps(catalogue_document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(catalogue_text(), encoding="utf-8")
