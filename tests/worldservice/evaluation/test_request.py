"""What a run of several data sets says that it is of."""

from worldservice.evaluation.replay.request import data_fingerprint

PRINTS = [f"sha256:{at:064x}" for at in range(16)]


def test_one_fingerprint_is_itself_and_several_are_one_name_in_any_order() -> None:
    assert data_fingerprint(PRINTS[:1]) == PRINTS[0]
    whole = data_fingerprint(PRINTS)
    assert whole == data_fingerprint(PRINTS[::-1])
    assert whole != data_fingerprint(PRINTS[:-1])
    assert len(whole) <= 200
