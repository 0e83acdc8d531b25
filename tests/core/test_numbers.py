import math

import pytest

from qmtl.core.numbers import is_finite_number


@pytest.mark.parametrize("value", [0, -1, 2**53 + 1, 1.5, -0.0, 10**308, 5e-324])
def test_a_number_that_a_double_holds_is_finite(value: object) -> None:
    assert is_finite_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", [1], math.nan, math.inf, -math.inf, 10**309, -(10**400)])
def test_a_bool_a_text_and_what_no_double_holds_are_none(value: object) -> None:
    assert not is_finite_number(value)
