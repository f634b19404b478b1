"""Words that remember what they were made of are still plain text to whoever only reads them."""

import copy
import pickle

import msgspec
import pytest

from breakeven.wording import Volume, joined, plain, worded


def test_words_are_equal_to_their_text_wherever_text_is_compared():
    found = worded("{n} requests to {option}", n=3, option="api:a/b")
    assert found == "3 requests to api:a/b"
    assert {found: 1}["3 requests to api:a/b"] == 1
    assert found.startswith("3 requests")


def test_words_survive_a_copy_and_a_pickle_with_what_they_were_made_of():
    found = joined("; ", (worded("at {count}", count=Volume(2e6)), "as stated"))
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert again == "at 2 million; as stated"
        assert (again.pattern, again.parts) == (found.pattern, found.parts)
        assert again.parts[0].places == found.parts[0].places


def test_an_encoder_takes_words_as_text_and_nothing_else():
    assert msgspec.json.encode([worded("{n} ways", n=2)], enc_hook=plain) == b'["2 ways"]'
    with pytest.raises(TypeError, match="object"):
        msgspec.json.encode([object()], enc_hook=plain)


@pytest.mark.parametrize(("value", "told"), [(0.0, "0"), (999.4, "999"), (1e6, "1 million"), (123456.0, "123,000")])
def test_a_volume_is_told_with_three_digits(value, told):
    assert str(Volume(value)) == f"{Volume(value)}" == told
    assert f"{Volume(value):.1f}" == f"{value:.1f}"
