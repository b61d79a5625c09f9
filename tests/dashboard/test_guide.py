"""The guide: every document is there, its pictures too, and its links stay in the guide."""

import re

import plotly.graph_objects as go
import pytest
from PIL import Image

from capo_core.dashboard.guide import gallery
from capo_core.dashboard.guide.documents import DOCUMENTS, Heading, Picture, contents, parts
from capo_core.dashboard.ui.charts import blank
from capo_core.dashboard.ui.figure_kinds import all_kinds, figure_kind, kind_of
from capo_core.errors import DataError
from capo_core.provenance import SIMULATED, Provenance


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_texts_and_pictures_and_links_that_lead_somewhere(name):
    found = parts(name)
    texts = [part for part in found if isinstance(part, str)]
    assert texts
    for picture in found:
        if isinstance(picture, Picture):
            assert picture.path.is_file() and picture.alt
    text = "\n".join(texts)
    assert not re.search(r"^#+ ", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        inside = re.fullmatch(r"(?:guide\?doc=([\w-]+)(?:&at=)?|#)([\w-]+)?", target)
        assert inside or target.startswith("https://"), target
        if inside and inside[2]:
            assert inside[2] in anchors(inside[1] or name), target


def anchors(name: str) -> list[str]:
    assert name in DOCUMENTS
    return [part.anchor for part in parts(name) if isinstance(part, Heading)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_contents_lead_to_every_heading(name):
    found = anchors(name)
    assert len(set(found)) == len(found)
    listed = contents(parts(name))
    assert re.findall(r"\]\(#([^)]+)\)", listed) == (found if listed else [])
    assert listed.startswith("- [")  # each of these documents is long


def test_the_guide_has_a_figure_of_every_kind_that_pages_show():
    kinds = all_kinds()
    pictures = [part for part in parts("figures") if isinstance(part, Picture)]
    pages = list(gallery._PAGES)
    order = sorted(kinds.values(), key=lambda kind: (pages.index(kind.page), kind.name))
    assert [each.path.name for each in pictures] == [f"figure-{kind.name}.png" for kind in order]
    for each in pictures:
        with Image.open(each.path) as picture:
            found = Provenance.from_line(picture.text["Description"])
            assert found.simulated and picture.width == 454


def test_figures_for_print_are_had_in_every_form(tmp_path):
    figure = blank(200).add_scatter(x=[1, 2], y=[1, 2])
    shot = gallery.Shot(figure, "Title", "Caption.", Provenance("", "", SIMULATED))
    gallery.write_for_print({"one": shot}, tmp_path / "print")
    found = {path.name: path.read_bytes() for path in (tmp_path / "print").iterdir()}
    assert set(found) == {"one.pdf", "one.svg", "one.png", "one-bare.pdf", "one.txt"}
    assert found["one.pdf"].startswith(b"%PDF") and b"<svg" in found["one.svg"]


def test_a_figure_of_no_kind_is_not_shown_and_a_name_is_taken_once():
    with pytest.raises(ValueError, match="figure_kind"):
        kind_of(blank(100))
    name = next(iter(all_kinds()))
    with pytest.raises(ValueError, match=name):
        figure_kind(name, "Again")(lambda: go.Figure())


def test_a_missing_document_says_so(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        parts("methods", tmp_path)


@pytest.mark.parametrize("words", [[], ["a", "b", "c", "d"]])
def test_the_gallery_takes_no_folder_for_a_workspace_unasked(words, monkeypatch):
    monkeypatch.setattr(gallery, "all_shots", lambda _: pytest.fail("it began"))
    with pytest.raises(SystemExit, match=r"usage: .* WORKSPACE"):
        gallery.main(words)
