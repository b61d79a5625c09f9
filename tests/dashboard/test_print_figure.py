"""Figures for print hold what the chart holds, at a column's width, and their own provenance."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from helpers.provenance import OF_NOBODY, provenance_in
from matplotlib import font_manager
from PIL import Image

from capo_core.dashboard import figures
from capo_core.dashboard.annotators import charts as annotators
from capo_core.dashboard.distributions import charts as distributions
from capo_core.dashboard.stability import charts as stability
from capo_core.dashboard.studies import charts as studies
from capo_core.dashboard.ui import exports, print_figure, typefaces
from capo_core.dashboard.ui.charts import blank
from capo_core.dashboard.ui.figure_data import figure_data
from capo_core.dashboard.ui.theme import looks
from capo_core.errors import ConfigError, DataError
from capo_core.export_formats import json_document
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.task import LabelScale

LOOK = looks(["0", "1"])
NLI = LabelScale(("entailment", "neutral", "contradiction"))


def ladder():
    rows = pd.DataFrame(
        [("words", name, k, value, value - 0.03, min(1.0, value + 0.03))
         for name, values in (("none", (0.52, 0.75)), ("mask_input", (0.6, 0.86)))
         for k, value in zip((1, 4), values, strict=True)],
        columns=["representation", "reduction", "k", "accuracy", "low", "high"],
    )  # fmt: skip
    return stability.ladder(
        rows.assign(chance=0.25, null_mean=0.25, null_high=0.28, p_value=0.001, n_items=500)
    )


def variance():
    rows = pd.DataFrame({"item": [0.48], "annotator": [0.012], "residual": [0.508],
                         "annotator_low": [0.009], "annotator_high": [0.015],
                         "n_items": [500]})  # fmt: skip
    return stability.variance(rows, ["Whole text"])


def confusion():
    labels = list(NLI.labels)
    counts = pd.DataFrame([[40, 1200, 3], [5, 60, 9], [1, 7, 30]], index=labels, columns=labels)
    return annotators.confusion(counts, "ann", "a<b> & c", dark=True)


def accuracy():
    rows = pd.DataFrame({"source": ["human", "capo"], "value": [0.66, 0.7], "low": [0.6, 0.62],
                         "high": [0.72, 0.78], "n": 100, "chance": 0.25})  # fmt: skip
    return studies.accuracy(rows, studies.looks(["human", "capo"], dark=True), 0.66)


def triangle():
    figure, at = distributions.triangle(NLI), np.array([[0.4, 0.2], [0.5, 0.4]])
    distributions.arrows(figure, at, at + 0.1, "#8A8F94")
    distributions.points(figure, at, ["i", "j"], np.arange(2), name="crowd", look=LOOK["0"])
    return figure


def bars():
    low, mean, high = np.array([[0.25, 0.45, 0.15], [0.3, 0.5, 0.2], [0.35, 0.55, 0.25]])
    return distributions.bars(NLI, [("crowd", LOOK["0"], mean, low, high)])


KINDS = [ladder, variance, confusion, accuracy, triangle, bars, lambda: blank(300)]


def printed(figure, kind="svg", width="one column", title="A $title$ & more", bare=False):
    return print_figure.printed(
        figure, kind, width, title=title, caption="What is drawn.", provenance=OF_NOBODY, bare=bare
    )


@pytest.mark.parametrize("width", print_figure.WIDTHS)
@pytest.mark.parametrize("make", KINDS)
def test_every_chart_is_drawn_as_wide_as_a_column(make, width):
    picture = Image.open(io.BytesIO(printed(make(), "png", width)))
    inches = print_figure.WIDTHS[width]
    assert abs(picture.width - 300 * inches) <= 1
    assert picture.height < 300 * 1.6 * inches + 300
    assert picture.getpixel((0, 0))[:3] == (255, 255, 255)  # light, whatever the page is
    assert len(picture.convert("L").getcolors()) > 20  # something is drawn


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("kind", print_figure.MIME_TYPES)
def test_a_printed_figure_says_where_it_comes_from(kind, bare):
    assert provenance_in(printed(ladder(), kind, bare=bare), kind).line == OF_NOBODY.line


def test_a_bare_figure_has_title_and_provenance_beside_it_only():
    full, bare = (printed(ladder(), title="Words tell", bare=each) for each in (False, True))
    for words in ("Words tell (simulated data)", "What is drawn.", f"CAPO Lab {OF_NOBODY.version}"):
        assert words in texts(full) and words not in texts(bare), words
    assert "Input words masked" in texts(bare) and "chance 25\u00a0%" in texts(bare)
    assert b"<dc:title>Words tell (simulated data)</dc:title>" in bare
    heights = [float(re.search(rb'height="([\d.]+)pt"', each)[1]) for each in (full, bare)]
    assert heights[1] < heights[0] - 20  # no empty room where they stood
    caption = print_figure.caption_file("Words tell", "What is drawn.", OF_NOBODY)
    assert caption.startswith("Words tell (simulated data). What is drawn.")
    assert caption.endswith(f"\n{OF_NOBODY.line}\n")


def test_a_printed_figure_is_the_same_in_light_and_dark():
    labels = list(NLI.labels)
    counts = pd.DataFrame(np.eye(3, dtype=int), index=labels, columns=labels)
    light, dark = (annotators.confusion(counts, "a", "b", dark=dark) for dark in (False, True))
    assert printed(light, "png") == printed(dark, "png")


def texts(svg: bytes) -> str:
    """What is written in a figure: Matplotlib names each text in a comment of the file."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg.decode()))


def test_title_axes_legend_ticks_notes_and_caption_are_written():
    said = texts(printed(ladder(), title="Words tell"))
    for each in ("Words tell (simulated data)", "Explanations pooled (k)", "Attribution accuracy",
                 "Input words masked", "Whole text", "chance 25\u00a0%", "What is drawn.",
                 "80\u00a0%"):  # fmt: skip
        assert each in said, each
    assert "1.2\u00a0% [0.9–1.5]" in texts(printed(variance()))
    said = texts(printed(confusion()))
    assert "1,200" in said and "Label by a&lt;b&gt; &amp; c" in said


def test_text_of_data_is_no_formula():
    assert "$title$" in texts(printed(ladder()))


def test_a_printed_figure_names_no_address_but_of_its_format():
    for address in re.findall(r"https?://[^\"'<> ]+", printed(ladder()).decode()):
        assert re.match(r"http://(www\.w3\.org|purl\.org|creativecommons\.org/ns)", address)


def test_letters_have_a_typeface_or_the_figure_says_that_none_has_them(monkeypatch):
    usual = typefaces.typefaces("aé")
    assert usual == (["DejaVu Sans"], set())
    entries = font_manager.fontManager.ttflist
    serif = next(each for each in entries if each.name == "DejaVu Serif")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [serif])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    assert typefaces.typefaces("a不") == (["DejaVu Sans"], {"不"})
    monkeypatch.setattr(typefaces, "_codes",
                        lambda path: {ord("不")} if "Serif" in path else {ord("a")})  # fmt: skip
    assert typefaces.typefaces("a不") == (["DejaVu Sans", "DejaVu Serif"], set())
    monkeypatch.undo()
    usual = [each for each in entries if each.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", usual)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    figure = ladder()
    for bare in (False, True):  # also in a figure without a caption
        figure.data[0].name = "不"
        said = " ".join(texts(printed(figure, bare=bare)).split())
        assert "boxes stand for CJK letters" in said and "install Noto Sans CJK" in said
        figure.data[0].name = "é"
        assert "boxes" not in texts(printed(figure, bare=bare))
    # What is written on the screen only is no letter of the figure.
    figure.data[0].update(hovertext="不")
    assert "boxes" not in texts(printed(figure))
    assert typefaces.missing_typefaces("कকก→").startswith(
        "boxes stand for Bengali, Devanagari, Thai and other letters"
    )


def test_a_font_that_was_just_installed_is_used(monkeypatch):
    manager = font_manager.fontManager
    serif = next(each for each in manager.ttflist if each.name == "DejaVu Serif")
    monkeypatch.setattr(manager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [serif.fname, "/no/font.ttf"])
    codes = {serif.fname: {ord("不")}}
    monkeypatch.setattr(typefaces, "_codes", lambda path: codes.get(path, {ord("a")}))
    monkeypatch.setattr(font_manager, "findfont", lambda name: "sans")
    assert typefaces.typefaces("a不") == (["DejaVu Sans", "DejaVu Serif"], set())


def test_data_of_a_ladder_are_its_numbers_under_the_axes_names():
    data = figure_data(ladder())
    assert list(data) == ["series", "Explanations pooled (k)", "Attribution accuracy",
                          "Attribution accuracy, low", "Attribution accuracy, high"]  # fmt: skip
    masked = data[data["series"] == "Input words masked"]
    assert masked["Explanations pooled (k)"].tolist() == [1, 4]  # not where the mark stands
    assert masked["Attribution accuracy"].tolist() == [0.6, 0.86]
    assert masked["Attribution accuracy, low"].tolist() == pytest.approx([0.57, 0.83])


def test_data_of_a_matrix_have_a_row_a_cell():
    data = figure_data(confusion())
    assert len(data) == 9 and list(data)[:2] == ["Label by ann", "Label by a<b> & c"]
    assert data.iloc[1].tolist() == ["entailment", "neutral", 1200.0]


def test_data_of_bars_and_of_an_empty_figure():
    data = figure_data(bars())
    assert data["mean probability of the label"].tolist() == [0.3, 0.5, 0.2]
    assert data["x"].tolist() == list(NLI.labels)
    assert figure_data(blank(300)).empty


def test_a_caption_says_result_content_data_and_n():
    source = OF_NOBODY.but(n=(("item", 500), ("annotator", 4)))
    assert print_figure.caption_of("Words tell", "Accuracy by k.", source) == (
        "Words tell (simulated data). Accuracy by k. Data: made; 500 items, 4 annotators."
    )


def test_the_interactive_page_has_no_foreign_address_and_no_upload():
    page = exports.figure_page(ladder(), "f", OF_NOBODY)
    assert not set(re.findall(r"https?://(?!www\.w3\.org)[\w.-]+", page))
    assert re.search(r'plotlyServerURL:\{valType:"string",dflt:""', page)
    assert '"modeBarButtonsToRemove": ["toImage", "sendChartToCloud"' in page


@pytest.fixture(scope="module")
def report():
    """A small stability report, simulated."""
    made = simulate(SimulationConfig(items=60, style=1.5, seed=1)).dataset
    config = StabilityConfig(
        representations=("words",), reductions=("none", "mask_input"), pool=(1, 4), permutations=0,
    )  # fmt: skip
    return compute_report(made, config)[0]


def test_figures_of_a_saved_report_are_files_with_their_data(report, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json_document(report.to_dict(), report.provenance))
    made = figures.write(path, tmp_path / "f", ["svg"], ["one column"])
    names = {each.name for each in made}
    assert {"ladder-words.svg", "ladder-words-data.csv", "ladder-words-caption.txt",
            "variance-words.svg"} <= names  # fmt: skip
    assert all(each.stat().st_size for each in made)
    assert stability.ladder_title(report.ladder.to_frame())[:20] in texts(
        (tmp_path / "f" / "ladder-words.svg").read_bytes()
    )
    bare = figures.write(path, tmp_path / "f", ["svg"], ["one column"], bare=True)
    pictures = {each.name for each in bare if each.suffix == ".svg"}
    assert "ladder-words-bare.svg" in pictures and not pictures & names  # no form hides the other
    for each in made:
        found = provenance_in(each.read_bytes(), each.suffix[1:])
        assert found.fingerprint[:16] == report.fingerprint[:16] and found.simulated


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_file_that_is_no_report_is_told(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match="no report"):
        figures.write(tmp_path / "r.json", tmp_path / "f", ["pdf"], ["one column"])


def test_an_unknown_kind_is_told(tmp_path):
    with pytest.raises(ConfigError, match="gif"):
        figures.write(tmp_path / "r.json", tmp_path / "f", ["gif"], ["one column"])


def test_the_interactive_page_has_title_and_caption_in_its_body():
    page = exports.figure_page(
        ladder(),
        "f",
        OF_NOBODY.but(n=(("judgment", 72),)),
        title="A <b> wins",
        caption="Whiskers: 95 %.",
    )
    body = page.split("<body>", 1)[1]
    assert "<title>A &lt;b&gt; wins" in page and ">A &lt;b&gt; wins" in body.partition("</h1>")[0]
    assert "Whiskers: 95 %. " in body and "72 judgments." in body
