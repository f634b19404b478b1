"""Frames pass through unchanged and in order, however the network cuts them, and are read on the way."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.scripted import USAGE_FRAME, delta

from breakeven.gateway.sse import LONGEST_HELD_BYTES, Events


def frame(content, end=b"\n\n"):
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return b"data: " + data + end


STREAM = [
    frame(delta("Grüße")),
    b": keep-alive\n\n",
    frame(delta(", you", "stop")),
    frame(USAGE_FRAME),
    frame(b"[DONE]"),
]
WITHOUT = b"".join(STREAM[:3] + STREAM[4:])


def fed(data, cuts, *, strips):
    events = Events(strips_usage=strips)
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    out = b"".join(events.feed(data[a:b]) for a, b in itertools.pairwise(edges))
    return out + events.last(), events


@given(st.lists(st.integers(0, 10_000), max_size=30), st.booleans(), st.sampled_from([b"\n\n", b"\r\n\r\n"]))
def test_however_a_stream_is_cut_it_goes_on_unchanged_but_for_the_usage_that_we_asked_for(cuts, strips, end):
    data = b"".join(STREAM).replace(b"\n\n", end)
    out, events = fed(data, cuts, strips=strips)
    assert out == (WITHOUT.replace(b"\n\n", end) if strips else data)
    assert events.text == "Grüße, you"
    assert events.finished
    assert (events.tokens.input, events.tokens.output) == (20, 2)


@given(st.lists(st.binary(max_size=40), max_size=20), st.booleans())
def test_bytes_that_are_no_frames_go_on_unchanged(pieces, strips):
    events = Events(strips_usage=strips)
    out = b"".join(events.feed(piece) for piece in pieces) + events.last()
    assert out == b"".join(pieces)


@given(st.integers(LONGEST_HELD_BYTES - 100, 3 * LONGEST_HELD_BYTES), st.integers(500, 70_000))
def test_a_frame_that_is_too_long_to_hold_goes_on_in_pieces(length, step):
    data = frame(delta("x" * length)) + b"".join(STREAM)
    out, events = fed(data, range(0, len(data), step), strips=True)
    assert out == frame(delta("x" * length)) + WITHOUT
    assert events.tokens.output == 2


def test_a_frame_goes_on_as_soon_as_it_is_whole():
    events = Events(strips_usage=True)
    first = frame(delta("a"))
    assert events.feed(first[:-1]) == b""
    assert events.feed(first[-1:]) == first
    assert Events(strips_usage=False).feed(first[:3]) == first[:3]


def test_usage_beside_the_last_words_is_read_and_stays():
    both = frame({**delta("a", "stop"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    events = Events(strips_usage=True)
    assert events.feed(both) == both
    assert events.tokens.input == 3


def test_groq_moonshot_and_llama_cpp_put_the_usage_elsewhere():
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    groq = {**delta("", "stop"), "x_groq": {"id": "r", "usage": usage}}
    moonshot = delta("", "stop")
    moonshot["choices"][0]["usage"] = {**usage, "cached_tokens": 2}
    llama = {**delta("", "stop"), "timings": {"prompt_n": 3, "predicted_n": 1, "cache_n": 0}}
    for content in (groq, moonshot, llama):
        events = Events(strips_usage=True)
        assert events.feed(frame(content)) == frame(content)
        assert (events.tokens.input, events.tokens.output) == (3, 1)


def test_reasoning_and_tool_calls_are_part_of_what_was_said():
    events = Events(strips_usage=False)
    call = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}}]}
    for content in ({"choices": [{"delta": {"reasoning_content": "hm "}}]}, call, {"choices": [{"text": "."}]}):
        events.feed(frame(content))
    assert events.text == "hm f{}."


def test_a_frame_that_cannot_be_read_spoils_nothing():
    events = Events(strips_usage=True)
    odd = frame(b"{no json") + frame({"choices": 7}) + frame({"choices": [{"delta": {"content": [{"text": "x"}]}}]})
    assert events.feed(odd + frame(delta("a"))) == odd + frame(delta("a"))
    assert events.text == "a"
