"""Each kind of leak is found where it was put, and nothing is found where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.study_designs import small_dataset, small_design, small_draft

from capo_core.study.design import leaks
from capo_core.study.design.sources import LeakMarkers, display_text, leak_markers, leaks_in_text
from capo_core.study.tables import from_cell

WORDS = ("so", "then", "it", "holds", "because", "fact", "says", "more", "less", "never")
MARKS = LeakMarkers(frozenset({"annotator a", "capo", "gpt"}), frozenset({"a copy of a card"}), 20)


@pytest.fixture(scope="module")
def clean():
    """A comparison of human and two methods; all texts of random words, alike in everything."""
    sources = {"human": "human", "other_human": "other_human", "sft": "r", "capo": "r"}
    config = small_design(
        kinds=("comparison",), sources=sources, judges=4, trials_per_judge=24,
        judgments_per_trial=2, practice=1,
    )  # fmt: skip
    draft = small_draft(config, 80)
    rng = np.random.default_rng(0)
    texts = draft.texts.copy()
    texts["explanation"] = [
        " ".join(rng.choice(WORDS, size=rng.integers(5, 9))).capitalize() + "." for _ in texts.index
    ]
    # A repeat has the texts of its original.
    slots = draft.sealed.set_index(["trial_id", "slot"])["text_id"]
    said = texts.set_index("text_id")["explanation"]
    for row in draft.sealed[draft.sealed["mirror_of"] != ""].itertuples():
        said[row.text_id] = said[slots[row.mirror_of, row.slot]]
    texts["explanation"] = said.tolist()
    return replace(draft, texts=texts)


@pytest.fixture(scope="module")
def world():
    """Where people wrote at most 9 words."""
    return replace_texts(small_dataset(80), "so it says more or less than the fact")


def replace_texts(dataset, said):
    return replace(dataset, annotations=dataset.annotations.assign(explanation=said))


def telling(draft, change, source=None, count=1):
    """The draft with `change(text)` in the first `count` main texts of a source; their ids."""
    rows = draft.sealed[draft.sealed["purpose"] == "main"]
    if source:
        rows = rows[rows["source"] == source]
    ids = rows["text_id"].tolist()[:count]
    texts = draft.texts.copy()
    hit = texts["text_id"].isin(ids)
    texts.loc[hit, "explanation"] = texts.loc[hit, "explanation"].map(change)
    return replace(draft, texts=texts), set(ids)


def test_a_clean_draft_has_none(clean, world):
    assert leaks.find_leaks(clean, world) == []
    assert leaks.summary([]) == {}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("name", "So thinks bob."),
        ("name", "Like annotator ann, so it holds."),
        ("name", "GPT says it holds."),
        ("name", "The capo method holds."),
        ("boilerplate", "As an AI, it holds."),
        ("boilerplate", "Sure! It holds."),
        ("boilerplate", "Here is why: it holds."),
        ("boilerplate", "I cannot determine it, so it holds."),
        ("boilerplate", "Label: it holds."),
        ("format", "So **it** holds."),
        ("format", "- so it holds."),
        ("format", "1. So it 2. holds 3. more."),
        ("format", "So it <b>holds</b>."),
        ("format", "So it holds.<|im_end|>"),
        ("format", '{"label": "so"}'),
        ("format", "So it holds.\\n"),
        ("format", "So it holds \ufffd."),
        ("length", " ".join(["so"] * 16)),
    ],
)
def test_one_telling_text_is_found_where_it_is(clean, world, kind, said):
    draft, ids = telling(clean, lambda _: said, "sft")
    found = leaks.find_leaks(draft, world)
    assert {leak.kind for leak in found} == {kind}
    assert {leak.text_id for leak in found} == ids
    row = draft.sealed.set_index("text_id").loc[next(iter(ids))]
    assert {(leak.trial_id, leak.slot, leak.source) for leak in found} == {
        (row["trial_id"], row["slot"], "sft")
    }
    assert all(leak.words and leak.todo == leaks.TODO[kind] for leak in found)
    assert leaks.summary(found) == {kind: 1}


@pytest.mark.parametrize(
    "said",
    [
        "A human would say so.", "It is clear, of course.", "The label on the box is red.",
        "It says: so it holds.", "One of 3. It holds.", "I can't tell more.", "x < y and y > z",
        "She is as an aid to him.", "It has 2. and 3 legs", "A. B. and C. agree",
    ],
)  # fmt: skip
def test_what_people_write_is_no_leak(said):
    assert leaks_in_text(said, MARKS) == []


def test_a_copy_of_a_card_is_found(clean, world):
    on_card = from_cell(clean.cards["examples"].iloc[0])[0][3]
    draft, ids = telling(clean, lambda _: on_card.upper() + "!", "capo")
    found = [leak for leak in leaks.find_leaks(draft, world) if leak.kind == "card_copy"]
    assert {leak.text_id for leak in found} == ids


def test_two_equal_texts_are_no_comparison(clean, world):
    trial = clean.trials[clean.trials["phase"] == "main"].iloc[0]
    ids = from_cell(trial["text_ids"])
    texts = clean.texts.copy()
    texts.loc[texts["text_id"].isin(ids), "explanation"] = "So it holds then."
    found = leaks.find_leaks(replace(clean, texts=texts), world)
    same = [leak for leak in found if "both texts" in leak.words]
    assert {leak.slot for leak in same} == {0, 1}
    assert {leak.trial_id for leak in same} == {trial["trial_id"]}


def test_a_phrase_that_a_method_repeats_is_found_and_a_persons_is_not(clean, world):
    draft, ids = telling(clean, lambda _: "So it holds then.", "sft", count=12)
    found = [leak for leak in leaks.find_leaks(draft, world) if leak.kind == "duplicate"]
    assert {leak.source for leak in found} == {"sft"} and {x.text_id for x in found} <= ids
    draft, _ = telling(clean, lambda _: "So it holds then.", "human", count=12)
    assert leaks.find_leaks(draft, world) == []


def test_words_of_labels_that_one_source_alone_uses_are_found(clean, world):
    draft, ids = telling(clean, lambda text: f"{text[:-1]} entailment.", "capo", count=3)
    found = leaks.find_leaks(draft, world)
    assert {(leak.kind, leak.source) for leak in found} == {("label_word", "capo")}
    assert {leak.text_id for leak in found} == ids
    both, _ = telling(draft, lambda text: f"{text[:-1]} entailment.", "human", count=1)
    assert leaks.find_leaks(both, world) == []


def test_labels_off_the_scale_are_found(clean, world):
    draft = replace(clean, texts=clean.texts.assign(label="Neutral"))
    assert {leak.kind for leak in leaks.find_leaks(draft, world)} == {"label_word"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-1], "without a final mark"),
        (lambda text: text.lower(), "small letter"),
        (lambda text: "So: " + text, "a colon"),
        (lambda text: text.replace(" ", " \u2014 ", 1), "beyond ASCII"),
    ],
)
def test_a_habit_that_one_source_alone_has_is_found(clean, world, change, said):
    draft, ids = telling(clean, change, "sft", count=1000)
    found = [leak for leak in leaks.find_leaks(draft, world) if said in leak.words]
    assert found and {leak.kind for leak in found} == {"habit"}
    assert {leak.source for leak in found} == {"sft"}
    assert {leak.text_id for leak in found} == ids


def test_a_source_that_is_always_longer_is_found(clean, world):
    draft, _ = telling(clean, lambda text: f"{text[:-1]} so then more.", "capo", count=1000)
    found = leaks.find_leaks(draft, world)
    assert {(leak.kind, leak.source) for leak in found} == {("length", "capo")}
    assert "longer than a human one in" in found[0].words
    draft, _ = telling(clean, lambda text: " ".join(text.split()[:3]) + ".", "capo", count=1000)
    assert any("shorter" in leak.words for leak in leaks.find_leaks(draft, world))


def test_names_of_one_letter_are_names_only_after_the_word():
    dataset = small_dataset(5)
    rows = dataset.annotations
    short = replace(dataset, annotations=rows.assign(annotator_id=rows["annotator_id"].str[:1]))
    marks = leak_markers(short, ["sft-long", "human"], [])
    assert leaks_in_text("A dog has a bone.", marks) == []
    assert [kind for kind, _ in leaks_in_text("As annotator A says.", marks)] == ["name"]
    assert [kind for kind, _ in leaks_in_text("The sft-long text.", marks)] == ["name"]


def test_format_is_made_equal_and_manner_is_left_alone():
    # Bytes of a keyboard or a file go; case, punctuation and words stay.
    assert (
        display_text(" \u201cSo\u201d\u00a0it\tis\u200b,\nisn\u2019t IT ?? ")
        == '"So" it is, isn\'t IT ??'
    )
    assert display_text("cafe\u0301") == "caf\u00e9"
