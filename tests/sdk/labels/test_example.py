"""The example of labels says what it says."""

import pytest

from examples import label_research


def test_labels_are_counted_and_the_split_leaves_a_gap(capsys: pytest.CaptureFixture[str]) -> None:
    label_research.main()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("5928 labelled bars:")
    assert second.endswith("24 lie across the split")
    assert abs(float(third.rsplit(" ", 1)[1])) < 0.15
