"""Names of files: nothing outside the root can be named."""

from __future__ import annotations

import pytest

from dagmanager.artifacts.files import below
from qmtl.core.errors import InvalidRequest


@pytest.mark.parametrize(
    "url", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "file:///etc/passwd", "s3://other/x", "zip://x::y", "a*"]
)
def test_no_file_outside_the_root_can_be_named(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        below("s3://mine/graph", url)
    assert caught.value.reason == "E_URL"


def test_files_below_the_root_are_named_by_path_or_url() -> None:
    assert below("s3://mine/graph/", "snapshots/a") == "s3://mine/graph/snapshots/a"
    assert below("s3://mine/graph", "s3://mine/graph/snapshots/a") == "s3://mine/graph/snapshots/a"
