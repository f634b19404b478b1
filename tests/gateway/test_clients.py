"""The official clients, unchanged but for their base URL."""

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

ASKED = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url, api_key="sk-caller", max_retries=0) as found:
        yield found


def test_the_openai_client_chats(client, gateway):
    answer = client.chat.completions.create(model="chat", messages=ASKED)
    assert answer.choices[0].message.content == "Hello!"
    assert answer.usage.prompt_tokens == 20
    record = gateway.record()
    assert (record.input_tokens, record.cached_input_tokens, record.output_tokens) == (20, 8, 5)
    assert answer._request_id == record.id


def test_the_openai_client_streams(client, gateway):
    stream = client.chat.completions.create(model="chat", messages=ASKED, stream=True)
    assert [event.choices[0].delta.content for event in stream] == ["Hel", "lo!"]
    record = gateway.record()
    assert (record.outcome, record.streamed, record.output_tokens) == ("complete", True, 2)


def test_the_openai_client_gets_the_usage_of_a_stream_if_it_asks(client):
    stream = client.chat.completions.create(
        model="chat", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    assert [event.usage.completion_tokens for event in stream if event.usage] == [2]


def test_the_openai_client_embeds(client, gateway):
    answer = client.embeddings.create(model="chat", input="text", encoding_format="float")
    assert answer.data[0].embedding == [0.5, 0.25]
    record = gateway.record()
    assert (record.path, record.input_tokens, record.output_tokens) == ("/v1/embeddings", 4, 0)


def test_the_openai_client_lists_the_models(client):
    assert [model.id for model in client.models.list()] == ["chat"]
    assert client.models.retrieve("chat").id == "chat"
    with pytest.raises(openai.NotFoundError, match="Did you mean: chat"):
        client.models.retrieve("chatt")


def test_the_openai_client_reads_a_refusal(client, gateway):
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="chta", messages=ASKED)
    assert refused.value.code == "model_not_found"
    assert "Did you mean: chat?" in refused.value.message
    assert refused.value.request_id == gateway.record().id


async def _chunks(gateway):
    async with openai.AsyncOpenAI(base_url=gateway.url, api_key="k", max_retries=0) as client:
        stream = await client.chat.completions.create(model="chat", messages=ASKED, stream=True)
        return [event.choices[0].delta.content async for event in stream]


def test_the_asynchronous_openai_client_streams(gateway):
    import asyncio

    assert asyncio.run(_chunks(gateway)) == ["Hel", "lo!"]


def test_langchain_chats_and_streams(gateway):
    chat = ChatOpenAI(base_url=gateway.url, api_key="k", model="chat", max_retries=0)
    answer = chat.invoke("Say hello.")
    assert answer.content == "Hello!"
    assert answer.usage_metadata["input_tokens"] == 20
    assert "".join(piece.content for piece in chat.stream("Say hello.")) == "Hello!"
    assert [record.outcome for record in gateway.records(2)] == ["complete", "complete"]


def test_langchain_embeds(gateway):
    found = OpenAIEmbeddings(base_url=gateway.url, api_key="k", model="chat", check_embedding_ctx_length=False)
    assert found.embed_query("text") == [0.5, 0.25]


def test_the_callers_key_stays_at_the_door(client, upstream):
    client.chat.completions.create(model="chat", messages=ASKED)
    assert upstream.heard[0].header("authorization") is None
    assert upstream.heard[0].json["model"] == "there"
