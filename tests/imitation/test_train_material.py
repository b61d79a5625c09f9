"""What of a dataset a model is trained on, on which bases, and what never gets there."""

import re
from dataclasses import replace
from string import printable

import pytest
import torch
import typer
from helpers.tiny_training import LABELS, SUBJECTS, capo_config, sft_config, tiny_base, tiny_dataset
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from typer.testing import CliRunner

from capo_core.cli import train
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.imitation.prompting.prompts import (
    PLAIN_END,
    Prompt,
    ask_for_profile,
    in_context,
    prompt_ids,
    render,
    write_response,
)
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.examples import (
    TokenLimits,
    capo_examples,
    sft_examples,
    shuffle_annotators,
)
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder
from capo_core.workspace import Workspace


def without(dataset: Dataset, who: str, part: str) -> Dataset:
    """The dataset without one annotator's responses to one part."""
    items = dataset.items.loc[dataset.items["split"] == part, "item_id"]
    rows = dataset.annotations
    gone = (rows["annotator_id"] == who) & rows["item_id"].isin(items)
    return replace(dataset, annotations=rows[~gone])


# ---- nothing to contrast, nobody to learn from ---------------------------------------------------


def all_alike() -> Dataset:
    """Everybody gives the same label in the same words."""
    dataset = tiny_dataset()
    rows = dataset.annotations.assign(label="neutral", explanation="It is not said.")
    return replace(dataset, annotations=rows)


def test_nothing_to_contrast_is_said_before_sft_is_trained(base, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    Catalog(workspace).add(all_alike())
    app = typer.Typer()
    train.mount(app)
    line = ["train", "capo", "--dataset", "tiny", "--base", base, "--annotator", "A"]
    line += ["--contrast", "response", "--no-calibrate"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert re.search(r"no pair is left for annotator 'A'.*28 near-dupl", told), told
    assert not workspace.runs.exists()
    shared = {"shared": True}
    with pytest.raises(ConfigError, match=r"nothing to learn from.*84 near-dupl"):
        train_capo_on(base, all_alike(), tmp_path, **shared)


def train_capo_on(base, dataset, tmp_path, **settings):
    sft = RunFolder(tmp_path / "sft")
    train_sft(dataset, "A", sft_config(epochs=1, **settings), base, sft)
    folder = RunFolder(tmp_path / "capo")
    return train_capo(dataset, "A", capo_config(epochs=1, **settings), sft, folder)


def test_a_shared_adapter_goes_without_those_who_wrote_nothing_to_learn(base, tmp_path):
    dataset = without(tiny_dataset(), "C", "train")
    sft = RunFolder(tmp_path / "sft")
    result = train_sft(dataset, "", sft_config(epochs=1, shared=True), base, sft)
    assert result.training_items == 2 * 14 and result.responses == 2 * 14
    capo = RunFolder(tmp_path / "capo")
    result = train_capo(dataset, "", capo_config(epochs=1, shared=True), sft, capo)
    assert result.training_items == 2 * 14
    with pytest.raises(ConfigError, match="responses to 0 training items"):
        train_sft(dataset, "C", sft_config(), base, RunFolder(tmp_path / "alone"))


def test_validation_without_a_pair_is_no_validation(base, tmp_path):
    dataset = tiny_dataset()
    for who in "BC":
        dataset = without(dataset, who, "validation")
    result = train_capo_on(base, dataset, tmp_path)
    assert (result.validation_items, result.validation_loss) == (0, None)
    assert result.kept_step == result.steps == 4


# ---- bases ---------------------------------------------------------------------------------------


def test_a_tokenizer_without_a_padding_token_changes_nothing(base, tmp_path):
    other = tiny_base(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(other)
    assert load_base_model(other).tokenizer.pad_token_id is None
    found = []
    for name in (base, other):
        folder = RunFolder(tmp_path / f"run{len(found)}")
        train_sft(tiny_dataset(), "A", sft_config(epochs=1), name, folder)
        found.append(load_file(folder.adapter / WEIGHTS))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def with_tokens(base: str, **tokens) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens(tokens)
    tokenizer.save_pretrained(base)


@pytest.mark.parametrize(
    "tokens", [{"eos_token": "<other end>"}, {"additional_special_tokens": ["<more>"]}]
)
def test_a_tokenizer_of_another_model_is_refused(tmp_path, tokens):
    base = tiny_base(tmp_path / "base")
    with_tokens(base, **tokens)
    with pytest.raises(ConfigError, match=r"tokens that the model does not know.*<"):
        load_base_model(base)


def test_a_padding_token_that_the_model_does_not_know_is_not_used(tmp_path):
    base = tiny_base(tmp_path / "base")
    with_tokens(base, pad_token="<added pad>")
    loaded = load_base_model(base)
    assert loaded.tokenizer.pad_token_id >= loaded.model.config.vocab_size
    assert loaded.pad_id == loaded.tokenizer.eos_token_id


def test_prompts_longer_than_the_base_reads_are_counted_and_all_of_them_an_error(tmp_path):
    dataset = tiny_dataset()
    long = dataset.items["item_id"].isin(["i2", "i5", "i7"])
    texts = dataset.items["text_a"] + long.map({True: " The cat sleeps." * 60, False: ""})
    dataset = replace(dataset, items=dataset.items.assign(text_a=texts))
    base = tiny_base(tmp_path / "short", max_position_embeddings=160)
    folder = RunFolder(tmp_path / "run")
    result = train_sft(dataset, "A", sft_config(epochs=1), base, folder)
    assert result.training_items == 14 - 3
    assert result.skipped == {"prompt longer than max_tokens": 3}
    notes = {event["note"]: event["count"] for event in folder.events("note")}
    assert notes["tokens the base model reads at most"] == 160
    nothing = tiny_base(tmp_path / "shorter", max_position_embeddings=32)
    with pytest.raises(ConfigError, match=r"at most 32 tokens no response is whole.*longer texts"):
        train_sft(dataset, "A", sft_config(), nothing, RunFolder(tmp_path / "none"))


def test_tokens_that_would_join_prompt_and_label_do_not(tmp_path):
    """A tokenizer that writes "Answer:⏎Label: neutral" as one token; the label is still learned,
    from the same prompt that generation gives."""
    raw = Tokenizer(models.BPE())
    raw.train_from_iterator(
        [f"{PLAIN_END}Label: {label}\nExplanation: " for label in LABELS] * 50,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<end>"],
            initial_alphabet=list(printable),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>")
    prompt, texts = Prompt("A."), [write_response(label, "So.") for label in LABELS]
    joined = [tokenizer(prompt.text + PLAIN_END + text)["input_ids"] for text in texts]
    assert len({ids[len("A.")] for ids in joined}) == 3  # the label is in the first token already
    rendered = render(prompt, texts, tokenizer)
    assert rendered.prompt == prompt_ids(prompt, tokenizer)
    for text, ids in zip(texts, rendered.responses, strict=True):
        assert tokenizer.decode(ids[:-1]).replace(" ", "") == text.replace(" ", "")
        assert ids[-1] == tokenizer.eos_token_id
    assert len(set(rendered.responses)) == 3


# ---- nothing of what is tested on is learned -----------------------------------------------------


def test_no_word_of_the_held_out_parts_reaches_what_is_learned_or_shown(base):
    """Every text of validation and test bears a mark, and so do training items that are their
    twins; no prompt, response, example or profile of the training part does."""
    dataset = tiny_dataset(test=4)
    held_out = dataset.items["split"] != "train"
    items = dataset.items.copy()
    for column in ("text_a", "text_b"):
        items.loc[held_out, column] += " " + SUBJECTS[0].upper() + "MARK"
    # Two training items with the texts of a validation and of a test item, the second turned round.
    for place, source, turned in ((0, 14, False), (1, 18, True)):
        texts = items.loc[source, ["text_a", "text_b"]].tolist()
        items.loc[place, ["text_a", "text_b"]] = texts[::-1] if turned else texts
    marked = set(items.loc[items["text_a"].str.contains("CATMARK"), "item_id"])
    assert len(marked) == 4 + 4 + 2
    rows = dataset.annotations
    told = rows["explanation"] + rows["item_id"].isin(marked).map({True: " CATMARK", False: ""})
    dataset = replace(dataset, items=items, annotations=rows.assign(explanation=told))

    tokenizer = load_base_model(base).tokenizer
    for shared in (False, True):
        limits = TokenLimits(tokenizer, 512, shared)
        who = list(dataset.annotators) if shared else ["A"]
        parts = (
            sft_examples(dataset, who, limits),
            capo_examples(dataset, who, capo_config(shared=shared), limits),
        )
        for part in parts:
            assert len(part) == 12 * len(who)
            for contrast in part.contrasts:
                rendered = contrast.rendered
                for ids in (rendered.prompt, *rendered.responses):
                    assert "CATMARK" not in tokenizer.decode(ids)
    pool = ExamplePool(dataset, "A")
    assert len(pool) == 12
    examples = pool.choose(12)
    assert "CATMARK" not in ask_for_profile(dataset.task, examples).text
    question = examples[0].item
    assert "CATMARK" not in in_context(dataset.task, question, examples[1:]).text
    # The marks can be seen where they are: the same look at the validation part finds them.
    validation = sft_examples(
        dataset, ["A"], TokenLimits(tokenizer, 512, False), split="validation"
    )
    seen = [tokenizer.decode(each.rendered.prompt) for each in validation.contrasts]
    assert len(seen) == 4 and all("CATMARK" in text for text in seen)


def test_shuffled_annotators_keep_their_numbers_and_lose_their_manner():
    dataset = tiny_dataset(train=40)
    shuffled = shuffle_annotators(dataset, 3)
    before, after = dataset.annotations, shuffled.annotations
    for column in ("item_id", "label", "explanation"):
        assert after[column].tolist() == before[column].tolist()
    counts = after.groupby(["item_id", "annotator_id"]).size()
    assert counts.to_dict() == before.groupby(["item_id", "annotator_id"]).size().to_dict()
    same = (after["annotator_id"] == before["annotator_id"]).mean()
    assert 0.2 < same < 0.5  # a third by chance
    again = shuffle_annotators(dataset, 3).annotations["annotator_id"]
    assert again.tolist() == after["annotator_id"].tolist()
    other = shuffle_annotators(dataset, 4).annotations["annotator_id"]
    assert other.tolist() != after["annotator_id"].tolist()
