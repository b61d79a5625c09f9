"""The finding on the nearest source, held to its numbers: by hand, and on tables drawn at random.

The drawn tables have sources on unequal sets of items, ties and copies, one item, one source, no
crowd. What a sentence, a bold cell, the command or a report says is checked against distances and
exact permutation tests that are computed here from the shares alone.
"""

from __future__ import annotations

import io
import itertools
import os
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.distribution_sources import LABELS, judgments, source
from helpers.false_sentences import same_ends
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy.spatial.distance import jensenshannon

from capo_core.cli import distributions as command
from capo_core.cli import support
from capo_core.dashboard.distributions import table as page
from capo_core.distributions.compare import JSD, SHAPE, TVD, CompareConfig
from capo_core.distributions.judgments import CROWD, UNIFORM, from_counts
from capo_core.distributions.provenance import judgments_provenance
from capo_core.distributions.ranking import ASIDE, MEAN, SOURCE, rank
from capo_core.distributions.report import DistributionReport, to_html, to_markdown
from capo_core.distributions.sources import ANNOTATORS, SINGLE
from capo_core.distributions.wording import called, in_words, sentence
from capo_core.stats.distances import js_distance

TABLES = int(os.environ.get("CAPO_TABLES", 0))
CONFIG = CompareConfig(draws=200)
HELD_OUT = CompareConfig(ANNOTATORS, draws=200)


def report(*sources, config=CONFIG, measure=JSD) -> DistributionReport:
    made = judgments(*sources)
    return DistributionReport(made, rank(made, config), measure)


def near(crowd: np.ndarray, share: float, seed: int = 9) -> np.ndarray:
    """The crowd's shares, mixed with noise."""
    noise = np.random.default_rng(seed).dirichlet([1] * crowd.shape[1], len(crowd))
    return (1 - share) * crowd + share * noise


CROWD_40 = np.random.default_rng(0).dirichlet([1, 1, 1], 40)


# By hand.


def test_a_source_on_few_items_is_not_ranked_above_sources_on_many():
    # 20 of 500: closest by far on its own items, and measured on no others.
    crowd = np.random.default_rng(0).dirichlet([1, 1, 1], 500)
    items = [f"i{k}" for k in range(500)]
    few = source("estimate", crowd[:20], items=items[:20])
    made = report(source(CROWD, crowd), few, source("a", near(crowd, 0.2)),
                  source("b", near(crowd, 0.6)))  # fmt: skip
    text = in_words(made.headline)
    assert text.startswith("Of 2 sources on 500 items, “a” is significantly closest to the crowd")
    assert "estimate" not in text
    assert "Not ranked, with too few items: “estimate” (20 items)." in map(in_words, made.remarks)
    last = made.rows()[-1]
    assert (last.source, last.role, last.n) == ("estimate", ASIDE, 20) and not last.bold
    assert last.cells[JSD].startswith("0.00")  # shown, with its own n
    # On all of them together it would be: the share is a setting.
    wide = CompareConfig(draws=200, min_share=0.04)
    everybody = DistributionReport(made.judgments, rank(made.judgments, wide))
    assert everybody.ranking.n == 20 and "Of 3 sources on 20 items" in in_words(everybody.headline)


def test_a_tie_with_the_uniform_baseline_is_not_a_winner():
    even = np.full((40, 3), 1 / 3)
    a, b = near(even, 0.5, 1), near(even, 0.5, 2)
    crowd = near(even, 0.4, 3)
    made = report(source(CROWD, crowd), source("a", a), source("b", b))
    text = in_words(made.headline)
    assert text.startswith(
        ("No source is significantly closer to the crowd than the uniform baseline (JS distance",
         "The uniform baseline (JS distance")
    )  # fmt: skip
    # The distance correlation of unrelated sources is above 0, too: no gain over constant ones.
    assert all(row.bold <= {"entropy correlation"} for row in made.rows())
    assert {who for who, what in made.finding.must_not if "uniform" in what} == {"a", "b"}


def counted(name, counts, items):
    return from_counts(name, LABELS, items, np.array(counts, dtype=float))


def people(labels):
    """`annotators` and each of them, from labels [annotators, items]; −1 for none."""
    labels = np.array(labels)
    items = [f"i{k}" for k in range(labels.shape[1])]
    each = []
    for who, row in enumerate(labels):
        mine = [k for k, label in enumerate(row) if label >= 0]
        counts = np.eye(3)[row[mine]] if mine else np.zeros((0, 3))
        each.append(counted(f"annotator {who}", counts, [items[k] for k in mine]))
    total = [[int((labels[:, k] == label).sum()) for label in range(3)]
             for k in range(labels.shape[1])]  # fmt: skip
    return [counted(ANNOTATORS, total, items), *each]


def test_without_a_crowd_nothing_made_of_the_reference_is_ranked():
    labels = np.random.default_rng(1).integers(0, 3, (4, 30))
    together, *each = people(labels)
    single = source(SINGLE, np.eye(3)[labels[0]])
    even = source(UNIFORM, np.full((30, 3), 1 / 3))
    made = report(together, single, even, config=HELD_OUT)
    assert in_words(made.headline).startswith(
        "No source other than the uniform baseline is compared with “annotators”: JS distance"
    )
    assert "Not ranked, as it is made of the reference’s own labels: “single label”." in [
        in_words(one) for one in made.remarks
    ]
    made = report(together, single, *each, config=HELD_OUT)
    assert in_words(made.headline).count("the other annotators") == 1
    (row,) = [row for row in made.rows() if row.source == SINGLE]
    assert row.role == ASIDE and set(row.cells.values()) == {"undefined"}


def test_an_annotator_is_compared_with_the_others_alone():
    labels = [[0, 0, 1], [0, 1, -1], [2, 1, -1]]  # only one person labelled the third item
    together, *each = people(labels)
    made = report(together, *each, source("model", np.eye(3)), config=HELD_OUT)
    far = made.ranking.per_item.set_index(["source", "item_id"])["TVD"]
    # Annotator 0 said the first label of the first item; the others, the first and the third.
    assert far["annotator 0", "i0"] == pytest.approx(0.5)
    assert far["annotator 2", "i0"] == pytest.approx(1.0)
    # The model: the first label, against the three sets of two labels each, in turn.
    assert far["model", "i0"] == pytest.approx(np.mean([0.5, 0.5, 0.0]))
    assert "i2" not in set(made.ranking.per_item["item_id"])
    assert made.ranking.leaves_out


@pytest.mark.parametrize("crowd", [False, True])
def test_that_there_is_no_crowd_is_said_only_where_there_is_none(crowd):
    together, *each = people([[0, 0, 1], [0, 1, 1], [2, 1, 0]])
    more = [source(CROWD, np.full((3, 3), 1 / 3))] if crowd else []
    made = report(together, *each, *more, config=HELD_OUT)
    assert made.ranking.leaves_out
    (said,) = [words for words in map(in_words, made.remarks) if "left out at a time" in words]
    assert "The reference is the annotators themselves, so one of them is left out" in said
    assert ("There is no crowd" in said) == (not crowd)


def test_with_one_annotator_an_item_nothing_can_be_left_out():
    together, *each = people([[0, 1, -1, -1], [-1, -1, 2, 0]])
    made = report(together, *each, config=HELD_OUT)
    assert in_words(made.headline) == (
        "No item has labels by two annotators or more, so no annotator can be compared with the "
        "others."
    )


def test_the_mean_distribution_is_a_baseline():
    crowd = source(CROWD, [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]])
    made = rank(judgments(crowd, source("a", [[1, 0, 0]] * 3)), CONFIG)
    expected = np.mean(np.abs(crowd.shares - [1 / 3, 1 / 2, 1 / 6]).sum(axis=1) / 2)
    assert made.row(MEAN, TVD).value == pytest.approx(expected)
    assert made.row(MEAN, "D.Corr").value == 0


def test_a_source_that_only_knows_the_mean_must_not_be_called_item_specific():
    crowd = np.random.default_rng(0).dirichlet([8, 1, 1], 200)
    made = report(source(CROWD, crowd), source("a", np.tile(crowd.mean(axis=0), (200, 1))))
    # A single source is not the nearest of any, either.
    assert made.finding.must_not == (("a", "nearest"), ("a", "closer than the mean distribution"))
    assert "not significantly closer than the mean distribution" in in_words(made.headline)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_items_decide_nothing(n):
    crowd = CROWD_40[:n]
    made = report(source(CROWD, crowd), source("a", crowd), source("b", np.roll(crowd, 1, axis=1)))
    assert "With fewer than 6 items no difference can be significant." in in_words(made.headline)
    assert not made.finding.decided and not any(row.bold for row in made.rows())
    if n == 1:  # an interval over one item would be a point
        assert re.fullmatch(r"[0-9.]+", made.rows()[0].cells[JSD])


def test_copies_and_equal_sources_are_tied():
    a = near(CROWD_40, 0.2)
    made = report(source(CROWD, CROWD_40), source("a", a), source("b", a), source("c", a))
    text = in_words(made.headline)
    assert "none is significantly closest" in text
    assert "is not significantly different from “b” (" in text and "and “c” (" in text


def test_rounding_is_no_significant_difference():
    """The root of a divergence of 1e-16 was 1e-8, the same on every item: p < .05, and bold."""
    crowd = np.tile([0.6, 0.3, 0.1], (40, 1))
    made = report(source(CROWD, crowd), source("a", crowd), source("b", near(crowd, 0.8)))
    assert "not significantly closer than the mean distribution (0.00" in in_words(made.headline)
    assert ("a", "closer than the mean distribution") in made.finding.must_not
    assert not any(row.bold for row in made.rows())
    third = np.full(3, 1 / 3)
    assert js_distance(third[None], (third * 0.1 + third * 0.9)[None])[0] == 0


def test_a_distance_correlation_of_unrelated_sources_is_no_relation():
    """Finding: labels drawn at random had a D.Corr of 0.29 [0.16, 0.44] beside 0 for uniform."""
    unrelated = np.random.default_rng(5).dirichlet([1, 1, 1], 40)
    made = report(
        source(CROWD, CROWD_40), source("random", unrelated), source("near", near(CROWD_40, 0.2))
    )
    row = made.ranking.row("random", SHAPE)
    assert row.low > 0
    said = [in_words(one) for one in made.remarks if one.topic == "shape"]
    assert said == [
        "D.Corr of unrelated distributions is above 0 too: tested for independence, that of "
        "“random” is not significantly above 0."
    ]
    assert said[0] in to_markdown(made, judgments_provenance(made.judgments))
    # The same as the crowd is related, though its interval has no width.
    alone = report(source(CROWD, CROWD_40), source("same", CROWD_40))
    assert not [one for one in alone.remarks if one.topic == "shape"]


def test_a_measure_without_a_value_is_said_to_be_undefined():
    """ "No source other than the uniform baseline is compared" was said of two that were."""
    even = np.full((40, 3), 1 / 3)
    made = report(source(CROWD, even), source("a", near(even, 0.5)), source("b", near(even, 0.9)))
    text = sentence(made.findings["entropy correlation"])
    assert text.startswith("Entropy correlation is undefined for every source")
    alone = report(source(CROWD, even))
    assert "no source besides the crowd, so nothing is compared" in in_words(alone.headline)


def test_the_finding_and_its_sentence_are_data():
    made = report(source(CROWD, CROWD_40), source("a", CROWD_40), source("b", near(CROWD_40, 0.9)))
    plain = made.to_dict()
    assert plain["findings"][0]["significantly_nearest"] == "a"
    assert plain["headline"] == sentence(made.finding)
    assert {row["role"] for row in plain["ranking"]["sources"]} == {"source", "floor"}
    assert plain["ranking"]["items"] == 40


# On tables drawn at random.

GRID = [(1, 0, 0), (0, 1, 0), (0.5, 0.5, 0), (0, 0.5, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.2, 0.3, 0.5)]


def world(seed: int) -> tuple[list, CompareConfig]:
    """Crowd or annotators, and up to four other sources, on all items or some, of many kinds."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 5, 7, 8, 9, 10, 11]))
    items = [f"i{k}" for k in range(n)]
    if rng.random() < 0.6:
        crowd = (
            np.array([GRID[k] for k in rng.integers(0, len(GRID), n)])
            if rng.random() < 0.5
            else rng.dirichlet([0.4] * 3, n)
        )
        sources, config = [source(CROWD, crowd, items=items)], CONFIG
    else:
        labels = rng.integers(-1, 3, (rng.integers(1, 4), n))
        labels[0] = np.abs(labels[0])
        sources, config = people(labels), HELD_OUT
        crowd = sources[0].shares
        if rng.random() < 0.5:
            sources.insert(1, source(SINGLE, np.eye(3)[crowd.argmax(axis=1)], items=items))
    for number in range(rng.choice([0, 1, 2, 2, 3, 3, 4])):
        kind = rng.choice(["copy", "uniform", "near", "near", "far", "random", "grid", "twin"])
        own = list(range(n))
        if rng.random() < 0.3:
            own = sorted(rng.choice(n, rng.integers(1, n + 1), replace=False).tolist())
        if kind == "twin" and number:
            twin = sources[-1]
            sources.append(source(f"s{number}", twin.shares, items=list(twin.item_ids)))
            continue
        shares = {
            "copy": crowd,
            "uniform": np.full((n, 3), 1 / 3),
            "near": 0.85 * crowd + 0.15 * rng.dirichlet([1, 1, 1], n),
            "far": 0.5 * crowd + 0.5 * rng.dirichlet([1, 1, 1], n),
            "random": rng.dirichlet([0.5] * 3, n),
        }.get(kind, np.array([GRID[k] for k in rng.integers(0, len(GRID), n)]))
        sources.append(source(f"s{number}", shares[own], items=[items[k] for k in own]))
    return sources, config


def distances(first, second, measure) -> np.ndarray:
    if measure == TVD:
        return np.abs(first - second).sum(axis=1) / 2
    return np.nan_to_num([jensenshannon(p, q) for p, q in zip(first, second, strict=True)])


def held_out(made: DistributionReport) -> bool:
    """Whether an annotator compared with the reference would be compared with itself, too."""
    names = [one.name for one in made.judgments.sources]
    return made.ranking.against == ANNOTATORS and any(n.startswith("annotator ") for n in names)


def own_values(made: DistributionReport, name: str, items, measure) -> np.ndarray:
    """Distances [items] of a source from the reference, from the shares alone."""
    sources = {one.name: one for one in made.judgments.sources}
    against = sources[made.ranking.against]
    if name == UNIFORM:
        shares = np.full((len(items), 3), 1 / 3)
    elif name == MEAN:
        shares = np.tile(against.rows(items).mean(axis=0), (len(items), 1))
    else:
        shares = sources[name].rows(items)
    if not held_out(made):
        return distances(against.rows(items), shares, measure)
    found = []
    for item, row in zip(items, shares, strict=True):
        counts = {
            who: one.rows([item])[0] * one.people[one.item_ids.index(item)]
            for who, one in sources.items()
            if who.startswith("annotator ") and item in one.item_ids
        }
        left = [name] if name in counts else list(counts)
        references = [sum(other for w, other in counts.items() if w != who) for who in left]
        values = [distances((one / one.sum())[None], row[None], measure)[0] for one in references]
        found.append(np.mean(values))
    return np.array(found)


def exact_p(difference: np.ndarray) -> float:
    """The exact two-sided sign-flip test."""
    signs = np.array(list(itertools.product([1, -1], repeat=len(difference))))
    sums = np.abs(signs @ difference)
    return float((sums >= abs(difference.sum()) - 1e-9).mean())


def by_holm(p_values: list[float]) -> list[float]:
    order = np.argsort(p_values)
    steps = [min(1.0, (len(order) - k) * p_values[place]) for k, place in enumerate(order)]
    found = dict(zip(order, np.maximum.accumulate(steps), strict=True))
    return [found[place] for place in range(len(order))]


def verdicts(made: DistributionReport, pairs, measure) -> dict:
    """Pair → the significantly closer one by an exact test with Holm's correction, or None."""
    items = made.ranking.items
    values = {name: own_values(made, name, items, measure) for pair in pairs for name in pair}
    apart = [values[one] - values[other] for one, other in pairs]
    if not pairs:
        return {}
    adjusted = by_holm([exact_p(each) for each in apart])
    found = {}
    for (one, other), gap, p in zip(pairs, apart, adjusted, strict=True):
        found[one, other] = found[other, one] = (
            (one if gap.mean() < 0 else other) if p <= 0.05 + 1e-9 else None
        )
    return found


NUMBER = r"−?\d+\.\d+(?: \[(?:−?\d+\.\d+, −?\d+\.\d+|no width)\])?"


def check_sentence(made: DistributionReport) -> None:
    ranking, measure = made.ranking, made.measure
    text, ranked = in_words(made.headline), list(ranking.ranked)
    pairs = verdicts(made, list(itertools.combinations(ranked, 2)), measure)
    uniform = verdicts(made, [(name, UNIFORM) for name in ranked], measure)
    mean = {}
    if ranking.n > 1:
        mean = verdicts(made, [(name, MEAN) for name in ranked], measure)
    names = {called(name): name for name in ranked}
    if found := re.search(r"(“\S+?”|“annotator \d”) is significantly closest", text):
        best = names[found[1]]
        assert len(ranked) > 1
        assert all(pairs[best, other] == best for other in ranked if other != best), text
        assert uniform[best, UNIFORM] == best or "closer than the uniform" not in text
    if ranked and not any(uniform[name, UNIFORM] == name for name in ranked):
        assert text.startswith(("No source is significantly closer to", "The uniform baseline ("))
    if text.startswith("The uniform baseline"):
        assert all(uniform[name, UNIFORM] == UNIFORM for name in ranked), text
    if text.startswith("No source is significantly closer"):
        assert ranked and "closer" not in [e.verdict for e in made.finding.against_baselines
                                           if e.baseline == UNIFORM]  # fmt: skip
    for title, table, floor in (("uniform baseline", uniform, UNIFORM),
                                ("mean distribution", mean, MEAN)):  # fmt: skip
        if re.search(rf"It is significantly closer than (the [a-z ]+\({NUMBER}\) and )?the {title}",
                     text):  # fmt: skip
            best = made.finding.order[0].source
            assert table[best, floor] == best, text
        if found := re.search(
            rf"(\d+)(?: (?:is|are) significantly closer)? than the {title}", text
        ):
            assert int(found[1]) <= sum(table[name, floor] == name for name in ranked), text
    if found := re.search(r"on (\d+) items?", text):
        assert int(found[1]) == ranking.n
    if ranking.n < 6:
        assert "significantly closest" not in text.replace("none is significantly closest", "")
        assert not re.search(r"[1-9]\d* (is|are) significantly closer", text)


def check_rows(made: DistributionReport) -> None:
    """Nothing is dropped, ranked sources share their items, and bold is the significant first."""
    ranking, sources = made.ranking, {one.name: one for one in made.judgments.sources}
    rows = made.rows()
    asked = [name for name in sources if name not in (ranking.against, UNIFORM)]
    assert sorted(row.source for row in rows if row.role != "floor") == sorted(asked)
    for row in rows:
        if held_out(made) and row.source == SINGLE:
            assert row.role == ASIDE and set(row.cells.values()) == {"undefined"}
        if row.role == SOURCE:
            assert row.n == ranking.n and set(ranking.items) <= set(sources[row.source].item_ids)
    assert ranking.n >= 0.1 * ranking.widest or not ranking.ranked
    for measure in (JSD, TVD):
        bold = [row.source for row in rows if measure in row.bold]
        assert len(bold) <= 1
        for name in bold:
            others = [other for other in ranking.ranked if other != name]
            assert others and name in ranking.ranked and ranking.n >= 6
            pairs = verdicts(made, list(itertools.combinations(ranking.ranked, 2)), measure)
            assert all(pairs[name, other] == name for other in others)
            for floor in ranking.floors:
                against = verdicts(made, [(each, floor) for each in ranking.ranked], measure)
                assert against[name, floor] == name
        for row in rows:
            if row.role != ASIDE:
                value = own_values(made, row.source, ranking.items, measure).mean()
                shown = float(row.cells[measure].split(" ")[0].replace("−", "-"))
                assert shown == pytest.approx(value, abs=0.00501)


def check_everywhere(made: DistributionReport) -> None:
    """Page, command, Markdown and HTML have the sentence and every cell to the digit."""
    text, rows = in_words(made.headline), made.rows()
    out = Console(width=2000, record=True, file=io.StringIO())
    source = judgments_provenance(made.judgments)
    with pytest.MonkeyPatch.context() as patch:
        for place in (command, support):
            patch.setattr(place, "console", out)
        command._show_comparison(made, source)
    printed = out.export_text()
    html = unescape(to_html(made, source))
    marked = to_markdown(made, source).replace("\\", "")
    grid = page._grid(SimpleNamespace(focus=""), rows) if rows else None
    for where in (printed, html, marked):
        assert text in where
        assert not same_ends(where), same_ends(where)
        if rows:  # bold is spoken of where there is any
            assert ("Bold: sig" in where.replace("\n", " ")) == any(row.bold for row in rows)
        for remark in made.remarks:
            assert in_words(remark) in where
    for place, row in enumerate(rows):
        for measure, cell in row.cells.items():
            assert grid[measure].iloc[place].replace("\u2007", "") == cell
            assert cell in html and cell in marked
            assert cell in printed or measure not in command.SHOWN
    # What the sentence says of a source's distance stands in the table in the same rounding.
    cells = {cell for row in rows for cell in row.cells.values()}
    for found in re.finditer(rf"\(?({re.escape('JS distance')}|TVD)? ?({NUMBER})", text):
        gap = text[: found.start()].endswith("difference")
        assert found[2] in cells or gap, (found[2], text)


@settings(max_examples=max(20, TABLES), deadline=None, database=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([JSD, TVD]))
def test_no_sentence_bold_cell_or_export_says_more_than_its_numbers(seed, measure):
    sources, config = world(seed)
    made = report(*sources, config=config, measure=measure)
    check_sentence(made)
    check_rows(made)
    check_everywhere(made)
    assert repr(made.findings.get(measure, made.finding)) == repr(made.finding)
