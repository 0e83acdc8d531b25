"""An instrument is refused when its steps or its multiplier are not positive."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from qmtl.core.errors import InvalidRequest
from tests.brokerage.domain.accounts.test_ledger import SPOT


@pytest.mark.parametrize("field", ["tick", "lot", "multiplier"])
@pytest.mark.parametrize("value", [0, -1])
def test_steps_and_the_multiplier_must_be_positive(field: str, value: int) -> None:
    wrong: object = Decimal(value) if field == "multiplier" else value
    with pytest.raises(InvalidRequest, match="E_INSTRUMENT_INVALID: BTC-USD"):
        replace(SPOT, **{field: wrong})  # type: ignore[arg-type]  # the fields are named above
