"""Tokens as upstreams spell them, and counted where they say nothing."""

import json

import msgspec
import pytest

from breakeven.gateway.usage import UNKNOWN, Tokens, counted, counted_answer, tokens_in

OPENAI = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20, "accepted_prediction_tokens": 0},
}


def of(usage, **rest):
    return tokens_in(json.dumps({"id": "x", "choices": [], "usage": usage, **rest}).encode())


def test_openai():
    assert of(OPENAI) == Tokens(input=100, cached_input=64, output=30, reasoning=20, basis="upstream")


def test_vllm_without_details():
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "prompt_tokens_details": None}
    assert of(usage) == Tokens(input=7, output=2, basis="upstream")


def test_deepseek():
    usage = {
        "prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55,
        "prompt_cache_hit_tokens": 48, "prompt_cache_miss_tokens": 2,
    }  # fmt: skip
    assert of(usage) == Tokens(input=50, cached_input=48, output=5, basis="upstream")


def test_llama_cpp_with_timings():
    usage = {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55}
    timings = {"cache_n": 40, "prompt_n": 10, "prompt_ms": 3.5, "predicted_n": 5}
    assert of(usage, timings=timings).cached_input == 40
    assert of(None, timings=timings) == Tokens(input=50, cached_input=40, output=5, basis="upstream")


def test_xai_counts_reasoning_beside_the_completion():
    usage = {
        "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }  # fmt: skip
    assert of(usage) == Tokens(input=32, output=103, reasoning=94, basis="upstream")


def test_anthropic_through_a_gateway_tells_cache_writes():
    usage = {
        "prompt_tokens": 90, "completion_tokens": 3, "total_tokens": 93,
        "cache_creation_input_tokens": 70, "cache_read_input_tokens": 10,
    }  # fmt: skip
    assert of(usage) == Tokens(input=90, cached_input=10, cache_write=70, output=3, basis="upstream")


def test_embeddings_have_no_output():
    assert of({"prompt_tokens": 8, "total_tokens": 8}) == Tokens(input=8, output=0, basis="upstream")


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, [], "none", {"completion_tokens": 3}])
def test_what_cannot_be_read_is_unknown_and_never_zero(usage):
    assert of(usage) == UNKNOWN


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[1]", b'"text"', b"{"])
def test_what_is_no_json_object_is_no_answer(body):
    assert tokens_in(body) is None


def test_prompt_and_answer_are_counted_with_the_models_tokenizer():
    messages = msgspec.json.encode([{"role": "user", "content": "To be or not to be"}])
    assert counted({"messages": messages}, "that is", "gpt-4o") == Tokens(input=7, output=2, basis="counted")


def test_parts_of_text_are_counted_and_a_prompt_with_a_picture_is_not():
    text = {"type": "text", "text": "To be"}
    assert counted({"messages": msgspec.json.encode([{"content": [text]}])}, "", "gpt-4o").input == 2
    picture = {"type": "image_url", "image_url": {"url": "data:..."}}
    assert counted({"messages": msgspec.json.encode([{"content": [text, picture]}])}, "", "gpt-4o") == UNKNOWN


def test_token_ids_as_input_are_not_counted():
    assert counted({"input": b"[1, 2, 3]"}, "", "gpt-4o") == UNKNOWN


def test_texts_that_would_hold_up_others_are_not_counted():
    assert counted({"prompt": b'"' + b"x" * 5_000_000 + b'"'}, "", "gpt-4o") == UNKNOWN


def test_the_text_of_an_answer_is_what_the_model_wrote():
    call = {"function": {"name": "look", "arguments": '{"at":1}'}, "id": "call_1", "type": "function"}
    chat = {"choices": [{"message": {"content": None, "tool_calls": [call]}}, {"message": {"content": "b"}}]}
    assert counted_answer(chat) == 'look{"at":1}b'
    assert counted_answer({"choices": [{"text": "a"}]}) == "a"
    assert counted_answer([]) == ""
