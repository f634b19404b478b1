from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.evidence import BASES, Estimate, Source, weakest

FIGURES = st.floats(-1e9, 1e9)


@pytest.mark.parametrize("lacking", [{"id": ""}, {"title": ""}, {"title": "  "}])
def test_a_source_has_an_id_and_a_title(lacking):
    given = {"id": "aws-2026", "kind": "list_price", "title": "AWS price list", "read": date(2026, 1, 1)} | lacking
    with pytest.raises(ValueError, match="a source needs an id and a title"):
        Source(**given)


def test_an_estimate_without_a_band_does_not_claim_one():
    estimate = Estimate(mid=4.0, basis="extrapolated")
    assert (estimate.low, estimate.high, estimate.known_band) == (None, None, False)


@pytest.mark.parametrize("half", [{"low": 1.0}, {"high": 5.0}])
def test_half_a_band_is_refused(half):
    with pytest.raises(ValueError, match="both ends or none"):
        Estimate(mid=4.0, basis="measured", **half)


@given(FIGURES, FIGURES, FIGURES)
def test_a_band_holds_its_middle_or_is_refused(low, mid, high):
    if low <= mid <= high:
        assert Estimate(low=low, mid=mid, high=high, basis="measured").known_band
    else:
        with pytest.raises(ValueError, match="does not hold its middle"):
            Estimate(low=low, mid=mid, high=high, basis="measured")


def test_a_band_around_no_number_is_refused():
    with pytest.raises(ValueError, match="does not hold its middle"):
        Estimate(low=1.0, mid=float("nan"), high=2.0, basis="measured")


@given(st.lists(st.sampled_from(BASES), min_size=1))
def test_a_figure_is_as_good_as_its_weakest_part(bases):
    found = weakest(bases)
    assert found in bases
    assert all(BASES.index(found) >= BASES.index(other) for other in bases)
    assert weakest(bases[::-1]) == found
