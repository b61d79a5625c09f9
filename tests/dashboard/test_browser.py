"""Items and explanations as HTML: escaped, greyed where the input speaks, marked where asked."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capo_core.dashboard.ui.item_html import (
    LONGEST,
    Answer,
    answers_html,
    find_phrase,
    item_html,
    marked,
)
from capo_core.dashboard.ui.theme import looks
from capo_core.task import NLI
from capo_core.text.tokens import input_spans

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></div><iframe src='//evil'>",
    "&lt;b&gt; &amp; <b>",
    "=HYPERLINK(1) $x^2$ :smile: [a](javascript:b)",
    "שלום עולם 🙂 \u202eabc",
]
OURS = {"p", "b", "div", "span", "mark"}


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
