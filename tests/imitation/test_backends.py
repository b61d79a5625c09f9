"""Backends on tiny random models: rows do not depend on their neighbours."""

import pytest
import torch
from helpers.generation import base_with_adapters, local_backend, tiny_adapter

from capo_core.errors import BackendUnavailable, ConfigError, Stopped
from capo_core.imitation.backends.base import Decoding, GenerationRequest, answer_ended, stop_fields
from capo_core.imitation.backends.decoder import DecoderModel, SeededSampling, nucleus
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.backends.transformers import (
    TokenizedRequest,
    end_tokens,
    plan_batches,
)
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import Prompt, ask_for_profile, zero_shot
from capo_core.task import NLI, PARAPHRASE

DRAWN = Decoding(temperature=0.8, top_p=0.9, max_new_tokens=20)
GREEDY = Decoding(temperature=0, max_new_tokens=20)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return base_with_adapters(tmp_path_factory.mktemp("tiny"), "a1", "a2")


@pytest.fixture
def backend(place):
    return lambda **settings: local_backend(place, **settings)


def ask(place, names=("", "a1", "a2"), count=12):
    return [
        GenerationRequest(
            f"k{k}",
            Prompt("word " * (k % 4) + str(k)),
            str(place / names[k % len(names)]) if names[k % len(names)] else "",
            seed=100 + k,
        )
        for k in range(count)
    ]


def answers(backend, requests, decoding, **more):
    return {request.key: reply for request, reply in backend.complete(requests, decoding, **more)}


@pytest.mark.parametrize("decoding", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_adapters_in_one_batch_write_what_each_writes_alone(place, backend, decoding):
    requests = ask(place)
    together = answers(backend(), requests, decoding)
    for name in ("", "a1", "a2"):
        own = [r for r in requests if r.adapter == (str(place / name) if name else "")]
        assert len(own) == 4
        assert answers(backend(), own, decoding) == {r.key: together[r.key] for r in own}
    # The adapters matter: the same prompt and seed by another adapter gives another answer.
    moved = [GenerationRequest(r.key, r.prompt, "", r.seed) for r in requests if r.adapter]
    assert all(answers(backend(), moved, decoding)[r.key] != together[r.key] for r in moved)


@pytest.mark.parametrize("batch_tokens", [1, 80, 100_000])
def test_batches_do_not_change_answers(place, backend, batch_tokens):
    requests = ask(place)
    whole = answers(backend(), requests, DRAWN)
    assert answers(backend(batch_tokens=batch_tokens), requests[::-1], DRAWN) == whole
    others = [GenerationRequest(r.key, r.prompt, r.adapter, r.seed + 1) for r in requests]
    assert answers(backend(), others, DRAWN) != whole


def test_what_is_done_is_not_answered_again_and_the_rest_is_the_same(place, backend):
    requests = ask(place)
    whole = answers(backend(), requests, DRAWN)
    rest = answers(backend(), requests, DRAWN, done={"k0", "k5"})
    assert rest == {key: reply for key, reply in whole.items() if key not in ("k0", "k5")}


def test_settings_of_the_base_do_not_enter(place, backend):
    requests = ask(place, names=("a1",), count=3)
    plain = answers(backend(), requests, GREEDY)
    other = backend()
    settings = other._base.model.generation_config
    settings.repetition_penalty, settings.temperature, settings.do_sample = 5.0, 3.0, True
    assert answers(other, requests, GREEDY) == plain
    assert other._base.model.generation_config.repetition_penalty == 5.0


def test_greedy_is_the_likeliest_token_of_the_plain_model(place, backend):
    base = load_base_model(str(place / "base"), device="cpu")
    prompt = Prompt("a fox")
    ids = base.tokenizer(prompt.text + "\n\nAnswer:\n")["input_ids"]
    for _ in range(8):
        with torch.no_grad():
            scores = base.model(torch.tensor([ids])).logits[0, -1, : len(base.tokenizer)]
        ids.append(int(scores.argmax()))
    expected = base.tokenizer.decode(ids[-8:])
    short = Decoding(temperature=0, max_new_tokens=8)
    assert answers(backend(), [GenerationRequest("k", prompt)], short)["k"].text == expected


def test_it_can_be_stopped_within_a_batch(place, backend):
    looks = []

    def stop(what, share):
        looks.append(share)
        if len(looks) == 3:
            raise Stopped("asked to")

    with pytest.raises(Stopped):
        answers(backend(), ask(place), DRAWN, progress=stop)
    assert len(looks) == 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_no_memory_says_what_takes_less(place, backend, monkeypatch, error):
    made = backend()

    def full(*_, **__):
        raise error

    monkeypatch.setattr(DecoderModel, "logits", full)
    with pytest.raises(BackendUnavailable, match=r"for 4 answers at once.*batch_tokens"):
        answers(made, ask(place, names=("",), count=4), GREEDY)
    made = backend(relief="close other programs")
    with pytest.raises(BackendUnavailable, match="close other programs"):
        answers(made, ask(place, names=("",), count=4), GREEDY)
    error.args = ("shapes do not fit",)
    if type(error) is RuntimeError:
        with pytest.raises(RuntimeError, match="shapes do not fit"):
            answers(made, ask(place, names=("",), count=4), GREEDY)


def test_how_much_too_long_a_prompt_is(place, backend):
    made = backend()  # reads 512 tokens; a letter is a token, "\n\nAnswer:\n" is 10
    decoding = Decoding(max_new_tokens=12)
    assert made.excess(Prompt("x" * (512 - 12 - 10)), decoding) == 0
    assert made.excess(Prompt("x" * (512 - 12 - 10 + 7)), decoding) == 7


def test_an_adapter_of_another_shape_is_refused(place, backend, tmp_path):
    tiny_adapter(place / "base", tmp_path / "bad", seed=1)
    settings = (tmp_path / "bad" / "adapter_config.json").read_text()
    (tmp_path / "bad" / "adapter_config.json").write_text(settings.replace('"r": 4', '"r": 8'))
    with pytest.raises(ConfigError, match="does not fit"):
        answers(backend(), ask(tmp_path, ("bad",), 1), GREEDY)
    with pytest.raises(ConfigError, match="no adapter here"):
        answers(backend(), ask(tmp_path, ("missing",), 1), GREEDY)


def test_the_end_of_a_turn_ends_an_answer(place):
    base = load_base_model(str(place / "base"), device="cpu")
    assert end_tokens(base) == (0,)
    base.tokenizer.add_special_tokens({"additional_special_tokens": ["<turn>"]})
    base.tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<turn>{% endfor %}"
    )
    assert end_tokens(base) == (0, base.tokenizer.convert_tokens_to_ids("<turn>"))


def test_an_answer_ends_at_its_end_token_and_counts_it(place, backend):
    made = backend()
    made._ends = (0, *range(1, 100))  # so many that every answer meets one
    replies = answers(made, ask(place), DRAWN).values()
    assert {reply.finish for reply in replies} == {"stop"}
    # A byte-level token is one byte; every answer has as many as it has tokens before the end.
    assert all(1 <= reply.output_tokens <= 20 for reply in replies)


def test_drawing_follows_the_probabilities():
    # One row, three tokens of probability .5, .3, .2: the shares of 2000 draws, each with its own
    # seed, are within 4 standard deviations, sqrt(.25 / 2000) = .011 each.
    probabilities = torch.tensor([0.5, 0.3, 0.2])
    n = 2000
    sampling = SeededSampling(range(n), Decoding(1.0, 1.0, 4), 3)
    tokens = sampling.draw(probabilities.log().repeat(n, 1), range(n), 0)
    assert torch.allclose(tokens.bincount(minlength=3) / n, probabilities, atol=0.045)
    # A row's number is its own, whichever rows are left; another step has another.
    some = [5, 900, 17]
    again = sampling.draw(probabilities.log().repeat(3, 1), some, 0)
    assert again.tolist() == tokens[some].tolist()
    later = sampling.draw(probabilities.log().repeat(n, 1), range(n), 1)
    assert 0.5 < (later != tokens).float().mean() < 0.75  # 1 - .5² - .3² - .2² = .62


def test_the_nucleus_is_the_smallest_set_that_reaches_the_share():
    p = torch.tensor([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2]])
    assert nucleus(p, 0.6)[1].gt(0).tolist() == [[False, True, False], [True, True, False]]
    assert nucleus(p, 0.61)[1].gt(0).tolist() == [[False, True, True], [True, True, False]]
    assert nucleus(p, 1e-9)[1].gt(0).sum(-1).tolist() == [1, 1]


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0, 9.0])
def test_the_nucleus_of_a_large_vocabulary_is_that_of_all_tokens_in_order(scale):
    # Flat probabilities (0.0: all equal) need all tokens, peaked ones the likeliest alone.
    generator = torch.Generator().manual_seed(0)
    p = (torch.randn(4, 9000, generator=generator) * scale).softmax(-1)
    tokens, kept = nucleus(p, 0.9)
    ordered, order = torch.sort(p, dim=-1, descending=True, stable=True)
    inside = ordered.where(ordered.cumsum(-1) - ordered < 0.9, 0.0)
    expected = torch.zeros_like(p).scatter(1, order, inside)
    assert (tokens.diff(dim=-1) > 0).all()
    assert torch.equal(torch.zeros_like(p).scatter(1, tokens, kept), expected)


def test_outputs_beyond_the_vocabulary_are_never_drawn():
    scores = torch.tensor([[0.0, 1.0, 50.0]])
    for temperature in (0, 1):
        sampling = SeededSampling([1], Decoding(temperature, 1.0, 4), 2)
        assert int(sampling.draw(scores, [0], 0)) < 2


def test_batches_hold_as_many_rows_as_fit():
    rows = [
        TokenizedRequest(GenerationRequest(f"k{n}", Prompt("")), tuple(range(n)))
        for n in (1, 5, 9, 10)
    ]
    lengths = [[len(row.ids) for row in batch] for batch in plan_batches(rows[::-1], 10, 40)]
    assert lengths == [[10, 9], [5, 1]]  # 2 × (10 + 10) = 40; then 2 × (5 + 10) = 30
    assert plan_batches(rows, 10, 40) == plan_batches(rows[::-1], 10, 40)
    assert [len(batch) for batch in plan_batches(rows, 10, 1)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("Label: neutral\nExplanation: So it is.", False),
        ("Label: neutral\nExplanation: So it is.\n", False),
        ("Label: neutral\nExplanation: So it is.\nLabel:", True),
        ("Label: neutral\nExplanation: So it is.\n\nPremise:", True),
        ("**Label:** neutral\n**Explanation:** So it is.\n\n**Hypothesis**:", True),
        ("Label: neutral\nExplanation: It says: label: none", False),
        ("Label: neutral\nExplanation:\nLabel:", False),
        ("Explanation: So it is.\nLabel:", False),  # the label is still to come
        ("<think>Label: a\nExplanation: b\nLabel:", False),
        ("<think>x</think>Label: a\nExplanation: b\nLabel:", True),
    ],
)
def test_where_an_answer_ends(text, ended):
    assert answer_ended(text, stop_fields(NLI)) is ended
    assert not answer_ended(text, ())


def test_the_fake_answers_in_form_and_always_the_same():
    from capo_core.imitation.parsing import parse_response
    from capo_core.imitation.prompting.prompts import Example, PromptItem
    from capo_core.imitation.prompting.value_profiles import read_profile

    item = PromptItem("i", "One?", "Two?")
    for task in (NLI, PARAPHRASE):
        requests = [GenerationRequest(str(k), zero_shot(task, item), seed=k) for k in range(30)]
        replies = answers(FakeBackend(), requests, DRAWN)
        parsed = [parse_response(reply.text, task) for reply in replies.values()]
        assert not [each.problem for each in parsed if each.problem]
        assert len({each.label for each in parsed}) > 2
        assert answers(FakeBackend(), requests[::-1], DRAWN) == replies
    asked = GenerationRequest("p", ask_for_profile(NLI, [Example(item, "neutral", "So.")]))
    told = answers(FakeBackend(), [asked], Decoding(max_new_tokens=100))["p"]
    assert read_profile(told.text).problem == ""


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"max_new_tokens": 0}]
)
def test_decoding_is_checked(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Decoding(**wrong)
