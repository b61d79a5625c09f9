"""Texts of data have their own direction, whatever the language of the words around them."""

from capo_core.dashboard.ui.item_html import Answer, Tile, answers_html, item_html, tiles_html
from capo_core.task import NLI

ARABIC = "الطفل يغني في الحديقة."


def test_the_role_of_an_items_text_does_not_turn_it():
    # In a paragraph the first letter decides, and the role's is Latin: the text stands by itself.
    html = item_html(NLI, ARABIC, "b")
    assert f'<bdi dir="auto">{ARABIC}</bdi>' in html and "Premise" in html


def test_explanations_have_their_own_direction():
    answer = Answer("A", "neutral", ARABIC)
    for html in (
        answers_html([answer], {}),
        tiles_html([Tile(answer, ("i1",))], {}, lambda item: f"#{item}"),
    ):
        before = html[: html.index("الطفل")]
        assert before[before.rindex("<p") :].startswith('<p class="capo-text" dir="auto">')
