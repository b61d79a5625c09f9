"""Sentences on label distributions, each held to the numbers it is made of."""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
from helpers.distribution_sources import judgments, source

from capo_core.dashboard.distributions import summary
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.provenance import judgments_provenance
from capo_core.distributions.ranking import rank
from capo_core.distributions.report import (
    DistributionReport,
    kl_statement,
    methods_paragraph,
    to_html,
    to_markdown,
)
from capo_core.distributions.training_findings import training_finding, training_statement
from capo_core.distributions.wording import coverage_statements, in_words, listed
from capo_core.provenance import SIMULATED

CONFIG = CompareConfig(draws=100)
EVEN = np.full((12, 3), 1 / 3)
SHARP = np.eye(3)[np.arange(12) % 3]


def report(*sources, measure="JSD"):
    made = judgments(*sources)
    return DistributionReport(made, rank(made, CONFIG), measure)


def test_with_one_source_nothing_is_called_the_nearest():
    made = report(source("crowd", 0.8 * SHARP + 0.2 * EVEN), source("a", SHARP))
    assert in_words(made.headline) == (
        "“a” is compared with the crowd on 12 items: JS distance 0.22 [no width]. It is "
        "significantly closer than the uniform baseline (0.40 [no width]) and the mean "
        "distribution (0.40 [no width])."
    )


def test_with_the_baseline_alone_that_is_said():
    made = report(source("crowd", SHARP), source("uniform", EVEN))
    assert in_words(made.headline) == (
        "No source other than the uniform baseline is compared with the crowd: JS distance 0.56 "
        "[no width] on 12 items."
    )


def test_with_nothing_to_compare_that_is_said():
    made = report(source("crowd", SHARP[:2], items=["x", "y"]), source("a", SHARP))
    assert "nothing is compared" in in_words(made.headline)
    assert "Not ranked, with no item in common with the crowd: “a”." in map(in_words, made.remarks)
    made = report(source("crowd", SHARP))
    assert "nothing is compared" in in_words(made.headline)


def test_items_of_one_side_are_counted():
    items = [f"i{k}" for k in range(12)]
    made = report(
        source("crowd", SHARP), source("a", SHARP[:10], items=[*items[:8], "x", "y"]),
        source("b", SHARP[:8], items=items[:8]), source("c", SHARP),
    )  # fmt: skip
    assert [in_words(each) for each in coverage_statements(made.ranking)] == [
        "Items of the crowd that a source lacks are excluded: “a” and “b” 4.",
        "Items that the crowd lacks are excluded: “a” 2.",
    ]
    assert "Ranked on the 8 items that all of them have; the widest source has 12." in [
        in_words(each) for each in made.remarks
    ]


def test_kl_is_explained_only_where_zeros_rule_it():
    def warning(shares):
        made = report(source("crowd", 0.8 * SHARP + 0.2 * EVEN), source("a", shares))
        return kl_statement(made.ranking, made.judgments)

    assert warning(0.9 * SHARP + 0.1 * EVEN) is None
    assert "clipped at 1e-10" in warning(SHARP).text
    # Far off, but it leaves no label out: nothing to do with zeros.
    assert warning(np.roll(0.99 * SHARP + 0.01 * EVEN, 1, axis=1)) is None


def test_halves_are_said_apart_only_where_their_intervals_are():
    def rows(calm, torn, half=0.01, n=6):
        return pd.DataFrame(
            [(False, calm, calm - half, calm + half, 7), (True, torn, torn - half, torn + half, n)],
            columns=["disputed", "value", "low", "high", "n"],
        )

    def text(frame):
        return in_words(summary.of_halves(frame, "a", "crowd", "JSD"))

    assert text(rows(0.1, 0.3)) == (
        "“a” is farther away where the crowd is divided: JS distance 0.30 [0.29, 0.31] on the more "
        "disputed 6 items, 0.10 [0.09, 0.11] on the other 7."
    )
    assert "is closer where" in text(rows(0.3, 0.1))
    same = text(rows(0.2, 0.21))
    assert "neither significantly closer nor farther away" in same and "disputed 6 items" in same
    # Five items, or intervals without width, decide nothing.
    for undecided in (rows(0.1, 0.3, n=5), rows(0.1, 0.3, half=0.0)):
        assert "neither significantly closer nor farther away" in text(undecided)
    assert "Too few" in text(None)


def scored(source, value, seeds=3):
    return {"source": source, "measure": "KL", "value": value, "low": value - 0.1,
            "high": value + 0.1, "n": 9, "seeds": seeds}  # fmt: skip


def apart(source, against, value, half):
    return {"source": source, "against": against, "measure": "KL", "value": value,
            "low": value - half, "high": value + half, "n": 9}  # fmt: skip


def trained(rows, pairs):
    return in_words(training_statement(training_finding(rows, pairs, "crowd")))


def test_of_a_training_the_best_source_its_rival_and_its_floor():
    rows = [scored("a", 0.2), scored("b", 0.4), scored("floor: mean of a", 0.5, seeds=0)]
    pairs = [apart("a", "b", -0.2, 0.1), apart("a", "floor: mean of a", -0.3, 0.4)]
    assert trained(rows, pairs) == (
        "Of 2 sources, training on “a” brings a classifier significantly closest to the crowd on 9 "
        "items: KL 0.20 [0.10, 0.30], next “b” 0.40 [0.30, 0.50]. It is not significantly closer "
        "than the mean distribution of “a” for every item (0.50 [0.40, 0.60])."
    )
    assert trained(rows, [apart("a", "b", -0.2, 0.3), *pairs[1:]]).startswith(
        "Of 2 sources, none trains a classifier significantly closest to the crowd on 9 items: “a” "
        "(KL 0.20 [0.10, 0.30]) is not significantly different from “b” (0.40 [0.30, 0.50])."
    )
    assert trained([rows[0], rows[2]], pairs).startswith(
        "A classifier trained on “a” reaches KL 0.20 [0.10, 0.30] on 9 items. It is not"
    )
    assert trained([], []) == "This training has no scores."


def test_a_training_is_not_best_of_many_by_one_interval_alone():
    # p is .04 against each of five others: not after Holm's correction.
    rows = [scored("a", 0.2), *(scored(f"b{k}", 0.3) for k in range(5))]
    pairs = [apart("a", f"b{k}", -0.1, 0.095) for k in range(5)]
    assert "none trains a classifier significantly closest" in trained(rows, pairs)
    assert "significantly closest to the crowd" in trained(rows[:2], pairs[:1])


def test_notes_are_sentences_and_simulation_is_not_said_twice():
    assert summary.sentences(["simulated data: no human judged", "3 are tied"]) == ["3 are tied."]


def test_many_names_are_not_all_listed():
    assert listed(["crowd", "uniform"]) == "the crowd and uniform"
    long = [f"embedded: no explanations, p_softmax T={t}" for t in (1, 20)]
    assert listed(long) == f"“{long[0]}” and “{long[1]}”"
    assert listed(list("abcdef")) == "“a”, “b”, “c” and 3 more"


def test_the_command_says_what_differs_from_its_defaults():
    plain = summary.command("mine", [], CompareConfig())
    assert plain == "python -m capo_core distributions compare --dataset mine"
    words = shlex.split(
        summary.command(
            "", ["a b"], CompareConfig("annotators, valid", 1e-3), ["single label"], ["one", "two"]
        )
    )
    assert [words[n + 1] for n, word in enumerate(words) if word == "--run"] == ["one", "two"]
    assert words[words.index("--file") + 1] == "a b.json"
    assert words[words.index("--against") + 1] == "annotators, valid"
    assert words[words.index("--source") + 1] == "single label"
    assert words[words.index("--clip") + 1] == "0.001"


def test_the_paragraph_names_the_numbers_it_is_about():
    made = report(source("crowd", SHARP), source("a", EVEN), source("b", SHARP[:1], items=["i0"]))
    text = methods_paragraph(made, {"items’": "f" * 64})
    assert "on the 12 items of hand-made" in text and "100 draws" in text
    assert f"(items’ {'f' * 16})" in text and "Not ranked: “b”." in text
    simulated = judgments_provenance(made.judgments).but(data=SIMULATED)
    for words in (to_markdown(made, simulated), to_html(made, simulated)):
        assert words.lower().count("simulated") > 3 and "no person wrote them" in words
        assert "Label distributions: hand-made (simulated data)" in words.replace("\\", "")
