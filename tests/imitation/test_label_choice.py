"""Labels by their scores: priors, label words of an annotator's own, styles, and resumed runs."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.generation import base_with_adapters, local_backend, split_dataset

from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.imitation.backends.base import Decoding, GenerationRequest, LabelChoice, Reply
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.backends.transformers import TransformersBackend, end_tokens
from capo_core.imitation.generation.generate import generate, generation_run_config
from capo_core.imitation.generation.label_prior import fit_label_prior
from capo_core.imitation.generation.outputs import OutputLines, read_label_probabilities
from capo_core.imitation.generation.requests import (
    GenerateConfig,
    OutputRequest,
    answer_style,
    decoding_of,
)
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.chat_template import FIXED_DAY, SYSTEM_MESSAGE
from capo_core.imitation.prompting.label_words import own_label_words, task_words
from capo_core.imitation.prompting.prompts import (
    LATEST_VERSION,
    WORKED_FORM,
    Example,
    PromptItem,
    PromptStyle,
    prompt_text,
    zero_shot,
)
from capo_core.run_folder import RunFolder
from capo_core.shipped import EMBEDDED_BASE
from capo_core.task import NLI, PARAPHRASE

SHORT = {"max_new_tokens": 8, "temperature": 0.8}
LABELS = NLI.scale.labels


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return base_with_adapters(tmp_path_factory.mktemp("tiny"), "run1/adapter", positions=2048)


def lines(folder):
    return {row["output_id"]: row for row in OutputLines(folder.path).read()}


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "zero_shot"},
        {"method": "icl_own_words", "examples": 2},
        {"method": "zero_shot", "label_choice": "sampled", "label_prior": "annotator"},
    ],
    ids=["scores", "own words", "sampled with prior"],
)
def test_every_answer_has_a_label_and_a_resumed_run_has_the_same(place, tmp_path, settings):
    data, config = split_dataset(), GenerateConfig(**settings, **SHORT, samples=2)
    whole = RunFolder(tmp_path / "whole")
    frame = generate(data, ("1",), config, local_backend(place, batch_tokens=900), whole)
    assert whole.result["parsed"] == len(frame) == 12
    assert whole.result["label_choice"] == settings.get("label_choice", "scores")
    assert whole.result["prompt_version"] == LATEST_VERSION
    for row in lines(whole).values():
        shares = row["label_probabilities"]
        assert list(shares) == list(LABELS)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        if config.label_choice != "sampled":
            assert shares[row["label"]] == max(shares.values())
    table = read_label_probabilities(whole.path)
    assert len(table) == 12 and table[list(LABELS)].sum(axis=1).to_numpy() == pytest.approx(
        1, abs=1e-4
    )
    broken, seen = RunFolder(tmp_path / "broken"), []

    def stop(what, share):
        seen.append(what)
        if seen.count("writing answers") == 12:
            raise Stopped("asked to")

    with pytest.raises(Stopped):
        generate(
            data, ("1",), config, local_backend(place, batch_tokens=900), broken, progress=stop
        )
    assert 0 < len(lines(broken)) < 12
    generate(data, ("1",), config, local_backend(place, batch_tokens=900), broken)
    without = [{k: v for k, v in row.items() if k != "run_id"} for row in lines(whole).values()]
    names = {(row["item_id"], row["sample"]): row for row in without}
    for row in lines(broken).values():
        one = names[row["item_id"], row["sample"]]
        same = ("label", "explanation", "label_probabilities", "output_tokens", "finish")
        assert [row[name] for name in same] == [one[name] for name in same]


def test_label_words_of_ones_own_stand_in_the_prompt_and_are_mapped_back(place, tmp_path):
    words = own_label_words(NLI, "1")
    assert words.task.scale.labels != own_label_words(NLI, "2").task.scale.labels
    assert len(set(words.task.scale.labels)) == 3 and not set(words.task.scale.labels) & set(LABELS)
    example = Example(PromptItem("i", "One."), "neutral", "So.")
    assert words.examples([example])[0].label == words.task.scale.labels[1]
    assert (
        words.label_of(words.task.scale.labels[2]) == "contradiction" and words.label_of("") == ""
    )
    assert len(set(own_label_words(PARAPHRASE, "1").task.scale.labels)) == 11
    assert task_words(NLI).examples([example]) == [example]

    asked = []

    def answer(request):
        asked.append(request.prompt.text)
        return f"Label: {words.task.scale.labels[1]}\nExplanation: So it is."

    data = split_dataset()
    config = GenerateConfig("icl_own_words", examples=3)
    frame = generate(data, ("1",), config, FakeBackend(answer), RunFolder(tmp_path / "r"))
    assert set(frame["label"]) == {"neutral"} and set(frame["parsed"]) == {"true"}
    for text in asked:
        assert not any(label in text for label in LABELS)
        assert all(word in text for word in words.task.scale.labels)
    (row, *_) = lines(RunFolder(tmp_path / "r")).values()
    assert (row["method"], row["examples"]) == ("icl_own_words", 3)


@pytest.mark.parametrize("damaged", ["[", "[]", "{}", '{"1": 3}'])
def test_a_damaged_prior_of_a_run_is_named_with_what_to_do(place, tmp_path, damaged):
    config = GenerateConfig(method="zero_shot", label_choice="sampled", label_prior="annotator")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / "calibration.json").write_text(damaged)
    with pytest.raises(DataError, match=r"label prior of this run .+ What to do: delete the"):
        generate(split_dataset(), ("1",), config, local_backend(place), folder)


def test_the_prior_makes_mean_probabilities_those_of_the_training_labels():
    rng = np.random.default_rng(0)
    scores = np.log(rng.dirichlet([6, 1, 3], size=400))
    labels = ["a"] * 10 + ["b"] * 60 + ["c"] * 30
    found = fit_label_prior(scores, labels, ["a", "b", "c"])
    assert found.prior == pytest.approx([10.5 / 101.5, 60.5 / 101.5, 30.5 / 101.5])
    assert found.mean == pytest.approx([0.6, 0.1, 0.3], abs=0.03)
    logits = scores + found.log_weights
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert shares.mean(0) == pytest.approx(found.prior, abs=1e-3)
    # Where the scores say nothing, one step of Saerens's formula is all there is.
    flat = fit_label_prior(np.log([[0.7, 0.2, 0.1]] * 5), labels, ["a", "b", "c"])
    ratio = np.log(np.array(flat.prior) / [0.7, 0.2, 0.1])
    assert np.diff(flat.log_weights) == pytest.approx(np.diff(ratio), abs=1e-3)
    # A label that the annotator never gave stays possible.
    assert fit_label_prior(scores, ["b"], ["a", "b", "c"]).prior[0] > 0


def test_the_prior_is_fitted_on_training_items_and_saved(place, tmp_path):
    data, folder = split_dataset(), RunFolder(tmp_path / "r")
    scored = {}

    class Watched(TransformersBackend):
        def label_scores(self, requests, decoding, **more):
            scored.update(super().label_scores(requests, decoding, **more))
            return scored

    backend = Watched(load_base_model(str(place / "base"), device="cpu"))
    config = GenerateConfig("zero_shot", label_prior="annotator", **SHORT)
    generate(data, ("1",), config, backend, folder)
    assert sorted(scored) == sorted(f"i{k}" for k in range(20))
    saved = json.loads((folder.path / "calibration.json").read_text())["1"]
    counts = data.annotations[data.annotations["annotator_id"] == "1"]["label"][:20].value_counts()
    expected = [(counts[label] + 0.5) / 21.5 for label in LABELS]
    assert saved["items"] == 20 and saved["prior"] == pytest.approx(expected)
    shares = [LabelChoice(LABELS, log_weights=tuple(saved["log_weights"])).probabilities(each)
              for each in scored.values()]  # fmt: skip
    assert np.mean(shares, 0) == pytest.approx(expected, abs=1e-3)
    raw = RunFolder(tmp_path / "raw")
    generate(data, ("1",), replace(config, label_prior="none"), local_backend(place), raw)
    changed = [row["label_probabilities"] for row in lines(folder).values()]
    assert changed != [row["label_probabilities"] for row in lines(raw).values()]
    # A resumed run goes on with what was saved.
    saved["log_weights"] = [0.0, 0.0, 0.0]
    again = RunFolder(tmp_path / "again")
    again.claim(generation_run_config(data, ("1",), config, backend, {}, {}))
    (again.path / "calibration.json").write_text(json.dumps({"1": saved}))
    generate(data, ("1",), config, local_backend(place), again)
    kept = [row["label_probabilities"] for row in lines(again).values()]
    assert kept == [row["label_probabilities"] for row in lines(raw).values()]


def test_former_runs_keep_their_names_and_styles(place):
    plain = GenerateConfig("zero_shot")
    later = {"label_choice", "label_prior", "prompt"}
    assert not later & set(plain.to_dict())
    changed = GenerateConfig("icl", label_choice="sampled", prompt="v2")
    assert later - {"label_prior"} <= set(changed.to_dict())
    assert GenerateConfig(**changed.to_dict()) == changed
    made = local_backend(place)
    assert answer_style(plain, made).identity == {"prompt_version": 2, "label_choice": "scores"}
    # Adapters of former builds answer the prompt they were trained with.
    assert answer_style(GenerateConfig("sft"), made).prompt.version == 1
    former = GenerateConfig("zero_shot", prompt="v1", label_choice="generated")
    assert answer_style(former, made).identity == {}
    assert "label_choice" not in generation_run_config(
        split_dataset(), ("1",), former, made, {}, {}
    )
    assert answer_style(plain, FakeBackend()).label_choice == "generated"
    with pytest.raises(ConfigError, match="label_choice"):
        answer_style(GenerateConfig("zero_shot", label_choice="scores"), FakeBackend())
    with pytest.raises(ConfigError, match="label_prior"):
        answer_style(GenerateConfig("zero_shot", label_prior="annotator"), FakeBackend())


def test_the_embedded_base_model_is_asked_as_it_was_trained():
    made = TransformersBackend(load_base_model("embedded", device="cpu"))
    assert EMBEDDED_BASE.is_dir() and made.prompt_version == 1
    assert answer_style(GenerateConfig("icl"), made).identity == {}


def templated(place, template):
    return base_with_template(place, template).tokenizer


def base_with_template(place, template):
    base = load_base_model(str(place / "base"), device="cpu")
    base.tokenizer.chat_template = template
    return base


SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
)


def test_templates_that_refuse_a_system_message_write_the_day_or_open_thinking(place):
    prompt = zero_shot(NLI, PromptItem("i", "One.", "Two."), style=PromptStyle(LATEST_VERSION))
    first = zero_shot(NLI, PromptItem("i", "One.", "Two."))
    assert prompt_text(prompt, templated(place, SYSTEM)) == f"<user>{prompt.text}"
    dated = templated(place, "{{ strftime_now('%Y-%m-%d') }} {{ date_string }}" + SYSTEM)
    assert prompt_text(prompt, dated).startswith("2024-07-26 26 Jul 2024<user>")
    thinking = templated(place, SYSTEM + "<assistant>\n<think>\n")
    assert prompt_text(prompt, thinking).endswith("<assistant>\n<think>\n\n</think>\n\n")
    assert prompt_text(first, thinking).endswith("<assistant>\n<think>")  # as adapters were trained
    off = "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    quiet = templated(place, SYSTEM + off)
    assert prompt_text(prompt, quiet).endswith(f"{prompt.text}<think>\n\n</think>\n\n")


def test_a_template_that_wants_a_system_message_or_parts_gets_them(place):
    prompt = zero_shot(NLI, PromptItem("i", "One.", "Two."))
    wants = (
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system') }}"
        "{% endif %}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    )
    text = prompt_text(prompt, templated(place, wants))
    assert text == f"<system>{SYSTEM_MESSAGE}<user>{prompt.text}"
    parts = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'][0]['text'] + '' }}{% endfor %}"
    assert prompt_text(prompt, templated(place, parts)) == f"<user>{prompt.text}"
    ended = wants + "<|endoftext|>"
    assert end_tokens(base_with_template(place, ended))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('only tools are allowed.') }}", "only tools are allowed"),
        (
            "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system') }}"
            "{% endif %}x",
            "no system",
        ),
        ("{% for m in messages %}<{{ m['role'] }}>{% endfor %}", "leaves the message"),
        ("{{ messages[0]['content'", "unexpected|expected"),
    ],
)
def test_a_template_that_refuses_every_prompt_is_named_with_its_words(place, template, why):
    prompt = zero_shot(NLI, PromptItem("i", "One.", "Two."))
    with pytest.raises(ConfigError, match=why) as failed:
        prompt_text(prompt, templated(place, template))
    assert "chat_template.jinja" in str(failed.value) and str(place / "base") in str(failed.value)


def test_the_prompt_is_the_same_on_every_day(place, monkeypatch):
    """Llama's and Granite's way of asking for the day; the clock is never read."""
    from transformers.utils import chat_template_utils

    class Clock:
        now = staticmethod(lambda: pytest.fail("the template read the present day"))

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    prompt = zero_shot(NLI, PromptItem("i", "One.", "Two."))
    llama = (
        "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
        '{%- set date_string = strftime_now("%d %b %Y") %}{%- endif %}{%- endif %}'
        "Today Date: {{ date_string }} {{ messages[0]['content'] }}"
    )
    granite = "Today's Date: {{ strftime_now('%B %d, %Y') }}. {{ messages[0]['content'] }}"
    assert prompt_text(prompt, templated(place, llama)) == f"Today Date: {FIXED_DAY} {prompt.text}"
    assert prompt_text(prompt, templated(place, granite)).startswith(f"Today's Date: {FIXED_DAY}. ")


def test_the_worked_form_is_no_answer():
    prompt = zero_shot(NLI, PromptItem("i", "One.", "Two."), style=PromptStyle(LATEST_VERSION))
    assert WORKED_FORM in prompt.text
    assert (
        parse_response(f"{WORKED_FORM}\n\nLabel: neutral\nExplanation: So.", NLI).label == "neutral"
    )
    assert not parse_response(WORKED_FORM, NLI).label


def test_a_reply_of_a_server_has_no_probabilities():
    config = GenerateConfig("zero_shot")
    from capo_core.imitation.generation.outputs import output_row

    request = GenerationRequest("k", zero_shot(NLI, PromptItem("i", "One.")))
    asked = OutputRequest("1", "i", 0, request)
    row = output_row(split_dataset(), asked, Reply("Label: neutral\nExplanation: So."), config, "r")
    assert row["parsed"] == "true" and "label_probabilities" not in row
    assert decoding_of(split_dataset(), config) == Decoding(
        0.7, 0.95, 128, ("Label", "Explanation", "premise", "hypothesis")
    )


def test_adapters_answer_in_the_version_they_were_trained_with(place, tmp_path):
    from capo_core.imitation.generation.trained_adapters import TrainedAdapters

    found = TrainedAdapters({"1": place / "run1" / "adapter"}, "b", "f", False)
    config = GenerateConfig("sft", **SHORT)
    assert found.config_for(config) == config
    later = replace(found, prompt_version=2)
    assert later.config_for(config).prompt == "v2"
    data, folder = split_dataset(), RunFolder(tmp_path / "r")
    texts = []

    class Watched(TransformersBackend):
        def complete(self, requests, decoding, **more):
            texts.extend(request.prompt.text for request in requests)
            return super().complete(requests, decoding, **more)

    backend = Watched(load_base_model(str(place / "base"), device="cpu"))
    generate(data, ("1",), config, backend, folder, adapters=found.adapters)
    items = {item: PromptItem(item, a, b) for item, a, b in data.items[
        ["item_id", "text_a", "text_b"]].itertuples(index=False)}  # fmt: skip
    assert texts == [zero_shot(NLI, items[f"i{k}"]).text for k in range(20, 26)]
    assert folder.result["parsed"] == 6
    shutil.rmtree(folder.path)
