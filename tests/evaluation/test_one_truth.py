"""What was seen to be false on screens and in files, once each: the kinds are in test_claims."""

import json
import math
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import run
from helpers.comparisons import world as small_world
from helpers.evaluation_tables import VIEW, copies
from rich.console import Console

from capo_core.cli import evaluate as command
from capo_core.dashboard.compare import scores as page
from capo_core.data.catalog import Catalog
from capo_core.data.splits import assign_splits
from capo_core.evaluation import export
from capo_core.evaluation.claims import findings
from capo_core.evaluation.compute import compute_report
from capo_core.evaluation.imitation_statement import brief_statement
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.statement_parts import interval_text
from capo_core.evaluation.streams import (
    HUMAN,
    OTHER,
    MethodOutputs,
    Stream,
    held_out_items,
    human_streams,
    method_streams,
)
from capo_core.evaluation.summary import brief, statements, titled
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.findings import UNDECIDED, Finding
from capo_core.formatting import Named, points_interval, rate, readable_answers
from capo_core.imitation.generation.outputs import read_table
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stats.agreement import agreement, pair_agreement
from capo_core.stats.bootstrap import ResampledScore
from capo_core.text.tokens import tokens
from capo_core.workspace import Workspace

CONFIG = TableConfig(views=(VIEW,), pool=(1,), families=("labels", "attribution"))


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(items=90, annotators=4, style=1.2, second_labels=0.2, seed=5))
    return assign_splits(made.dataset, seed=1)


def imitations(world, ids, target="A"):
    """Methods that imitate one annotator: itself, its neighbour, and its most typical words."""
    rows = world.annotations
    split = world.items.set_index("item_id")["split"]
    rows = rows[rows["item_id"].map(split) == "train"]
    said = rows.assign(words=[set(tokens(text)) for text in rows["explanation"]])
    mine = said["annotator_id"] == target
    own_share = said[mine].explode("words")["words"].value_counts() / mine.sum()
    others = said[~mine].explode("words")["words"].value_counts() / (~mine).sum()
    excess = own_share.sub(others, fill_value=0).sort_values()
    most = " ".join(word for word in excess.index[-8:] if word.isalpha())
    own = copies(world, ids, "sft", lambda who: who)
    other = copies(world, ids, "zero_shot", lambda who: "B" if who == "A" else "A")
    n = len(ids)
    typical = Stream("capo", target, "0", np.arange(n), ("neutral",) * n, (most,) * n)
    return [*(s for s in (*own, *other) if s.target == target), typical]


@pytest.fixture(scope="module")
def report(world):
    ids = held_out_items(world)
    return compute_report(world, ids, imitations(world, ids), replace(CONFIG, pool=(1, 4)))


def digits(text):
    return re.findall(r"[<>]?−?\d+\.\d+", text)


def test_baselines_of_one_imitated_annotator_are_that_annotator_s_everywhere(report, world):
    """Finding 1: the page said .66 for the ceiling, its report .76, the mean over A to D."""
    ids = held_out_items(world)
    people = [s for s in human_streams(world, ids) if s.source == HUMAN and s.target == "A"]
    only = compute_report(world, ids, [replace(people[0], source="m", replicate="0")], CONFIG)
    expected = only.row("m", VIEW.name, 1).value  # the score of A's own texts
    assert report.row(HUMAN, VIEW.name, 1).value == pytest.approx(expected)
    out = StringIO()
    Console(file=out, width=400).print(
        command._score_table(report, ALL, export.provenance_of(report))
    )
    html = export.to_html(report)
    for measure, k in ((VIEW.name, 1), (VIEW.name, 4), ("label accuracy", 0)):
        grid = page.score_grid(report, [page.Column(measure, k)], ALL)
        own = page.score_grid(report, [page.Column(measure, k)], "A")
        pd.testing.assert_frame_equal(grid, own)
        line = next(
            row for row in out.getvalue().splitlines()
            if row.lstrip().startswith(measure) and (not k or f" {k} " in row.split(measure)[1][:6])
        )  # fmt: skip
        for source in (HUMAN, OTHER, "sft"):
            assert grid[f"{measure}@{k}"][source] in line
        ceiling, floor = report.row("sft", measure, k)[["ceiling", "floor"]]
        for value, source in ((ceiling, HUMAN), (floor, OTHER)):
            shown = grid[f"{measure}@{k}"][source].split(" ")[0]
            assert f"<td class=n>{shown.replace('<', '&lt;').replace('>', '&gt;')}</td>" in html
            assert digits(shown) == digits(f"{value:.2f}") or shown[0] in "<>"
    apart = report.difference("sft", HUMAN, VIEW.name, 1)
    assert apart.value == pytest.approx(
        report.row("sft", VIEW.name, 1).value - report.row(HUMAN, VIEW.name, 1).value
    )


def test_sentences_of_all_and_of_the_one_annotator_are_the_same(report):
    whole = {s.topic: titled(s) for s in statements(report)}
    alone = {s.topic: titled(s) for s in statements(report, "A")}
    assert whole["headline"] == alone["headline"] and whole["label"] == alone["label"]


def test_the_highest_is_not_the_nearest(report):
    """Finding 9: the headline crowned the method beyond the human; nearest is who is nearest."""
    found = findings(report)[0]
    capo = next(m for m in found.values["methods"] if m["method"].key == "capo")
    assert capo["value"] == max(m["value"] for m in found.values["methods"])
    assert found.values["methods"][0]["method"].key == "sft"
    assert capo["level"] == "overshoot" and capo["order"] == "further"
    text = titled(statements(report)[0])
    assert "SFT is nearest to its target:" in text
    assert re.search(r"CAPO \(\d+\u00a0%, \d+ points \[\d+–\d+\] beyond", text)
    assert titled(brief(report)).startswith("Of 3 methods, SFT is nearest to its target: ")


def test_few_texts_are_counted_and_have_no_decimals(world):
    """Finding 9: "100 % [76–100]", "over 99.9 %" on 12 texts."""
    ids = held_out_items(world)[:12]
    people = {s.target: s for s in human_streams(world, ids) if s.source == HUMAN}
    report = compute_report(world, ids, [replace(people["A"], source="m", replicate="0")], CONFIG)
    n = len(people["A"])
    text = titled(statements(report)[0])
    assert f" of {n} texts [" in text and not re.search(r"\d\.\d+\u00a0?%", text)
    assert "not significantly different (0 points" in text and "indistinguishable" not in text


def test_an_annotator_whom_one_method_lacks_is_in_no_mean(world):
    """Finding 1, with a method that is missing: a mean over A to C beside one over A to D."""
    ids = held_out_items(world)
    whole = copies(world, ids, "sft", lambda who: who)
    part = [s for s in copies(world, ids, "capo", lambda who: who) if s.target != "D"]
    report = compute_report(world, ids, [*whole, *part], CONFIG)
    assert report.targets == ("A", "B", "C")
    for source in ("sft", "capo", HUMAN, OTHER):
        single = [report.row(source, VIEW.name, 1, t).value for t in "ABC"]
        assert report.row(source, VIEW.name, 1).value == pytest.approx(np.mean(single))
    said = {s.topic: titled(s) for s in statements(report)}
    assert "D is imitated by some methods only" in said["left out"]
    assert "over A, B and C, whom every method imitates" in report.methods["text"]
    # Nobody is imitated by both: there is no mean, and it is said.
    apart = [s for s in whole if s.target == "A"], [s for s in part if s.target == "B"]
    report = compute_report(world, ids, [*apart[0], *apart[1]], CONFIG)
    assert report.targets == () and math.isnan(report.row("sft", VIEW.name, 1).value)
    assert "no annotator is imitated by every method" in report.row("sft", VIEW.name, 1).note
    assert "no annotator is imitated by every method" in titled(statements(report)[0])
    assert report.row("sft", VIEW.name, 1, "A").value > 0


def test_an_earlier_report_is_put_right_where_its_rows_allow(report, world):
    """Its rows ALL averaged people over all annotators; those of one target are the truth."""
    ids = held_out_items(world)
    everybody = compute_report(world, ids, copies(world, ids, "x", lambda who: who), CONFIG)
    raw = json.loads(json.dumps(report.to_dict()))
    del raw["targets"], raw["findings"]
    wrong = everybody.row(HUMAN, VIEW.name, 1).value
    for row in raw["scores"]:
        if row["target"] == ALL and row["measure"] == VIEW.name and row["k"] == 1:
            row["ceiling"] = wrong
            if row["source"] == HUMAN:
                row["value"] = wrong
    for row in raw["differences"]:
        if row["target"] == ALL and row["against"] == HUMAN:
            row["value"] += 0.1
    old = EvaluationReport.from_dict(raw)
    assert old.targets == ("A",)
    assert old.row(HUMAN, VIEW.name, 1).value == report.row(HUMAN, VIEW.name, 1).value
    assert old.difference("sft", HUMAN, VIEW.name, 1).value == pytest.approx(
        report.difference("sft", HUMAN, VIEW.name, 1).value
    )
    said = [titled(s) for s in statements(old) if s.topic in ("headline", "label", "caricature")]
    assert said == [
        titled(s) for s in statements(report) if s.topic in ("headline", "label", "caricature")
    ]


def test_label_distributions_that_nobody_has_are_no_tab(world):
    """Finding 31: "choose all of them" beside a choice with one entry."""
    ids = held_out_items(world)
    config = replace(CONFIG, families=("labels", "soft"))
    alone = compute_report(world, ids, imitations(world, ids)[:1], config)
    assert "soft" not in page.families(alone)
    every = compute_report(world, ids, copies(world, ids, "sft", lambda who: who), config)
    assert "soft" in page.families(every)


def test_two_annotators_give_the_same_label_as_often_on_every_page(world):
    """Finding 24: 63 % on one page, 0.64 on another."""
    rows = agreement(world, draws=10).kappa
    for row in rows.itertuples():
        pair = pair_agreement(world, row.annotator_a, row.annotator_b)
        assert (pair.raw_agreement, pair.n_items) == (row.raw_agreement, row.n_items)
    assert pair_agreement(world, "A", "nobody") is None
    assert (rate(0.0049), rate(0.0113), rate(0.5), rate(0.0)) == (
        "0.5\u00a0%", "1\u00a0%", "50\u00a0%", "0\u00a0%"
    )  # fmt: skip


def test_a_run_and_its_report_count_the_same_readable_answers(tmp_path):
    """A run said "1 of 100 readable", its report "75 of 100 without a readable label"."""
    workspace, dataset = Workspace(tmp_path), small_world()
    Catalog(workspace).add(dataset)
    odd = ("no form", "Label: entailment", "Label: neutral\nExplanation: so", "", "Explanation: x")
    ids = list(dataset.items["item_id"])
    made = run(workspace, dataset, "odd", "icl", lambda _, item: odd[ids.index(item) % len(odd)])
    frame = read_table(made.path)
    items, streams = method_streams(dataset, [MethodOutputs("icl", "0", frame, "odd")])
    config = TableConfig(families=("labels",))
    report = compute_report(dataset, items, streams, config)
    source = next(one for one in report.sources if one.name == "icl")
    readable = int((frame["parsed"] == "true").sum())
    assert 0 < readable < len(frame) == source.responses
    assert source.responses - source.unread == readable
    shown = readable_answers(readable, len(frame))
    assert shown in report.methods["text"]
    assert shown in next(titled(s) for s in statements(report) if s.topic == "unread")


def method(name: str, **more) -> dict:
    """A method of a finding on imitation, 20 of 40 texts attributed to the target."""
    return {"method": Named("method", name), "value": 0.5, "low": 0.4, "high": 0.6, "n": 40,
            "order": "undecided"} | more  # fmt: skip


@pytest.mark.parametrize("tied, words", [(1, "A 50 % [40–60] or B 50 % [40–60] ("),
                                         (3, "C 50 % [40–60] or 1 other ("),
                                         (5, "C 50 % [40–60] or 3 others (")])  # fmt: skip
def test_a_card_lists_methods_without_an_order_and_their_n(tied, words):
    """ "A, B or C and 1 more" was said of four methods, and of how many texts was not."""
    values = {"methods": [method(name) for name in "ABCDEF"[: tied + 1]], "k": 4, "human": 0.6,
              "single": False, "chance": 0.25}  # fmt: skip
    text = brief_statement(Finding("headline", UNDECIDED, values)).text.replace("\u00a0", " ")
    assert words in text and " and " not in text
    assert text.endswith("(groups of 4 explanations; the target's own texts 60 %; n = 40).")


def test_an_interval_without_0_is_not_printed_with_an_end_of_0():
    """ "Exceeds that of another annotator (0.15; [0.00–0.01])", "3 points [0–6] beyond"."""
    assert points_interval(0.003, 0.06) == "[0.3–6]"
    assert points_interval(-0.06, -0.0004) == "[−6 to −0.04]"
    assert points_interval(-0.003, 0.06) == "[0–6]" and points_interval(0.0, 0.0) == "[no width]"
    assert interval_text(0.0012, 0.02) == "[0.001–0.020]"
    assert interval_text(-0.02, -0.0012) == "[−0.020 to −0.001]"
    assert interval_text(-0.001, 0.02) == "[0.00–0.02]"


def test_one_item_has_no_interval():
    """ "ROUGE-L 0.10 [0.10–0.10], n = 1": a mean of one number says nothing of its error."""
    one = item_mean(np.array([0.1, 0.3]), np.array([0, 0]), n_items=5, share=False)
    assert one.items == 1 and np.isnan([one.estimate().low, one.estimate().high]).all()
    two = item_mean(np.array([0.1, 0.3]), np.array([0, 1]), n_items=5, share=False)
    assert two.estimate().low < two.value < two.estimate().high
    equal = ResampledScore(0.2, np.full(50, 0.2), 1)
    assert np.isnan([equal.estimate().low, equal.estimate().high]).all()
