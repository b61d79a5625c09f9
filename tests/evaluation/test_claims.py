"""No sentence, cell or bold says more than its numbers: drawn score tables.

`CAPO_TABLES=400 CAPO_NEW_CASES=1 pytest tests/evaluation/test_claims.py` draws more of them.
"""

import math
import os
import re
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.false_sentences import same_ends
from helpers.score_tables import SHAPES, VIEW, drawn_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from capo_core.cli import evaluate as command
from capo_core.dashboard.compare import scores as page
from capo_core.evaluation import claims, export
from capo_core.evaluation.cells import NO_VALUE, score_cells
from capo_core.evaluation.human_distance import AT_LEVEL, OVERSHOOT, UNDERSHOOT
from capo_core.evaluation.imitation_statement import _position, _reference
from capo_core.evaluation.measures.labels import majority_label, own_labels
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.referee.equivalence import ALPHA
from capo_core.evaluation.referee.tables import referee_tables
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.summary import statements, titled, worded
from capo_core.evaluation.table import ALL
from capo_core.findings import UNDECIDED, Finding
from capo_core.formatting import Named, percent
from capo_core.stats import bootstrap
from capo_core.stats.significance import FEWEST

TABLES = int(os.environ.get("CAPO_TABLES", 16))
MEASURES = (VIEW, "label accuracy", "style distance", "ROUGE-L", "self-similarity")


@pytest.fixture(autouse=True, scope="module")
def few_draws():
    """Bootstraps of 200 draws: what is checked is words against intervals, not coverage."""
    before, bootstrap.DRAWS = bootstrap.DRAWS, 200
    yield
    bootstrap.DRAWS = before


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
@settings(max_examples=max(1, TABLES // len(SHAPES)), suppress_health_check=list(HealthCheck))
def test_nothing_is_said_that_the_numbers_do_not_say(shape, data):
    table = data.draw(drawn_tables(shape))
    report = table.report
    for target in (ALL, *export.imitated(report)):
        for finding in claims.findings(report, target):
            statement = worded(finding)
            assert statement is not None
            text = titled(statement)
            assert not finding.breaches(text), (finding.claim, text)
            assert "undefined" not in text and " of 1 explanations" not in text, text
            check_numbers_of(text)
            check_n(finding, text)
            CHECKS.get(finding.claim, lambda *_: None)(table, finding, text, target)
        check_baselines(table, target)
        check_bold(report, target)
    check_surfaces(report)
    check_paragraph(report)
    check_intervals(report)


def check_numbers_of(text: str) -> None:
    """No decimals of percent or points, no number that is not one, no empty interval."""
    assert not re.search(r"\d\.\d+[\s\u00a0]?(%|points?)", text), text
    assert "nan" not in text.lower() and "None" not in text and "undefined" not in text, text
    assert "[]" not in text and "{" not in text and "  " not in text, text
    assert not same_ends(text), text


@pytest.mark.parametrize(
    ("level", "gap", "said"),
    [
        (AT_LEVEL, 0.0, "not significantly different (0 points on every item) from"),
        (OVERSHOOT, 1.0, "100 points on every item beyond"),
        (UNDERSHOOT, -0.5, "50 points on every item below"),
    ],
)
def test_an_interval_without_width_is_said_in_words(level, gap, said):
    """Finding: a copy of the target's texts was "0 points [0–0]" from them."""
    row = {"level": level, "gap": gap, "gap_low": gap, "gap_high": gap, "n_items": 9,
           "too_few": False, "beyond": [], "below": []}  # fmt: skip
    assert titled(_position(row)).lower() == said


def check_n(finding: Finding, text: str) -> None:
    """No interval without the n that it is over."""
    if re.search(r"\[[−\d]", text) or finding.claim in ("equivalence", "personal"):
        counted = r"n = \d|\d of \d|of [\d,]+ (text|answer|group|trial|test item)|: none"
        assert re.search(counted, text), text


def contrast(report, one, other, target):
    """The interval, p-value and items of the difference in distance of two methods."""
    rows = report.human_distance.contrasts
    rows = rows[(rows["measure"] == VIEW) & (rows["target"] == target)]
    rows = rows[(rows["quantity"] == "distance") & rows["source"].isin([one, other])]
    rows = rows[rows["against"].isin([one, other])]
    assert len(rows) == 1
    return rows.iloc[0]


def check_imitation(table, finding: Finding, text: str, target: str) -> None:
    report = table.report
    if finding.verdict == "undefined":
        assert finding.reason in text and not re.search(r"\d", text)
        return
    best, *others = finding.values["methods"]
    away = report.human_distance.distances
    away = away[(away["measure"] == VIEW) & (away["target"] == target)].set_index("source")
    assert finding.compared.targets == ((target,) if target != ALL else averaged(table))
    for one in (best, *others):
        row = away.loc[one["method"].key]
        # On fewer items than can decide anything, neither is a guess above chance.
        assert one["n"] >= FEWEST or not one["above_chance"]
        # The distance counts both ways, and the first is the least.
        assert away.loc[best["method"].key, "distance"] <= row["distance"] + 1e-12
        if len(finding.compared.targets) == 1:
            assert row["distance"] == pytest.approx(abs(row["value"] - row["human"]))
    said_nearest = "is nearest to its target" in text
    for one in others:
        found = contrast(report, best["method"].key, one["method"].key, target)
        carried = (
            found.p_holm <= 0.05 and found.n >= FEWEST
            and found.low < found.high and (found.low > 0 or found.high < 0)
        )  # fmt: skip
        assert carried or not said_nearest
        assert (one["order"] == "further") <= carried
    assert said_nearest == (bool(others) and finding.decided)
    # "5 points [1–9] below": the interval as printed does not hold 0.
    pattern = r"(−?\d+) points? \[(−?[\d.]+)(?:–| to )(−?[\d.]+)\] (beyond|below)"
    for gap, low, high, _ in re.findall(pattern, text):
        gap, low, high = (float(end.replace("−", "-")) for end in (gap, low, high))
        assert 0 < low <= gap <= high, text
    for low, high in re.findall(r"different \(.*?\[(−?\d+)(?:–| to )(−?\d+)\]\)", text):
        low, high = (int(end.replace("−", "-")) for end in (low, high))
        assert low <= 0 <= high, text


def check_labels(table, finding: Finding, text: str, target: str) -> None:
    report = table.report
    rows = report.differences
    rows = rows[(rows["measure"] == "label accuracy") & (rows["target"] == target)]
    guess = rows[rows["against"] == GUESS].set_index("source")
    for side, sign in (("better", 1), ("worse", -1)):
        listed = re.search(rf"Significantly {side} than that label: (.*?)(?:\. |\.$)", text)
        named = [m for m in finding.values["methods"] if m["against_frequent"] == side]
        assert bool(listed) == bool(named)
        for one in named:
            row = guess.loc[one["method"].key]
            assert row["p_holm"] <= 0.05 and sign * row["value"] > 0
            assert row["low"] > 0 or row["high"] < 0
    if "no method is significantly better" in text:
        assert not ((guess["low"] > 0) & (guess["p_holm"] <= 0.05) & (guess["n"] >= 6)).any()


def check_caricature(table, finding: Finding, text: str, target: str) -> None:
    away = table.report.human_distance.distances
    away = away[(away["measure"] == VIEW) & (away["target"] == target)].set_index("source")
    for one in finding.values["methods"]:
        row = away.loc[one["method"].key]  # the same difference has the same interval everywhere
        assert one["above"] == pytest.approx(row["gap"])
        assert row["gap_low"] <= 0 or (one["low"], one["high"]) == (row["gap_low"], row["gap_high"])
        for measure in (VIEW, "style distance"):
            found = table.report.difference(
                one["method"].key, HUMAN, measure, k_of(measure), target
            )
            assert found.low > 0 and found.p_holm <= 0.05


def check_left_out(table, finding: Finding, text: str, target: str) -> None:
    dropped = {one["method"].key: one["left_out"] for one in finding.values["dropped"]}
    for method in table.report.method_names:
        own = {t: items for (m, t), items in table.answered.items() if m == method}
        outside = sum(len(items - compared_items(table, t)) for t, items in own.items())
        assert dropped.get(method, 0) == outside


def check_detectable(table, finding: Finding, text: str, target: str) -> None:
    """The n is that of the comparisons, and no difference above 100 points is promised."""
    rows = table.report.differences
    rows = rows[(rows["target"] == target) & rows["against"].isin(table.report.method_names)]
    shown = [int(n) for n in re.findall(r", n = (\d+)\)", text)]
    known = rows["detectable"].notna()
    assert shown and set(shown) <= set(rows.loc[known, "n"])
    assert text.count("comparison") - text.count("undecided comparison") == len(shown)
    assert not re.search(r"from (\d+ to )?1\d\d points", text)
    main = rows[rows["measure"].isin([VIEW, "label accuracy"]) & rows["detectable"].notna()]
    assert ("of any size" in text) == (main["detectable"] >= 1).any()
    assert ("A difference between two methods is found" in text) == (main["detectable"] < 1).any()


def check_equivalence(table, finding: Finding, text: str, target: str) -> None:
    """ "Undecided" was tested; what was not is said not to be."""
    rows = table.report.referee.equivalence
    main = [VIEW, ALPHA]
    rows = rows[(rows["target"] == target) & rows["measure"].isin(main)]
    undecided = rows[rows["verdict"] == "undecided"]
    assert ("undecided: " in text) == undecided["p"].notna().any()
    untested = undecided[undecided["p"].isna()]
    alone = (untested["n"] == 0) & (untested["measure"] == ALPHA)
    few = (untested["n"] < 10) & ~alone
    assert ("not tested, for want of 10 items" in text) == few.any()
    assert ("not tested, since nobody else labelled" in text) == alone.any()
    assert ("not tested, since" in text) == ((untested["n"] >= 10) | alone).any()
    # What another annotator's texts would pass as well is no equivalence.
    own = table.report.row(HUMAN, VIEW, 1, target)
    if target != ALL and own is not None and abs(own["value"] - own["floor"]) <= 0.1 - 1e-9:
        assert not (rows[rows["measure"] == VIEW]["verdict"] == "equivalent").any()
    assert ("indistinguishable" in text) == (rows["verdict"] == "equivalent").any()


def check_paragraph(report) -> None:
    """The methods paragraph describes the tests that were made."""
    text, tests = report.methods["text"], report.referee
    assert ("two one-sided tests" in text) == tests.equivalence["p"].notna().any()
    assert ("Alternative annotator test" in text) == (tests.replacement["tested"] > 0).any()
    assert " 1 test items" not in text and " 1 annotators" not in text
    many = [name for name in report.method_names if name in report.differences["against"].values]
    assert many or "smallest detectable" not in text


def check_measures(table, finding: Finding, text: str, target: str) -> None:
    """ "All measures" are all, and methods are compared over annotators whom all imitate."""
    rows = table.report.referee.measures
    assert ("all " in text) <= (rows["nearest"] != "").all()
    methods = {method for method, _ in table.answered}
    imitated = {m: {t for one, t in table.answered if one == m} for m in methods}
    assert set.intersection(*imitated.values())


def check_intervals(report) -> None:
    """No difference of shares, nor its interval, is larger than 100 points."""
    limits = {
        "differences": report.differences[report.differences["measure"] == VIEW],
        "contrasts": report.human_distance.contrasts, "gaps": report.human_distance.distances,
    }  # fmt: skip
    for name, rows in limits.items():
        ends = rows[["gap_low", "gap_high"] if name == "gaps" else ["low", "high"]].stack()
        assert not (ends.abs() > 1 + 1e-9).any(), name
    apart = report.referee.measures
    apart = apart[apart["measure"] == VIEW][["apart_low", "apart_high"]].stack()
    assert not (apart.abs() > 1 + 1e-9).any()
    for made in referee_tables(report):
        assert not same_ends(made.text_frame().to_string())
        if made.name == "personal":
            found = made.text_frame()["Detectable"][made.frame["similarity"] != "labels"]
            assert all(cell in (NO_VALUE, ">1") or float(cell) <= 1 for cell in found)


CHECKS = {
    "headline": check_imitation, "label": check_labels, "caricature": check_caricature,
    "left out": check_left_out, "detectable": check_detectable, "equivalence": check_equivalence,
    "measures": check_measures,
}  # fmt: skip


def k_of(measure: str) -> int:
    return 1 if measure == VIEW else 0


def compared_items(table, target: str) -> frozenset[int]:
    """The items that every method which imitates the target answered."""
    return frozenset.intersection(*(i for (_, t), i in table.answered.items() if t == target))


def averaged(table) -> tuple[str, ...]:
    """The annotators whom every method imitates, and of whom there is a text to compare with."""
    methods = {method for method, _ in table.answered}
    return tuple(
        t for t in table.dataset.annotators
        if all((method, t) in table.answered for method in methods)
        and any((HUMAN, t, item) in table.hits for item in compared_items(table, t))
    )  # fmt: skip


def check_baselines(table, target: str) -> None:
    """Ceiling, floor, chance and the most frequent label, by hand from the very targets and
    items."""
    targets = averaged(table) if target == ALL else [target]
    cells = score_cells(table.report, VIEW, 1, target)
    if not targets:
        assert cells.values[HUMAN] == NO_VALUE
        return
    ceilings, floors, frequent = [], [], []
    for one in targets:
        items = compared_items(table, one)
        own = [
            hit
            for (s, t, i, *_), hit in table.hits.items()
            if (s, t) == (HUMAN, one) and i in items
        ]
        ceilings.append(np.mean(own) if own else math.nan)
        others = {}
        for key, hit in table.hits.items():
            if key[:2] == (OTHER, one) and key[2] in items:
                others.setdefault(key[3], []).append(hit)
        floors.append(np.mean([np.mean(hits) for hits in others.values()]) if others else math.nan)
        labels = own_labels(table.dataset, table.items, one)
        label = majority_label(table.dataset, one)
        known = [label in labels[i] for i in items if labels[i]]
        frequent.append(np.mean(known) if known else math.nan)
    about, accuracy = find_measure(VIEW), score_cells(table.report, "label accuracy", 0, target)
    for expected, shown in ((ceilings, cells.values[HUMAN]), (floors, cells.values[OTHER])):
        check_value(np.mean(expected), shown, about)
    if target != ALL or not np.isnan(frequent).any():
        check_value(np.mean(frequent), accuracy.values[GUESS], about)


def check_value(expected: float, shown: str, about) -> None:
    if math.isnan(expected):
        assert shown == NO_VALUE
    else:
        assert float(shown.split(" ")[0].strip("<>")) == pytest.approx(expected, abs=0.0101)


def check_bold(report, target: str) -> None:
    for measure in MEASURES:
        k = k_of(measure)
        bold = claims.clearly_nearest(report, measure, k, target)
        if not bold:
            continue
        row = report.row(bold, measure, k, target)
        for other in set(report.method_names) - {bold}:
            found = report.difference(bold, other, measure, k, target)
            assert found.low > 0 or found.high < 0
            assert found.p_holm <= 0.05
        if not math.isnan(row["ceiling"]):
            beyond = row["value"] - row["ceiling"]
            assert beyond <= 0 if find_measure(measure).better != "lower" else beyond >= 0


def check_surfaces(report) -> None:
    """Page, HTML report and command line have the same digits, and the sentences the same
    rounding."""
    body = export.to_html(report)
    html = html_rows(body)
    if not report.targets:
        return
    out = StringIO()
    Console(file=out, width=400).print(
        command._score_table(report, ALL, export.provenance_of(report))
    )
    latex = export.to_latex(report, export.provenance_of(report))
    for text in (body, out.getvalue(), latex):
        assert not same_ends(text), same_ends(text)
    printed = {tuple(line.split("  ")[0].split()): line for line in out.getvalue().splitlines()}
    for measure in MEASURES:
        k = k_of(measure)
        column = page.Column(measure, k)
        grid = page.score_grid(report, [column], ALL)[column.key]
        line = next(line for key, line in printed.items() if " ".join(key).startswith(measure[:9]))
        for source in (*report.method_names, HUMAN, OTHER):
            shown = grid[source]
            assert shown in line
            row = html.get((measure, escaped(export.source_name(source))))
            if shown == NO_VALUE:
                assert row is None or "undefined" in row[0]
            else:
                assert f"{row[0]} {row[1]}".strip() == shown
        with_score = next((s for s in report.method_names if grid[s] != NO_VALUE), None)
        if with_score:
            row = html[measure, escaped(export.source_name(with_score))]
            chance = grid.get(column.about.of.chance_name, NO_VALUE)
            for cell, expected in zip(row[-3:], (grid[OTHER], grid[HUMAN], chance), strict=True):
                assert (cell or NO_VALUE) == expected.split(" ")[0]
            check_rounding(report, measure, k, grid)
    for one in statements(report):
        assert escaped(titled(one)) in body


def check_rounding(report, measure: str, k: int, grid) -> None:
    """A share is "63 %" in sentences where its cell is 0.63."""
    for source in report.method_names:
        row = report.row(source, measure, k)
        if measure in (VIEW, "label accuracy") and row is not None and not math.isnan(row["value"]):
            cell = grid[source].split(" ")[0]
            share = percent(row["value"]).removesuffix("\u00a0%")
            if cell[0] in "<>":
                assert share.startswith({"<": "under", ">": "over"}[cell[0]])
            else:
                assert round(100 * float(cell)) == int(share)


def html_rows(html: str) -> dict[tuple[str, str], list[str]]:
    """(measure, source) → the cells of the row of means, from the exported page."""
    found = {}
    for name, table in re.findall(
        r"<p><strong>([^<]*)</strong>, .*?<table[^>]*>(.*?)</table>", html, re.S
    ):
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S):
            cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
            if cells:
                k = 1 if name == VIEW else 0
                found.setdefault((name, cells[0]), cells[1 + k :])
    return found


def escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def test_a_confusion_needs_six_texts_and_a_whole_number_of_them():
    """Formerly "Most frequent confusion: 50 % of 1 explanations" of a shared tie."""

    def told(*rows):
        names = ["view", "source", "target", "attributed", "share", "n"]
        frame = pd.DataFrame([(VIEW, "sft", *row) for row in rows], columns=names)
        report = SimpleNamespace(
            confusion=frame,
            targets=("A",),
            config=SimpleNamespace(views=(SimpleNamespace(name=VIEW),)),
        )
        found = claims.confusion(report)
        return None if found is None else titled(worded(found))

    assert told(("A", "B", 0.5, 1)) is None and told(("A", "B", 1.0, 5)) is None
    assert told(("A", "B", 0.5, 7)) is None  # 3.5 of 7
    assert ": 4 of 7 explanations by SFT" in told(("A", "B", 0.9, 5), ("A", "B", 4 / 7, 7))
    assert "50\u00a0% of 41 explanations" in told(("A", "B", 0.5, 41))


@pytest.mark.parametrize(
    "floor, frequent", [(math.nan, 0.4), (0.3, math.nan), (math.nan, math.nan)]
)
def test_what_nobody_else_answered_is_left_out(floor, frequent):
    """Formerly "another annotator would in undefined"; disjoint annotators are a common layout."""
    one = {"method": Named("method", "sft"), "value": 0.5, "low": 0.3, "high": 0.7, "n": 40,
           "against_frequent": "undecided"}  # fmt: skip
    values = {"methods": [one], "single": True, "floor": floor, "frequent": frequent,
              "rivals": [], "tested": True}  # fmt: skip
    text = titled(worded(Finding("label", UNDECIDED, values, 40, "answers")))
    assert text.startswith("Labels: SFT gives the target's own label in 50") and (
        "undefined" not in text
    )
    assert ("another annotator" in text) == (not math.isnan(floor))
    assert ("always the most frequent label" in text) == (not math.isnan(frequent))
    values = {"human": 0.6, "human_n": 40, "single": True, "k": 1, "chance": 0.25}
    text = titled(_reference(values | {"floor": floor}))
    assert ("other people's" in text) == (not math.isnan(floor)) and "chance 25" in text
    assert "undefined" not in text
