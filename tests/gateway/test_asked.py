"""The body of a request: what routing reads of it, and the few bytes that it changes."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.gateway.asked import asking_usage, prefix_of, read_asked, with_model
from breakeven.gateway.ledger import Refused

TEXT = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("model"), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def bodies(draw):
    """A request with its fields in any order, with names of its own that may look like those of the gateway."""
    fields = {**draw(st.dictionaries(TEXT, JSON, max_size=4)), "messages": draw(JSON), "model": draw(TEXT)}
    for name in ("stream", "max_tokens", "max_completion_tokens", "n", "best_of", "stream_options"):
        fields.pop(name, None)
    order = draw(st.permutations(list(fields)))
    spaced = draw(st.booleans())
    text = json.dumps({name: fields[name] for name in order}, indent=2 if spaced else None)
    return text.encode(), fields


@given(bodies(), TEXT)
def test_the_model_is_replaced_and_nothing_else(made, model):
    body, fields = made
    changed = with_model(body, read_asked(body), model)
    assert json.loads(changed) == {**fields, "model": model}


@given(bodies(), TEXT)
def test_a_model_that_stands_there_once_is_replaced_in_its_place(made, model):
    body, fields = made
    old = b'"model": ' + json.dumps(fields["model"]).encode()
    if body.count(b'"model"') == 1 and fields["model"].isascii() and fields["model"].isprintable():
        assert with_model(body, read_asked(body), model) == body.replace(old, b'"model": ' + msgspec.json.encode(model))


def test_a_body_whose_model_stays_is_the_same_bytes():
    body = b'{"model" : "m"  }'
    assert with_model(body, read_asked(body), "m") is body


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"\\u006dodel":"b","x":{"model":"b"}}',
        b'{"x":{"model":"b"},"model":"b"}',
        b'{"x":["model","b"],"model":"\\u0062"}',
    ],
)
def test_a_model_that_is_hard_to_find_is_replaced_all_the_same(body):
    changed = with_model(body, read_asked(body), "there")
    assert json.loads(changed)["model"] == "there"
    assert read_asked(changed).model == "there"


@given(bodies())
def test_a_stream_is_asked_for_its_usage_and_for_nothing_else(made):
    body, fields = made
    changed, added = asking_usage(body, read_asked(body))
    assert added
    assert json.loads(changed) == {**fields, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("given_", "wanted", "added"),
    [
        ('{"include_usage":true}', {"include_usage": True}, False),
        ('{ "include_usage" : false, "x": 1}', {"include_usage": True, "x": 1}, True),
        ('{"include_obfuscation":false}', {"include_usage": True, "include_obfuscation": False}, True),
        ("null", {"include_usage": True}, True),
        ('"odd"', "odd", False),
    ],
)
def test_what_a_caller_says_of_its_stream_is_kept(given_, wanted, added):
    body = b'{"stream_options":%s,"model":"m"}' % given_.encode()
    changed, was_added = asking_usage(body, read_asked(body))
    assert (json.loads(changed)["stream_options"], was_added) == (wanted, added)


def test_an_empty_object_is_told_that_the_model_is_missing():
    with pytest.raises(Refused, match="model"):
        read_asked(b"{}")


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"max_tokens": 5, "n": 2, "best_of": 4}, 20),
        ({"max_tokens": -1}, 0),
    ],
)
def test_the_longest_answer_counts_all_that_is_asked_for(fields, most):
    assert read_asked(json.dumps({"model": "m", **fields}).encode()).most_output_tokens == most


def _chat(*texts):
    messages = [{"role": role, "content": text} for role, text in texts]
    return read_asked(json.dumps({"model": "m", "messages": messages}).encode())


@given(TEXT, TEXT, TEXT)
def test_the_turns_of_a_conversation_share_their_prefix(system, first, later):
    begun = [("system", system), ("user", first)]
    assert prefix_of(_chat(*begun)) == prefix_of(_chat(*begun, ("assistant", later), ("user", later)))


def test_other_first_words_are_another_prefix():
    system = ("system", "You are kind.")
    assert prefix_of(_chat(system, ("user", "a"))) != prefix_of(_chat(system, ("user", "b")))
