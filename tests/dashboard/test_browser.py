"""Items and explanations as HTML: escaped, greyed where the input speaks, marked where asked."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from helpers.pages import make
from hypothesis import given
from hypothesis import strategies as st

from capo_core.dashboard.ui.item_html import (
    LONGEST,
    MOST_COLUMNS,
    Answer,
    Filter,
    Tile,
    annotators_html,
    answers_html,
    find_phrase,
    item_html,
    item_ids,
    marked,
    same_texts,
    tiles_html,
)
from capo_core.dashboard.ui.theme import looks
from capo_core.task import NLI
from capo_core.text.tokens import input_spans, spans

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></div><iframe src='//evil'>",
    "&lt;b&gt; &amp; <b>",
    "=HYPERLINK(1) $x^2$ :smile: [a](javascript:b)",
    "שלום עולם 🙂 \u202eabc",
]
OURS = {"p", "b", "bdi", "div", "span", "mark"}


class Seen(HTMLParser):
    """Which tags and attributes a browser would see, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("nasty", NASTY)
def test_what_comes_from_data_is_text_and_nothing_else(nasty):
    answers = [Answer(nasty, nasty, nasty, nasty)]
    html = answers_html(answers, looks([nasty]), inputs=(nasty,), phrase=nasty)
    html += item_html(NLI, nasty, nasty, nasty)
    seen = Seen(html)
    assert seen.tags <= OURS
    assert seen.attributes <= {"class", "style", "dir"}
    # Who, label, explanation, remark, and the item's two texts.
    assert seen.text.count(nasty) == 6

    columns = Seen(annotators_html(answers, looks([nasty, "other"]), phrase=nasty))
    assert columns.tags <= OURS and columns.text.count(nasty) == 4
    items = pd.DataFrame({"text_a": [nasty], "text_b": [nasty]}, index=[nasty])
    tile = Tile(answers[0], (nasty,), tuple(spans(nasty)))
    apart = Seen(
        tiles_html([tile], looks([nasty]), lambda item: f"?item={item}", task=NLI, items=items)
    )
    assert apart.tags <= {*OURS, "a"}
    assert apart.attributes <= {"class", "style", "dir", "href", "target"}
    # Who, label, explanation, remark; the item's two texts and its name may be cut.
    assert apart.text.count(nasty) >= 4


def column_of(html, name):
    """The part of the columns that belongs to one annotator."""
    parts = html.split('<div class="capo-column">')[1:]
    return next(number for number, part in enumerate(parts) if f"<b>{name}</b>" in part)


def test_an_annotator_has_the_same_column_on_every_item():
    """Also where others did not annotate, and where somebody gave two labels."""
    known = looks(["ann", "bob", "cyd"])
    full = annotators_html([Answer(who, "yes", f"by {who}") for who in known], known)
    twice = [Answer("cyd", "yes", "one"), Answer("cyd", "no", "two")]
    sparse = annotators_html(twice, known)
    for html in (full, sparse):
        assert html.count('class="capo-column"') == 3
        assert [column_of(html, who) for who in known] == [0, 1, 2]
    assert sparse.count("did not annotate") == 2 and full.count("did not annotate") == 0
    assert sparse.index("one") < sparse.index("two")
    crowd = looks([f"w{n}" for n in range(MOST_COLUMNS + 1)])
    assert "capo-column" not in annotators_html([Answer("w3", "yes", "text")], crowd)


def test_equal_texts_of_an_annotator_are_one_tile_with_their_number():
    rows = pd.DataFrame(
        [
            ("ann", "neutral", "irrelevant", "i0", "ann"),
            ("ann", "neutral", " Irrelevant.", "i1", "ann"),
            ("bob", "neutral", "irrelevant", "i0", "ann"),
            ("ann", "neutral", "irrelevant", "i2", "bob"),
            ("ann", "entailment", "irrelevant", "i3", "ann"),
        ],
        columns=["annotator_id", "label", "explanation", "item_id", "predicted"],
    )
    assert [part["item_id"].tolist() for part in same_texts(rows)] == [
        ["i0", "i1", "i2"], ["i0"], ["i3"],
    ]  # fmt: skip
    assert [len(part) for part in same_texts(rows, "predicted")] == [2, 1, 1, 1]
    items = pd.DataFrame({"text_a": ["A dog."], "text_b": [""]}, index=["i0"])
    text = "It is a dog"
    tile = Tile(Answer("ann", "neutral", text), ("i0", *(f"i{n}" for n in range(8))),
                tuple(span for span in spans(text) if span.token == "dog"))  # fmt: skip
    html = tiles_html(
        [tile], looks(["ann"]), lambda item: f"annotators?item={item}", task=NLI, items=items
    )
    assert "×9" in html and 'It is a <span class="capo-input">dog</span>' in html
    assert "A dog." in html and '<a href="annotators?item=i0"' in html
    assert html.count("<a ") == 5 and "and 3 more" in html


def test_items_of_a_pair_are_those_on_which_the_two_differ():
    dataset = make("mine")
    by = dataset.annotations.set_index(["item_id", "annotator_id"])["label"]
    ids = dataset.items["item_id"].tolist()
    apart = [item for item in ids if by[item, "ann"] != by[item, "cyd"]]
    assert item_ids(dataset, Filter(pair=("ann", "cyd"))) == apart
    # Where anybody differs is more.
    assert set(apart) < set(item_ids(dataset, Filter(disagreement=True)))
    first, second = by[apart[0], "ann"], by[apart[0], "cyd"]
    cell = [i for i in ids if (by[i, "ann"], by[i, "cyd"]) == (first, second)]
    wanted = Filter(pair=("ann", "cyd"), pair_labels=(first, second))
    assert item_ids(dataset, wanted) == cell and set(cell) <= set(apart)


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=10))
def test_marking_changes_no_character(text, source, phrase):
    assert Seen(marked(text, (source,), phrase)).text == text


def test_grey_is_exactly_what_the_reduction_removes():
    text, inputs = "The dog isn't known to the Man, maybe.", ("A man walks the dog", "")
    grey = re.findall(r'<span class="capo-input">(.*?)</span>', marked(text, inputs))
    assert grey == [text[span.start : span.end] for span in input_spans(text, *inputs)]
    assert grey == ["The", "dog", "the", "Man"]


def test_a_phrase_is_found_as_whole_words_across_quotes_and_case():
    text = "It doesn’t say; it DOESN'T SAY so. It does not."
    assert [text[a:b] for a, b in find_phrase(text, "doesn't say")] == [
        "doesn’t say",
        "DOESN'T SAY",
    ]


def test_part_of_a_word_is_found_where_no_whole_word_is():
    assert find_phrase("unknowable", "know") == [(2, 6)]
    assert find_phrase("we know the unknowable", "know") == [(3, 7)]


def test_a_mark_over_grey_words_keeps_both():
    html = marked("the dog barks", ("dog",), "the dog")
    assert html == '<mark>the </mark><mark><span class="capo-input">dog</span></mark> barks'


def test_a_very_long_text_is_cut_and_says_so():
    html = marked("a" * (LONGEST + 1))
    assert html.startswith("a" * LONGEST) and "truncated" in html
    assert "truncated" not in marked("a" * LONGEST)


def test_an_absent_explanation_is_said_to_be():
    html = answers_html([Answer("1", "neutral", " ")], looks(["1"]))
    assert "no explanation<" in html
