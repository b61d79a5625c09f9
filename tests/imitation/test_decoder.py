"""Decoding with a cache: the same tokens and scores as reading the whole text anew."""

import pytest
import torch
from helpers.architectures import tiny_model
from helpers.generation import base_with_adapters, local_backend

from capo_core.imitation.backends import decoder, prefix_attention, transformers
from capo_core.imitation.backends.base import Decoding, GenerationRequest, LabelChoice
from capo_core.imitation.backends.decoder import DecodedRows, DecoderModel
from capo_core.imitation.backends.transformers import (
    label_tokens,
    plan_batches,
)
from capo_core.imitation.prompting.prompts import Prompt, common_length, write_response
from capo_core.task import NLI, PARAPHRASE

GREEDY = Decoding(temperature=0, max_new_tokens=24)
DRAWN = Decoding(temperature=0.8, top_p=0.9, max_new_tokens=24)
HEAD = "The fox saw the river from the bridge, and "
PROMPTS = [
    Prompt(HEAD + rest, HEAD)
    for rest in ("a", "slept", "so on and on", "b", "c", "went", "x", "boat by boat", "yes")
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return base_with_adapters(tmp_path_factory.mktemp("tiny"), "a1", "a2")


def ask(place, **more):
    folders = ("", str(place / "a1"))
    return [
        GenerationRequest(f"k{k}", prompt, folders[k // len(PROMPTS)], seed=k, **more)
        for k, prompt in enumerate(PROMPTS * 2)
    ]


def answers(made, requests, decoding, **more):
    return {request.key: reply for request, reply in made.complete(requests, decoding, **more)}


def held_from(monkeypatch, tokens: int) -> None:
    """Hold prefixes of `tokens` tokens or more once for all rows."""
    for module in (decoder, transformers):
        monkeypatch.setattr(module, "MIN_HELD", tokens)


@pytest.mark.parametrize("held", [False, True], ids=["copied", "held"])
@pytest.mark.parametrize("decoding", [GREEDY, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("label", [None, LabelChoice(NLI.scale.labels)], ids=["free", "label"])
def test_a_shared_prefix_does_not_change_a_token(place, decoding, label, held, monkeypatch):
    held_from(monkeypatch, 16 if held else 10**6)
    monkeypatch.setattr(prefix_attention, "MOST_WEIGHTS", 4000)  # several parts of a batch
    requests = ask(place, label=label)
    shared = answers(local_backend(place), requests, decoding)
    apart = answers(local_backend(place, share=False), requests, decoding)
    recomputed = local_backend(place)
    recomputed._load(str(place / "a1"))
    recomputed._decoder.cacheable = False
    plain = answers(recomputed, requests, decoding)
    texts = {key: reply.text for key, reply in shared.items()}
    assert texts == {key: reply.text for key, reply in apart.items()}
    assert texts == {key: reply.text for key, reply in plain.items()}
    assert len(set(texts.values())) > 9  # the prompts and the adapters do matter


def test_the_prefix_is_read_once_and_again_only_from_where_it_differs(place, monkeypatch):
    read = []
    logits = DecoderModel.logits

    def counted(self, ids, mask, cache, *rest):
        read.append(tuple(ids.shape))
        return logits(self, ids, mask, cache, *rest)

    monkeypatch.setattr(DecoderModel, "logits", counted)
    made = local_backend(place, batch_tokens=400)
    requests = [each for each in ask(place) if not each.adapter]
    answers(made, requests, Decoding(temperature=0, max_new_tokens=1))
    # The prefix as one row, and then each batch's own ends alone.
    assert [rows for rows, _ in read] == [1, 5, 4]
    assert read[0][1] == len(HEAD)
    assert max(width for _, width in read[1:]) == len("so on and on\n\nAnswer:\n")
    read.clear()
    answers(made, requests, Decoding(temperature=0, max_new_tokens=1))
    assert [rows for rows, _ in read] == [5, 4]


@pytest.mark.parametrize("together", [16, 2], ids=["at once", "in parts"])
@pytest.mark.parametrize("held", [False, True], ids=["copied", "held"])
@pytest.mark.parametrize(
    "kind", ["llama", "qwen3", "gemma3_text", "mistral", "phi3", "gpt2", "gpt_neo", "mamba"]
)
def test_pieces_give_the_logits_of_the_whole_in_every_architecture(
    kind, held, together, monkeypatch
):
    held_from(monkeypatch, 16 if held else 10**6)
    monkeypatch.setattr(decoder, "READ_TOGETHER", together)
    more = {"sliding_window": 8} if kind in ("gemma3_text", "mistral") else {}
    model = tiny_model(kind, **more).eval()
    prompts = [tuple(range(5, 25)) + rest for rest in ((30,), (31, 32, 33), (34, 35))]
    with torch.inference_mode():
        rows = DecodedRows(DecoderModel(model, model), prompts, adapter="", pad_id=0, room=9)
        assert bool(rows._held) == (held and kind in ("llama", "qwen3", "phi3", "gpt2"))
        rows.feed([(40,), (41, 42), (43, 44, 45)])
        before, length = rows.logits, rows.length
        options = [(7, 8, 3), (7, 9, 3), (10, 3)]
        scores = rows.score_options(options, 61)
        assert (rows.length, rows.logits is before) == (length, True)
        rows.select([2, 0])
        rows.feed([(46,), (47,)])
        texts = [(*prompts[2], 43, 44, 45), (*prompts[0], 40)]
        for row, text in enumerate(texts):
            whole = model(torch.tensor([[*text, 46 + row]])).logits[0, -1]
            torch.testing.assert_close(rows.logits[row], whole, atol=1e-4, rtol=1e-4)
        for number, option in enumerate(options):
            logits = model(torch.tensor([[*texts[1], *option]])).logits[0].log_softmax(-1)
            start = len(texts[1]) - 1
            expected = sum(logits[start + k, token] for k, token in enumerate(option))
            assert scores[0, number].item() == pytest.approx(expected.item(), abs=1e-3)


def test_prompts_of_like_lengths_are_read_together(monkeypatch):
    monkeypatch.setattr(decoder, "READ_TOGETHER", 2)
    read = []
    logits = DecoderModel.logits

    def counted(self, ids, *rest):
        read.append(tuple(ids.shape))
        return logits(self, ids, *rest)

    monkeypatch.setattr(DecoderModel, "logits", counted)
    model = tiny_model("llama").eval()
    prompts = [tuple(range(5, 5 + length)) for length in (3, 30, 4, 29, 5)]
    with torch.inference_mode():
        rows = DecodedRows(
            DecoderModel(model, model), prompts, adapter="", pad_id=0, room=4, share=False
        )
    assert read == [(2, 30), (2, 5), (1, 3)]
    assert (len(rows), rows.length) == (5, 30)


def test_progress_counts_answers_within_a_batch(place):
    """Batches of fifty answers take a while: their time left is told as rows end."""
    told = []
    made = local_backend(place)
    requests = [each for each in ask(place) if not each.adapter]
    made._ends = tuple(range(20, 60))  # rows end at different steps
    list(made.complete(requests, DRAWN, progress=lambda what, share: told.append(share)))
    assert told == sorted(told)
    assert any(0 < share < 1 for share in told)
    assert len(made.batches_of([transformers.TokenizedRequest(each, made._ids(each))
                                for each in requests], DRAWN)) == 1  # fmt: skip


@pytest.mark.parametrize("label", [None, LabelChoice(NLI.scale.labels)], ids=["free", "label"])
def test_the_seconds_of_a_token_are_of_tokens_after_the_label(place, label, monkeypatch):
    """A model that has to write the label first would end its line there, and seem fast."""
    fed = []
    feed = DecodedRows.feed

    def noted(self, tokens, **more):
        fed.append(tokens)
        return feed(self, tokens, **more)

    monkeypatch.setattr(DecodedRows, "feed", noted)
    made = local_backend(place)
    made._ends = ()
    requests = [each for each in ask(place, label=label) if not each.adapter]
    rows = [transformers.TokenizedRequest(each, made._ids(each)) for each in requests]
    read, token = made.seconds(made.batches_of(rows, GREEDY), GREEDY)
    assert read > 0 and token > 0
    single = [tokens for tokens in fed if {len(row) for row in tokens} == {1}]
    assert len(single) >= GREEDY.max_new_tokens - 1
    given = [tuple(tokens[0]) for tokens in fed]
    if label:
        rest = label_tokens(label.labels, made._base.tokenizer).rest
        assert set(given) & set(rest)


def test_the_score_of_a_label_is_that_of_its_word_and_line_break(place):
    made = local_backend(place)
    base, labels = made._base, PARAPHRASE.scale.labels
    request = GenerationRequest("k", PROMPTS[0], label=LabelChoice(labels))
    scores = made.label_scores([request], GREEDY)["k"]
    reply = answers(made, [request], GREEDY)["k"]
    assert reply.label_scores == pytest.approx(scores, abs=1e-4)
    for label, score in zip(labels, scores, strict=True):
        start = base.tokenizer(PROMPTS[0].text + "\n\nAnswer:\nLabel: ")["input_ids"]
        ids = start + base.tokenizer(f"{label}\n")["input_ids"]
        with torch.no_grad():
            logits = base.model(torch.tensor([ids])).logits[0, :, : len(base.tokenizer)]
        shares = logits.log_softmax(-1)
        expected = sum(shares[k - 1, ids[k]].item() for k in range(len(start), len(ids)))
        assert score == pytest.approx(expected, abs=1e-3)
    best = labels[max(range(len(labels)), key=scores.__getitem__)]
    assert reply.text.startswith(f"Label: {best}\nExplanation: ")


def test_weights_and_sampling_of_labels(place):
    made = local_backend(place)
    forced = LabelChoice(NLI.scale.labels, log_weights=(-1e3, -1e3, 0.0))
    requests = [GenerationRequest("k", PROMPTS[0], label=forced)]
    assert answers(made, requests, DRAWN)["k"].text.startswith("Label: contradiction\n")
    choice = LabelChoice(("a", "b"), sampled=True)
    scores = [-1.0, -2.0]  # probabilities 1 / (1 + 1/e) = .731, .269
    assert choice.probabilities(scores) == pytest.approx([0.7311, 0.2689], abs=1e-4)
    plain = Decoding(temperature=1.0)
    drawn = [choice.chosen(scores, seed, plain) for seed in range(2000)]
    assert sum(drawn) / 2000 == pytest.approx(0.2689, abs=0.04)
    assert drawn == [choice.chosen(scores, seed, plain) for seed in range(2000)]
    assert {choice.chosen(scores, seed, GREEDY) for seed in range(50)} == {0}
    assert LabelChoice(("a", "b")).chosen([-2.0, -1.0], 0, plain) == 1


def test_an_explanation_is_one_line_with_a_word(place):
    made = local_backend(place)
    requests = ask(place, label=LabelChoice(NLI.scale.labels))
    # Nearly every token ends a line: what is left has to be written all the same.
    every = range(len(made._base.tokenizer))
    letters = set(made._base.tokenizer("abcdefgh")["input_ids"])
    made._breaks = {token: token not in letters for token in every}
    for reply in answers(made, requests, DRAWN).values():
        first, second = reply.text.split("\n")
        assert first.removeprefix("Label: ") in NLI.scale.labels
        assert second.removeprefix("Explanation: ").strip()[0] in "abcdefgh"
        assert reply.finish == "stop" or reply.output_tokens >= 24


@pytest.mark.parametrize("task", [NLI, PARAPHRASE], ids=["words", "numbers"])
def test_the_tokens_of_labels_are_those_of_a_response(place, task):
    tokenizer = local_backend(place)._base.tokenizer
    tokens = label_tokens(task.scale.labels, tokenizer)
    for label, option, rest in zip(task.scale.labels, tokens.options, tokens.rest, strict=True):
        whole = tokenizer(write_response(label, "So."), add_special_tokens=False)["input_ids"]
        assert tuple(whole[: len(tokens.begin) + len(rest)]) == (*tokens.begin, *rest)
        assert tokenizer.decode(option).endswith("\n")
    assert tokenizer.decode(tokens.begin) in ("Label: ", "Label:")
    alone = label_tokens(["neutral"], tokenizer)
    assert tokenizer.decode(alone.begin) == "Label:"


def test_rows_with_one_beginning_are_in_one_batch(place, monkeypatch):
    tokenizer = local_backend(place)._base.tokenizer
    from capo_core.imitation.backends.transformers import TokenizedRequest

    heads = ["first beginning ", "second beginning "]
    rows = []
    for k in range(20):
        prompt = Prompt(heads[k % 2] + "x" * (k % 5), heads[k % 2])
        ids = tuple(tokenizer(prompt.text)["input_ids"])
        rows.append(TokenizedRequest(GenerationRequest(f"k{k}", prompt), ids))
    batches = plan_batches(rows, 10, 10_000)
    assert [{row.request.prompt.head for row in batch} for batch in batches] == [
        {heads[1]},
        {heads[0]},
    ]
    # What a group begins with does not count where it is held once.
    monkeypatch.setattr(transformers, "MIN_HELD", 10)
    wide = plan_batches(rows, 10, 80, holds_prefixes=True)
    assert max(map(len, wide)) > max(map(len, plan_batches(rows, 10, 80)))
    few = plan_batches(rows[:6], 10, 10_000)  # three of each: together
    assert [len(batch) for batch in few] == [6]


def test_the_common_length():
    assert common_length([(1, 2, 3), (1, 2, 4), (1, 2)]) == 2
    assert common_length([(1, 2), (1, 2)]) == 2
    assert common_length([(1,), (2,)]) == 0
    assert common_length([(), (2,)]) == 0
