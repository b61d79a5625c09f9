"""The OpenAI-compatible backend against a real HTTP server that misbehaves."""

import json
import threading
import time

import pytest
from helpers.chat_server import good, serving_client
from helpers.generation import split_dataset

from capo_core.errors import BackendUnavailable, ConfigError, Stopped
from capo_core.imitation.backends.base import Decoding, GenerationRequest
from capo_core.imitation.backends.openai import (
    Gate,
    Retry,
    ServerBackend,
    ServerSettings,
    from_environment,
    read_completion,
    retry_after_s,
)
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.outputs import OutputLines
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.prompts import Prompt
from capo_core.run_folder import RunFolder

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def chat(monkeypatch):
    with serving_client(monkeypatch) as server:
        yield server


def backend(chat, **settings):
    return ServerBackend(ServerSettings("m", chat.url, KEY, **{"timeout_s": 120, **settings}))


def ask(made, count=1, **more):
    requests = [GenerationRequest(f"k{k}", Prompt(f"question {k}"), seed=k) for k in range(count)]
    return {r.key: reply for r, reply in made.complete(requests, Decoding(), **more)}


def test_what_is_sent_and_what_comes_back(chat):
    reply = ask(backend(chat))["k0"]
    assert (reply.text, reply.prompt_tokens, reply.output_tokens, reply.finish) == (
        "Label: neutral\nExplanation: So it is.",
        7,
        5,
        "stop",
    )
    (sent,) = chat.asked
    assert sent["messages"] == [{"role": "user", "content": "question 0"}]
    assert {name: sent[name] for name in ("model", "temperature", "top_p", "max_tokens")} == {
        "model": "m",
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 128,
    }
    assert sent["seed"] == 0
    assert chat.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    "bad",
    [
        (429, {}, {"error": {"message": "slow down"}}),
        (500, {}, "oh no"),
        (503, {}, {"error": "overloaded"}),
        (200, {}, '{"choices": [{"message"'),
        (200, {"Content-Type": "text/html"}, "<html>login</html>"),
        (200, {}, {"choices": []}),
        "drop",
        "cut",
        1.0,  # says nothing for longer than the timeout
    ],
    ids=["429", "500", "503", "half JSON", "HTML", "no choices", "drop", "cut", "timeout"],
)
def test_what_fails_for_a_moment_is_asked_again(chat, bad):
    chat.script = lambda number, body: bad if number < 2 else (200, {}, good())
    silent = isinstance(bad, float)
    made = backend(chat, timeout_s=0.3, tries=20) if silent else backend(chat)
    assert ask(made)["k0"].finish == "stop"
    # Where the timeout is short, a busy machine may be too slow for it with a good answer as well.
    assert len(chat.asked) >= 3 if silent else len(chat.asked) == 3
    assert chat.asked[0] == chat.asked[2]


def test_all_threads_wait_as_long_as_the_server_asks(chat, monkeypatch):
    held, hold = threading.Event(), Gate.hold

    def held_back(gate, seconds):
        hold(gate, seconds)
        held.set()

    def script(number, body):
        if number == 0:
            return 429, {"Retry-After": "1"}, {"error": {"message": "slow down"}}
        assert held.wait(60)  # what is on its way already is not answered before the others wait
        return 200, {}, good()

    monkeypatch.setattr(Gate, "hold", held_back)
    chat.script = script
    assert len(ask(backend(chat, concurrency=2, timeout_s=90), 6)) == 6
    # The second request may have been on its way already; all others came a second later.
    assert sum(when - chat.times[0] >= 1 for when in chat.times) >= 5
    assert len(chat.asked) == 7


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(chat):
    chat.script = lambda number, body: (429, {"Retry-After": "3600"}, {})
    with pytest.raises(BackendUnavailable, match="wait 3600 s"):
        ask(backend(chat))
    assert len(chat.asked) == 1


def test_retry_after_is_a_number_or_a_date():
    assert retry_after_s({"retry-after": "2.5"}) == 2.5
    assert retry_after_s({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, now=40.0) == 60.0
    assert retry_after_s({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, now=40.0) == 0.0
    for nothing in ({}, {"retry-after": ""}, {"retry-after": "soon"}, {"retry-after": "nan"}):
        assert retry_after_s(nothing) is None


def test_never_more_at_once_than_asked_for_nor_more_a_minute(chat):
    together = threading.Barrier(3)

    def script(number, body):
        together.wait(60)
        return 0.05  # time for one too many to come

    chat.script = script
    ask(backend(chat, concurrency=3), 9)
    assert chat.most == 3
    chat.script = lambda number, body: (200, {}, good())
    chat.times.clear()
    start = time.monotonic()
    ask(backend(chat, concurrency=4, per_minute=600), 5)  # one every 0.1 s
    for place, when in enumerate(sorted(chat.times)):
        assert when - start >= 0.1 * place - 1e-6


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, {"message": f"Incorrect key {KEY}"}, "refuses the key"),
        (403, {"message": "no"}, "refuses the key"),
        (404, {"message": "no model m"}, "does not know the model 'm'"),
        (400, {"message": "temperature is unsupported"}, "temperature is unsupported"),
        (429, {"message": "pay", "code": "insufficient_quota"}, "used up"),
    ],
)
def test_what_fails_for_all_ends_it_at_once_in_plain_words(chat, status, error, said):
    chat.script = lambda number, body: (status, {}, {"error": error})
    with pytest.raises(BackendUnavailable, match=said) as caught:
        ask(backend(chat, concurrency=1), 5)
    assert len(chat.asked) == 1
    assert KEY not in str(caught.value)


def test_a_prompt_refused_for_good_is_a_reply(chat):
    words = {"question 0": "maximum context length is 10", "question 1": "content_filter"}
    chat.script = lambda number, body: (
        (400, {}, {"error": {"message": words[body["messages"][0]["content"]]}})
        if body["messages"][0]["content"] in words
        else (200, {}, good())
    )
    replies = ask(backend(chat), 3)
    assert {key: reply.error for key, reply in replies.items()} == {
        "k0": "prompt too long",
        "k1": "refused by the server's content filter",
        "k2": "",
    }
    assert len(chat.asked) == 3


def test_a_server_that_wants_the_limit_under_its_other_name(chat):
    chat.script = lambda number, body: (
        (400, {}, {"error": {"message": "use 'max_completion_tokens' instead"}})
        if "max_tokens" in body
        else (200, {}, good())
    )
    assert len(ask(backend(chat, concurrency=1), 3)) == 3
    assert [("max_tokens" in sent) for sent in chat.asked] == [True, False, False, False]


def test_an_answer_that_the_server_cut_or_refused():
    body = good("Label: neu")
    body["choices"][0]["finish_reason"] = "length"
    assert read_completion(json.dumps(body)).finish == "length"
    body["choices"][0]["message"] = {"content": None, "refusal": "I will not."}
    assert read_completion(json.dumps(body)).text == "I will not."
    body["choices"][0]["message"] = {"content": None}
    del body["usage"]
    assert read_completion(json.dumps(body)).text == ""
    for wrong in ("[]", "null", '{"choices": [{"message": {"content": 3}}]}', "x"):
        assert isinstance(read_completion(wrong), Retry)


def test_a_stop_keeps_what_was_under_way(chat):
    chat.script = lambda number, body: 0.2

    def stop(what, share):
        if chat.asked:
            raise Stopped("asked to")

    made, got = backend(chat, concurrency=2), []
    requests = [GenerationRequest(f"k{k}", Prompt("q")) for k in range(10)]
    with pytest.raises(Stopped):
        for request, _ in made.complete(requests, Decoding(), progress=stop):
            got.append(request.key)
    assert len(got) == len(chat.asked) <= 4


# ---- with generate: partial results, going on, secrets ------------------------------------------

CONFIG = GenerateConfig("zero_shot", samples=2)  # 2 annotators × 6 test items × 2 = 24 outputs


def run(chat, folder, **settings):
    made = backend(chat, **settings)
    return generate(split_dataset(), ["1", "2"], CONFIG, made, RunFolder(folder))


def test_the_server_disappears_and_comes_back(chat, tmp_path):
    chat.script = lambda number, body: (200, {}, good()) if number < 9 else "drop"
    with pytest.raises(BackendUnavailable) as caught:
        run(chat, tmp_path / "r", tries=2)
    kept = OutputLines(tmp_path / "r").read()
    assert len(kept) == 9
    for part in ("no connection to the server", "9 of 24 answers are saved", "same command again"):
        assert part in str(caught.value)
    assert not (tmp_path / "r" / "outputs.parquet").exists()
    assert not (tmp_path / "r" / "result.json").exists()
    asked_before = len(chat.asked)
    chat.script = lambda number, body: (200, {}, good())
    frame = run(chat, tmp_path / "r")
    assert len(chat.asked) - asked_before == 24 - 9
    assert len(frame) == 24 and set(frame["parsed"]) == {"true"}
    assert frame["output_id"].is_unique
    result = RunFolder(tmp_path / "r").result
    assert (result["outputs"], result["kept"], result["prompt_tokens"]) == (24, 9, 24 * 7)


def test_a_server_that_is_not_there(chat, tmp_path, monkeypatch):
    sent, send = [], ServerBackend._send

    def counted(made, client, request, decoding):
        sent.append(request.key)
        return send(made, client, request, decoding)

    monkeypatch.setattr(ServerBackend, "_send", counted)
    chat.close()
    with pytest.raises(BackendUnavailable, match="0 of 24 answers are saved"):
        run(chat, tmp_path / "r", tries=3)
    # After three requests without an answer it gives up, with four more under way at most.
    assert 3 * 3 <= len(sent) <= 3 * (3 + 4), "not each of the 24 prompts is tried"


def test_one_request_without_an_answer_does_not_lose_the_others(chat, tmp_path):
    seeds = []

    def script(number, body):
        seeds.append(body["seed"])
        return (500, {}, "no") if body["seed"] == seeds[0] else (200, {}, good())

    chat.script = script
    with pytest.raises(BackendUnavailable, match=r"1 request got no answer .* 23 of 24"):
        run(chat, tmp_path / "r", tries=2, concurrency=1)
    chat.script = lambda number, body: (200, {}, good())
    assert len(run(chat, tmp_path / "r")) == 24


def test_the_key_is_written_nowhere(chat, tmp_path, caplog):
    caplog.set_level("DEBUG")
    bodies = [
        (500, {}, {"error": {"message": f"bad key {KEY}"}}),
        (400, {}, {"error": {"message": f"maximum context length for {KEY}"}}),
        (200, {}, good(f"Label: neutral\nExplanation: {KEY}")),
    ]
    chat.script = lambda number, body: bodies[number % 3]
    run(chat, tmp_path / "r", concurrency=1)
    chat.script = lambda number, body: (401, {}, {"error": {"message": f"bad key {KEY}"}})
    with pytest.raises(BackendUnavailable) as caught:
        run(chat, tmp_path / "s")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"config.json", "outputs.jsonl", "events.jsonl"} <= {path.name for path in written}
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in str(caught.value) + caplog.text + repr(backend(chat).settings)


def test_settings_from_the_environment():
    url = "http://me:password1@localhost:8000/v1?x=1"
    found = from_environment("m", {"CAPO_SERVER_URL": url, "OPENAI_BASE_URL": "http://other"})
    assert found.url == url and found.key == ""
    assert found.shown_url == "http://localhost:8000/v1"
    assert "password1" not in repr(found) + found.redact("it was password1")
    assert from_environment("m", {"OPENAI_BASE_URL": "http://b/v1"}).url == "http://b/v1"
    assert from_environment("m", {"OPENAI_API_KEY": KEY}).shown_url == "https://api.openai.com/v1"
    with pytest.raises(BackendUnavailable, match="CAPO_SERVER_URL"):
        from_environment("m", {})
    for wrong in ({"CAPO_SERVER_URL": "localhost:8000"}, {"CAPO_SERVER_URL": "file:///etc"}):
        with pytest.raises(ConfigError, match="address"):
            from_environment("m", wrong)
    with pytest.raises(ConfigError, match="tries"):
        ServerSettings("m", "http://b/v1", tries=0)
