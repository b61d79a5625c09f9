"""Answers of methods as HTML: escaped, greyed, and marked where the target wrote otherwise."""

from __future__ import annotations

import re

import pytest

from capo_core.dashboard.compare.items import Shown, answers_html, different, set_text
from capo_core.dashboard.ui.item_html import LONGEST
from capo_core.dashboard.ui.theme import Look

LOOK = Look("#123456", "circle", "solid")


def words_marked(text: str, *targets: str) -> list[str]:
    return [text[start:end] for start, end in different(text, targets)]


@pytest.mark.parametrize(
    ("text", "targets", "marked"),
    [
        ("the dog runs", ["the dog runs"], []),
        ("The DOG runs!", ["the dog runs"], []),  # case and punctuation are no difference
        ("the cat runs", ["the dog runs"], ["cat"]),
        # In order: of two words that changed places, one has moved.
        ("runs the dog", ["the dog runs"], ["runs"]),
        ("nothing alike", ["the dog runs"], ["nothing", "alike"]),
        # The nearest of several texts counts.
        ("a cat sleeps", ["the dog runs", "a cat sat"], ["sleeps"]),
        ("anything", [""], ["anything"]),
        ("", ["the dog"], []),
    ],
)
def test_what_the_target_did_not_write(text, targets, marked):
    assert words_marked(text, *targets) == marked


def test_words_of_the_item_and_differences_may_meet():
    html = set_text("the dog barks", inputs=("A dog is here", ""), targets=("the dog runs",))
    assert html == (
        'the <span class="capo-input">dog</span> <span class="capo-differs">barks</span>'
    )
    both = set_text("dog", inputs=("A dog is here", ""), targets=("cat",))
    assert both == '<span class="capo-input capo-differs">dog</span>'


def test_nothing_is_marked_where_nothing_is_asked():
    assert set_text("the dog") == "the dog"


def test_everything_from_the_data_is_escaped():
    evil = "<script>alert('&')</script>"
    shown = Shown(evil, LOOK, evil, evil, told=evil, raw=evil)
    html = answers_html([shown], inputs=(evil,), targets=("another", evil))
    assert "<script" not in html and "&lt;" in html
    tags = set(re.findall(r"</?(\w+)", html))
    assert tags == {"div", "p", "b", "span"}


def test_the_targets_own_text_is_never_marked():
    own = Shown("ann", LOOK, "neutral", "the dog", target=True)
    html = answers_html([own], targets=("another text",))
    assert "capo-differs" not in html and "capo-target" in html


def test_long_texts_are_cut_and_say_so():
    html = set_text("word " * LONGEST, targets=("word",))
    assert len(html) < 12 * LONGEST and "cut here" in html


def test_what_could_not_be_read_is_shown_as_it_was_written():
    html = answers_html([Shown("icl", LOOK, "", "", told="Could not be read.", raw="Hm\n\nno")])
    assert "no explanation" in html and "Hm\n\nno" in html
