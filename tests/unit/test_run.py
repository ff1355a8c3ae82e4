"""What a run is given after it was measured."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tests.unit.run_examples import run


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (3, 3),
        (0.5, 0.5),
        (True, 1),
        (Decimal(1500), 1500.0),
        (Fraction(1, 4), 0.25),
        (np.int64(7), 7),
        (np.float32(1.5), 1.5),
        (10**300, 10**300),
    ],
)
def test_a_counter_is_a_number_of_python(given, kept):
    found = run(counters={"sold": 1}).with_counters({"stock": given}).counters
    assert found == {"sold": 1, "stock": kept}
    assert type(found["stock"]) is type(kept)


@pytest.mark.parametrize("given", ["n/a", "12", b"12", None, [1], Decimal("sNaN")])
def test_a_counter_that_is_no_number_is_refused_by_name_and_value(given):
    with pytest.raises(TypeError) as caught:
        run().with_counters({"sold": 1, "stock": given})
    assert str(caught.value) == f"counter 'stock': {given!r}, wanted a number"


@pytest.mark.parametrize("given", [10**400, -(10**5000), Fraction(10**400)], ids=["int", "longer", "fraction"])
def test_a_counter_beyond_all_floats_is_refused(given):
    with pytest.raises(TypeError, match="counter 'stock': a number that no float can hold"):
        run().with_counters({"stock": given})
