"""Numbers and texts as people read them."""

from __future__ import annotations

import math

import pytest

from capo_core import formatting
from capo_core.dashboard.ui import text as ui_text
from capo_core.dashboard.ui.theme import OKABE_ITO, looks


def test_numbers_have_two_digits_and_an_interval():
    assert formatting.with_interval(0.5178, 0.499, 0.538) == "0.52 [0.50, 0.54]"
    assert formatting.with_interval(0.5, math.nan, math.nan) == "0.50"
    assert formatting.number(math.nan) == "undefined"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0009, "≤ 0.001"), (0.001, "≤ 0.001"), (0.0312, "0.031"), (0.52, "0.52")]
)
def test_p_values_do_not_pretend(p, text):
    assert formatting.p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "a few seconds"), (42, "40 s"), (170, "3 min"), (4800, "80 min"), (6000, "1 h 40 min")],
)
def test_durations_are_rounded(seconds, text):
    assert formatting.duration(seconds) == text


def test_counts_have_their_plural():
    assert formatting.count(1, "item") == "1 item"
    assert formatting.count(1933, "annotation") == "1,933 annotations"


def test_markdown_is_disarmed():
    text = "**a** $x$ [b](http://c) :smile: <i> `d` #e"
    shown = ui_text.markdown(text)
    for sign in "*$[]()<>`#":
        assert f"\\{sign}" in shown
    assert "\\:smile\\:" in shown
    # Behind a backslash Streamlit still makes a link of it; behind a word joiner it does not.
    assert ui_text.markdown("mia@uni.example") == "mia@\u2060uni\\.example"
    assert ui_text.markdown("a @ b") == "a @ b"


def test_each_annotator_has_a_look_of_their_own_beyond_the_palette():
    names = [str(number) for number in range(32)]
    found = looks(names)
    assert len({(look.color, look.symbol, look.dash) for look in found.values()}) == 32
    assert [found[name].color for name in names[:8]] == list(OKABE_ITO)
