import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.documents.tokenizers import (
    candidate,
    catalogue_candidates,
    count_tokens,
    tokenizer_table,
)
from breakeven.workload.usage import TOKENS_PER_WORD

TABLE = tokenizer_table()


def _text(corpus, kind):
    return (corpus / f"{kind}.txt").read_text(encoding="utf-8")


def test_every_tokenizer_of_the_table_runs_here_with_the_vocabulary_that_it_names():
    import quicktok

    for name, own in TABLE.own.items():
        assert quicktok.get_encoding(name).n_vocab == own.vocab


@pytest.mark.parametrize(
    ("model", "tokenizer"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai.gpt-5.6-luna", "o200k_base"),
        ("ft:gpt-4.1-mini-2025-04-14", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("openai/gpt-oss-120b", "o200k_base"),
        ("phi-4-mini", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("gpt-3.5-turbo-16k", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("microsoft/phi-4", "cl100k_base"),
        ("llama3.1-70b", "llama3"),
        ("meta.llama3-3-70b-instruct-v1:0", "llama3"),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama3"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "llama3"),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen3"),
        ("qwen3-235b-2507", "qwen3"),
        ("deepseek-r1", "deepseek-v3"),
        ("deepseek.v3-v1:0", "deepseek-v3"),
        ("gemini-2.5-flash", "gemma3"),
        ("google.gemma-3-27b-it", "gemma3"),
        ("open-mixtral-8x22b", "mistral-v1"),
        ("open-mistral-nemo", "tekken"),
        ("codellama-34b", "llama2"),
        ("phi-3-medium", "llama2"),
        ("anthropic.claude-v2:1", "claude-2"),
    ],
)
def test_a_model_has_the_tokenizer_that_its_source_says(model, tokenizer):
    assert candidate(model).tokenizer == tokenizer
    assert candidate(model).source


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-5",
        "claude-3-haiku",
        "gemini-3.5-flash",
        "gemma-3n-e4b",
        "gemma-2-9b",
        "gpt-6-sol",
        "gpt-j-6b",
        "gpt-350m",
        "davinci",
        "text-davinci-002",
        "llama4-scout",
        "qwen3.5-27b",
        "qwen3-max",
        "deepseek-v2-lite",
        "mistral-large-2411",
        "grok-4",
        "a-model-of-next-year",
    ],
)
def test_a_model_whose_tokenizer_no_source_names_is_approximated_with_an_error_that_is_not_known(model):
    found = candidate(model)
    assert (found.tokenizer, found.counted_with, found.exact) == (None, "o200k_base", False)
    assert (found.low, found.high) == (None, None)


def test_what_the_maker_says_of_its_tokenizer_is_passed_on():
    assert "30 % more" in candidate("anthropic.claude-opus-4-8").said
    assert candidate("claude-opus-4-6").said == ""


def test_hosted_models_have_the_vocabulary_of_the_tokenizer_that_they_are_said_to_have(shipped):
    """Vocabularies are padded upwards, so a model has as many entries as its tokenizer, or a few more."""
    asked = {"deepseek-v3": 128_000, "gemma3": 262_144, "tekken": 131_072, "mistral-v1": 32_000, "llama2": 32_000}
    vocabularies = {name: own.vocab for name, own in TABLE.own.items()} | asked
    checked = 0
    for name, model in shipped.models.items():
        tokenizer = candidate(name).tokenizer
        if tokenizer:
            assert vocabularies[tokenizer] <= model.vocab <= vocabularies[tokenizer] * 1.03, name
            checked += 1
    assert checked > 40


def test_no_model_of_the_catalogue_with_the_vocabulary_of_an_own_tokenizer_is_missed(shipped):
    vocabularies = {own.vocab for own in TABLE.own.values()}
    for name, model in shipped.models.items():
        if model.vocab in vocabularies:
            assert candidate(name).exact, name


def test_every_rule_names_a_tokenizer_of_the_table_and_its_source_and_finds_a_model(shipped):
    names = {n.lower() for _, names in catalogue_candidates(shipped).values() for n in names}
    for rule in TABLE.models:
        assert rule.tokenizer in {*TABLE.own, *TABLE.measured}
        assert len(rule.source) > 10
        assert any(re.search(rf"(?:^|[^a-z0-9])(?:{rule.pattern})", name) for name in names), rule.pattern
    for said in TABLE.said:
        assert any(re.search(said.pattern, name) for name in names)


def test_every_measured_tokenizer_says_how_far_it_is_off_on_each_kind_of_text():
    for one in TABLE.measured.values():
        assert list(one.off) == TABLE.texts
        assert -0.5 < one.low <= one.high < 1
        assert one.package


@pytest.mark.parametrize(
    ("kind", "cl100k", "llama3", "qwen3"),
    [  # percent more than o200k_base; the same texts, on which the approximations in tokenizers.toml were measured
        ("english", 0.4, 0.4, 2.6),
        ("code", -0.2, -0.2, 0.8),
        ("german", 27.4, 27.2, 27.1),
        ("chinese", 48.1, 2.2, -19.0),
        ("figures", -0.2, -0.2, 30.5),
    ],
)
def test_how_far_the_tokenizers_are_apart_on_five_kinds_of_text(corpus, kind, cl100k, llama3, qwen3):
    text = [_text(corpus, kind)]
    counts = {name: int(count_tokens(text, name)[0]) for name in TABLE.own}
    apart = {name: round(100 * (count / counts["o200k_base"] - 1), 1) for name, count in counts.items()}
    assert apart == {"o200k_base": 0.0, "cl100k_base": cl100k, "llama3": llama3, "qwen3": qwen3}


def test_500_english_words_are_667_tokens_in_the_article_and_fewer_when_counted(corpus):
    words = _text(corpus, "english").split()[:500]
    assert round(len(words) * TOKENS_PER_WORD) == 667
    counted = {name: int(count_tokens([" ".join(words)], name)[0]) for name in TABLE.own}
    assert counted == {"o200k_base": 578, "cl100k_base": 580, "llama3": 580, "qwen3": 584}


@pytest.mark.parametrize(
    ("text", "tokenizer", "tokens"),
    [  # published: the OpenAI Cookbook, "How to count tokens with tiktoken"
        ("antidisestablishmentarianism", "cl100k_base", 6),
        ("antidisestablishmentarianism", "o200k_base", 6),
        ("2 + 2 = 4", "cl100k_base", 7),
        ("2 + 2 = 4", "o200k_base", 7),
        ("お誕生日おめでとう", "cl100k_base", 9),
        ("お誕生日おめでとう", "o200k_base", 8),
        ("tiktoken is great!", "cl100k_base", 6),
    ],
)
def test_published_counts(text, tokenizer, tokens):
    assert count_tokens([text], tokenizer).tolist() == [tokens]


def test_text_that_looks_like_a_special_token_counts_as_text():
    assert all(count_tokens(["<|endoftext|>"], name)[0] > 1 for name in TABLE.own)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=5), st.integers(1, 3))
def test_texts_count_the_same_together_and_apart_and_never_more_than_their_bytes(texts, threads):
    for name in ("o200k_base", "cl100k_base", "llama3"):
        counts = count_tokens(texts, name, threads).tolist()
        assert counts == [int(count_tokens([text], name)[0]) for text in texts]
        assert all(0 <= count <= len(text.encode()) for count, text in zip(counts, texts, strict=True))
