"""Typing habits: made equal before attribution, kept beside it, and what they give away alone."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.data_files import shared

from capo_core.data.importing import read_dataset
from capo_core.evaluation.measures.attribution import View, attributed
from capo_core.evaluation.streams import HUMAN, held_out_items, human_streams
from capo_core.evaluation.table import TableConfig, evaluate
from capo_core.text.embeddings import Embedder
from capo_core.text.reductions import find_reduction
from capo_core.text.tokens import normalise, same_form, typing_marks

HABITS = View("words", "typing_only")


@pytest.mark.parametrize(
    ("text", "marks", "form"),
    [
        ("It says so.", ("↑", "."), "It says so"),
        ("it says so", ("", ""), "It says so"),
        (" it says so", ("␣", ""), "It says so"),
        ("It  says so?! ", ("↑", "? ! ␣"), "It says so"),
        ("3 of them.", ("", "."), "3 of them"),
        ("", ("", ""), ""),
        (" . ", ("␣", ". ␣"), ""),
    ],
)
def test_marks_are_what_is_made_equal(text, marks, form):
    assert typing_marks(text) == marks
    assert same_form(text) == form
    assert same_form(same_form(text)) == form
    assert normalise(text) == normalise(form)


def test_the_written_reduction_is_the_masked_text_between_its_marks():
    rng = np.random.default_rng(0)
    inputs = ("a dog sleeps", "")

    def changed(name, text):
        return find_reduction(name).changed([text], [inputs], rng, tag=None)[0]

    masked = changed("mask_input", "the dog rests")
    assert changed("mask_input_written", " The dog rests.") == f"␣ ↑ {masked} ."
    assert changed("typing_only", " The dog rests.") == "␣ ↑ something ."


def texts_of(name):
    if name == "varierr":
        files = [shared("varierr", "varierr.json")]
    else:
        files = [shared("lewidi", f"Paraphrase_{part}.json") for part in ("train", "dev", "test")]
    data = read_dataset(files, name=name, shares=(0.6, 0.2, 0.2), seed=42).dataset
    ids = held_out_items(data)
    return data, ids, [stream for stream in human_streams(data, ids) if stream.source == HUMAN]


def unlike(streams, target, change):
    return [
        replace(s, explanations=tuple(map(change, s.explanations))) if s.target == target else s
        for s in streams
    ]


@pytest.mark.parametrize(
    ("name", "target", "change"),
    [
        # Annotator 3 of VariErr leaves out the final period (89 % of texts; the others 1 to 3 %).
        ("varierr", "3", lambda text: text.strip().rstrip(".") + "."),
        # Annotator 2 of Paraphrase begins with a space (99 % of texts; the others hardly ever).
        ("paraphrase", "Ann2", lambda text: text.strip()[:1].upper() + text.strip()[1:] + "."),
    ],
)
def test_on_real_data_habits_alone_name_an_annotator_and_attribution_does_not_see_them(
    name, target, change
):
    data, ids, streams = texts_of(name)
    config = TableConfig(views=(HABITS,), pool=(1,), families=("attribution",))
    other = unlike(streams, target, change)

    def share(of):
        scores = evaluate(data, ids, of, config).scores.set_index(["measure", "target"])
        return scores.at[(HABITS.name, target), "value"]

    assert share(streams) > 0.85
    assert share(other) < 0.25  # the same words, typed as the others type
    column = data.annotators.index(target)
    for view, same in ((View(), True), (View("words", "mask_input_written"), False)):
        before, after = (
            attributed(data, ids, of, view, Embedder()).streams[column] for of in (streams, other)
        )
        assert np.array_equal(before, after) is same
