"""The report: known methods at known places, words for what is undefined, files that come back."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.evaluation_tables import CONFIG, VIEW, copies, made_up_vectors
from markupsafe import escape

from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation import export
from capo_core.evaluation.cells import score_cells
from capo_core.evaluation.compute import compute_report
from capo_core.evaluation.measures.registry import SCORED, find_measure
from capo_core.evaluation.paragraph import latex
from capo_core.evaluation.report import EvaluationReport, load, save
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items
from capo_core.evaluation.table import ALL
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.text.embeddings import Embedder


@pytest.fixture(scope="module", params=["nli", "paraphrase"])
def world(request):
    made = simulate(
        SimulationConfig(task=request.param, items=200, annotators=3, style=1.5, seed=5)
    )
    return assign_splits(made.dataset, seed=1)


@pytest.fixture(scope="module")
def report(world):
    ids = held_out_items(world)
    after = dict(zip(world.annotators, (*world.annotators[1:], world.annotators[0]), strict=True))
    before = {theirs: who for who, theirs in after.items()}
    n = len(ids)
    mute = [
        Stream("mute", t, "0", np.arange(n), ("",) * n, ("",) * n) for t in world.annotators[:2]
    ]
    parrot = [
        Stream("parrot", t, "0", np.arange(n), (label,) * n, ("well, that is how it is",) * n)
        for t, label in zip(world.annotators, world.task.scale.labels, strict=False)
    ]
    outputs = [
        *copies(world, ids, "copy", lambda t: t),
        *copies(world, ids, "wrong person", after.get),
        *copies(world, ids, "other wrong person", before.get),
        *parrot,
        *mute,
    ]
    return compute_report(world, ids, outputs, CONFIG, embedder=Embedder(encode=made_up_vectors))


def test_a_copy_of_the_target_is_at_the_ceiling_in_every_measure(report):
    rows = report.scores[(report.scores["source"] == "copy")]
    assert set(rows["family"]) == set(SCORED)
    with_ceiling = rows[rows["ceiling"].notna()]
    np.testing.assert_allclose(with_ceiling["value"], with_ceiling["ceiling"], atol=1e-9)
    texts = rows[rows["family"] == "explanations"]
    np.testing.assert_allclose(texts["value"], 1.0, atol=1e-6)
    apart = report.differences.query("source == 'copy' and against == @HUMAN")
    assert (apart["verdict"] == "undecided").all() and (apart["p"] == 1).all()


def test_copies_of_another_annotator_are_at_the_floor(report):
    """Averaged over targets and both other people, the floor is the mean of two such copies."""
    rows = report.scores.query("source == 'wrong person' and target == @ALL")
    compared = 0
    for row in rows[rows["floor"].notna()].itertuples():
        if find_measure(row.measure).of.floor_source != OTHER:
            continue
        second = report.row("other wrong person", row.measure, row.k)
        assert (row.value + second.value) / 2 == pytest.approx(row.floor, abs=1e-9), row.measure
        compared += 1
    assert compared >= 14


def test_what_is_undefined_is_said_in_words(report, world):
    scores = report.scores
    undefined = scores[scores["value"].isna()]
    assert (undefined["note"].str.len() > 20).all() and (undefined["n"] == 0).all()
    assert (scores[scores["value"].notna()]["note"] == "").all()
    assert "no second one by the target" in report.row(HUMAN, "ROUGE-L").note
    assert "all annotators together" in report.row(OTHER, "Manhattan distance").note
    assert "in the place of every annotator" in report.row("mute", "Manhattan distance").note
    assert "no explanation" in report.row("mute", "style distance").note
    # Each source has the same rows, defined or not.
    counts = scores[scores["target"] == ALL].groupby("source").size()
    assert counts.nunique() == 1
    assert report.row("mute", "label accuracy").value == 0
    assert report.row("mute", VIEW.name, 1).value == 0
    assert report.row("mute", VIEW.measure_name("probability"), 1).value == 0


def test_measures_fit_the_scale(report, world):
    names = set(report.scores["measure"])
    ordinal = {"label error", "LeWiDi absolute distance", "Wasserstein distance"}
    nominal = {"LeWiDi error rate", "LeWiDi Manhattan distance"}
    here, not_here = (ordinal, nominal) if world.task.scale.ordinal else (nominal, ordinal)
    assert here <= names and not (not_here & names)


def test_chance_is_the_majority_label_and_one_in_three(report, world):
    assert report.row("copy", VIEW.name, 1).chance == pytest.approx(1 / 3)
    ids = held_out_items(world)
    split = world.items.set_index("item_id")["split"]
    shares = []
    for who in world.annotators[:2]:  # whom all methods imitate: "mute" answers for two only
        rows = world.annotations[world.annotations["annotator_id"] == who]
        label = rows[rows["item_id"].map(split) == "train"]["label"].mode()[0]
        own = rows[rows["item_id"].isin(ids)].groupby("item_id")["label"].agg(set)
        shares.append(np.mean([label in mine for mine in own]))
    assert report.row("copy", "label accuracy").chance == pytest.approx(np.mean(shares))
    assert report.row("copy", "kappa").chance == pytest.approx(0)


def test_repeating_oneself_shows_and_is_said(report):
    assert report.row("parrot", "self-similarity").value == pytest.approx(1, abs=1e-5)
    assert report.row("parrot", "distinct-2", 8).value == pytest.approx(1 / 8)
    said = {s.topic: s.text for s in report.statements}
    assert "parrot" in said["diversity"] and "copy" not in said["diversity"]
    assert "copy is nearest to its targets" in said["headline"]
    assert (
        "not significantly different (0 points on every item) from the target" in said["headline"]
    )
    assert f"mute, readable answers: 0 of {2 * report.n_items}" in said["unread"]
    assert "C is imitated by some methods only" in said["left out"]
    assert "caricature" not in said


def test_the_report_comes_back_from_disk(report, tmp_path):
    path = tmp_path / "deep" / "report.json"
    save(report, path)
    again = load(path)
    assert again.to_dict() == report.to_dict()
    assert isinstance(again, EvaluationReport) and again.config == report.config
    pd.testing.assert_frame_equal(again.scores, report.scores, check_dtype=False)
    assert again.row("copy", "label accuracy").value == 1


def test_a_damaged_report_is_told(tmp_path):
    for text in ("{", "[]", '{"format": 99}', '{"format": 1}'):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(DataError, match="evaluat"):
            load(tmp_path / "r.json")
    with pytest.raises(DataError):
        load(tmp_path / "nowhere.json")


def test_exports_hold_every_row(report, tmp_path):
    csv = pd.read_csv(export.write(report, tmp_path / "r.csv"), keep_default_na=True)
    assert len(csv) == len(report.scores)
    np.testing.assert_allclose(csv["value"], report.scores["value"])
    lines = [json.loads(x) for x in export.write(report, tmp_path / "r.jsonl").open()]
    away = report.human_distance
    tables = (report.scores, report.differences, away.distances, away.contrasts)
    assert len(lines) == sum(map(len, tables)) and all(map(len, tables))
    named = {line["table"] for line in lines}
    assert named == {"scores", "differences", "distances", "contrasts"}
    assert load(export.write(report, tmp_path / "r.json")).to_dict() == report.to_dict()
    with pytest.raises(ConfigError, match=r"r\.pdf"):
        export.write(report, tmp_path / "r.pdf")


def test_the_table_for_a_paper_has_the_cells_of_the_page(report, tmp_path):
    text = export.write(report, tmp_path / "r.tex").read_text()
    assert text.startswith("% CAPO Lab") and "\\toprule" in text and "\\bottomrule" in text
    rows = [line.removesuffix(r" \\\\").split(" & ") for line in text.splitlines() if " & " in line]
    spans = [
        sum(int(re.match(r"\\multicolumn\{(\d+)\}|()", cell)[1] or 1) for cell in row)
        for row in rows
    ]
    assert len(set(spans)) == 1
    by_name = {row[0]: row for row in rows}
    copy = score_cells(report, "label accuracy", 0).values["copy"]
    assert by_name["copy"][1].replace("\\textbf{", "").rstrip("}") == copy.replace("–", "--")
    assert rows[-1][0] == "n" and "Simulated" in text


def test_no_two_columns_of_the_main_scores_have_one_title(report):
    columns = export.main_scores(report).columns
    assert len(set(columns)) == len(columns)
    assert any(title.endswith(", by word n-grams") for title in columns)


def test_text_of_data_does_nothing_in_latex(report):
    text = export.to_latex(replace(report, dataset="a_b & \\input{x} %"))
    caption = next(line for line in text.splitlines() if line.startswith("\\caption"))
    assert r"a\_b \& \textbackslash{}input\{x\} \%" in caption


def test_the_page_stands_alone_and_escapes(report, tmp_path):
    odd = replace(report, dataset="<script>alert(1)</script>")
    html = export.to_html(odd)
    assert "<script" not in html and "&lt;script&gt;" in html
    assert not re.search(r"(src|href)\s*=|@import|url\(", html)
    assert "default-src 'none'" in html and "no human wrote this" in html
    for name in dict.fromkeys(report.scores["measure"]):
        assert name in html
    assert html.count("<svg") == 1 and "undefined: " in html
    for source in report.sources:
        assert str(escape(export.source_name(source.name))) in html


def test_the_methods_paragraph_has_seeds_and_n_and_is_safe_in_latex(report):
    text, tex = report.methods["text"], report.methods["latex"]
    assert f"{report.n_items} test items" in text and "Seed of the evaluation: 0" in text
    assert f"copy: {3 * report.n_items} answers" in text
    assert f"mute: {2 * report.n_items} answers in the place of 2 annotators" in text
    assert "mask\\_input" in tex and "95 \\% and" in tex and tex.isascii()
    assert latex("a_b & 5% {x} ~ κ") == r"a\_b \& 5\% \{x\} \textasciitilde{} $\kappa$"


def test_the_headline_compares_with_the_annotators_that_are_imitated(world):
    """One annotator is imitated: the human's level is theirs, not the mean of all."""
    ids = held_out_items(world)
    only = [one for one in copies(world, ids, "copy", lambda target: target) if one.target == "A"]
    config = replace(CONFIG, families=("attribution",))
    report = compute_report(world, ids, only, config)
    own = report.row(HUMAN, VIEW.name, 1, "A").value
    others = report.row(OTHER, VIEW.name, 1, "A").value
    headline = next(one for one in report.findings if one.claim == "headline")
    assert headline.values["human"] == own == headline.values["methods"][0]["value"]
    assert headline.values["floor"] == pytest.approx(others)
    # Table rows, differences and the headline are over the same annotator.
    assert report.row(HUMAN, VIEW.name, 1).value == own
    assert report.row(OTHER, VIEW.name, 1).value == pytest.approx(others)
    assert report.row("copy", VIEW.name, 1).ceiling == own
    apart = report.difference("copy", HUMAN, VIEW.name, 1)
    assert apart.value == 0 and apart.verdict == "undecided"
