"""Sentences of the page Distributions, each held to the numbers it is made of."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pandas as pd
import pytest

from capo_core.dashboard.distributions import summary
from capo_core.distributions.compare import COLUMNS, DIFFERENCES, CompareConfig
from capo_core.formatting import Statement

NAN = np.nan


def table(*rows) -> pd.DataFrame:
    """(source, value), or (source, measure, value), each ± 0.02 on 12 items."""
    full = [(row[0], "JSD", row[1]) if len(row) == 2 else row for row in rows]
    return pd.DataFrame(
        [(name, measure, v, v - 0.02, v + 0.02, 12, "") for name, measure, v in full],
        columns=list(COLUMNS),
    )


def apart(*rows) -> pd.DataFrame:
    """(source, against, nearer)"""
    return pd.DataFrame(
        [(one, other, "JSD", -0.1, -0.2, 0.0, 12, nearer) for one, other, nearer in rows],
        columns=list(DIFFERENCES),
    )


def said(rows, pairs=()) -> str:
    return summary.in_words(summary.headline(table(*rows), apart(*pairs), "crowd", "JSD"))


def test_the_nearest_and_whether_it_is_so_beyond_doubt():
    rows = [("a", 0.2), ("b", 0.3), ("uniform", 0.5)]
    assert said(rows, [("a", "b", "a"), ("a", "uniform", "a")]) == (
        "Of 2 sources, “a” is closest to the crowd (JSD 0.20 [0.18, 0.22] on 12 items), "
        "significantly closer than “b”; uniform baseline 0.50."
    )
    assert "; the difference from “b” is not significant" in said(rows, [("a", "b", "undecided")])


def test_the_nearest_on_other_items_is_not_called_nearer_than_who_beats_it_on_the_same():
    rows = [("a", 0.2), ("b", 0.3), ("uniform", 0.5)]
    text = said(rows, [("a", "b", "b"), ("a", "uniform", "uniform")])
    assert ", but on their common items “b” is significantly closer; uniform" in text
    assert text.endswith("0.50 (significantly closer on the same items).")


def test_a_floor_that_is_nearer_is_said_first():
    rows = [("a", 0.5), ("uniform", 0.2)]
    assert said(rows, [("a", "uniform", "uniform")]).startswith(
        "The uniform baseline is significantly closer to the crowd than every source (JSD 0.20)"
    )
    assert said(rows, [("a", "uniform", "undecided")]).startswith(
        "No source is significantly closer to the crowd than the uniform baseline (JSD 0.20)"
    )


def test_with_one_source_nothing_is_called_the_nearest():
    assert (
        said([("a", 0.2)]) == "“a” is compared with the crowd (JSD 0.20 [0.18, 0.22] on 12 items)."
    )


def test_with_the_floor_alone_that_is_said():
    assert said([("uniform", 0.3)]) == (
        "No source other than the uniform baseline is compared with the crowd yet: JSD 0.30 "
        "[0.28, 0.32] on 12 items."
    )


@pytest.mark.parametrize("rows", [[], [("a", NAN)]])
def test_with_nothing_to_compare_that_is_said(rows):
    assert "nothing is compared" in said(rows)


def test_items_of_one_side_are_counted():
    coverage = pd.DataFrame(
        [("a", 10, 8, 2, 4), ("b", 8, 8, 0, 4), ("c", 12, 12, 0, 0)],
        columns=["source", "items", "both", "only_source", "only_against"],
    )
    assert [summary.in_words(each) for each in summary.of_coverage(coverage, "crowd")] == [
        "Items of the crowd that a source lacks are excluded: “a” and “b” 4.",
        "Items that the crowd lacks are excluded: “a” 2.",
    ]


def test_kl_is_explained_only_where_zeros_rule_it():
    low = table(("a", "KL", 0.2), ("uniform", "KL", 0.4))
    high = table(("a", "KL", 9.0), ("uniform", "KL", 0.4))
    assert summary.of_kl(low, 1e-10, {"a"}) is None
    assert "clipped at 1e-10" in summary.of_kl(high, 1e-10, {"a"}).text
    # Far off, but it leaves no label out: nothing to do with zeros.
    assert summary.of_kl(high, 1e-10, {"another"}) is None


def test_halves_are_said_apart_only_where_their_intervals_are():
    def rows(calm, torn):
        return pd.DataFrame(
            [(False, calm, calm - 0.01, calm + 0.01, 6), (True, torn, torn - 0.01, torn + 0.01, 5)],
            columns=["disputed", "value", "low", "high", "n"],
        )

    def text(frame):
        return summary.in_words(summary.of_halves(frame, "a", "crowd", "JSD"))

    assert text(rows(0.1, 0.3)) == (
        "“a” is farther away where the crowd is divided: JSD 0.30 [0.29, 0.31] on the more "
        "disputed 5 items, 0.10 [0.09, 0.11] on the other 6."
    )
    assert "is closer where" in text(rows(0.3, 0.1))
    same = text(rows(0.2, 0.21))
    assert "about as far away" in same and "disputed 5 items" in same
    assert "Too few" in text(None)


def test_of_a_training_the_best_teacher_its_rival_and_its_floor():
    columns = ["set", "source", "measure", "value", "low", "high", "n", "seeds"]
    rows = pd.DataFrame(
        [("test", "a", "KL", 0.2, 0.1, 0.3, 9, 3), ("test", "b", "KL", 0.4, 0.3, 0.5, 9, 3),
         ("test", "floor: mean of a", "KL", 0.5, 0.4, 0.6, 9, 0)],
        columns=columns,
    )  # fmt: skip
    pairs = pd.DataFrame(
        [("test", "a", "b", "KL", -0.2, -0.3, -0.1, 9),
         ("test", "a", "floor: mean of a", "KL", -0.3, -0.5, 0.1, 9)],
        columns=["set", "source", "against", "measure", "value", "low", "high", "n"],
    )  # fmt: skip
    text = summary.in_words(summary.of_training(rows, pairs, "crowd"))
    assert text.startswith(
        "Of 2 sources, training on “a” brings a classifier closest to the crowd (KL 0.20"
    )
    assert "significantly closer than one trained on “b”" in text
    assert ": 0.50, not significantly farther away." in text
    one = summary.in_words(summary.of_training(rows[rows["source"] != "b"], pairs, "crowd"))
    assert one.startswith("A classifier trained on “a” reaches KL 0.20")
    assert "no scores" in summary.of_training(rows.iloc[:0], pairs, "crowd").text


def test_statements_carry_their_numbers_and_names():
    statement = summary.headline(
        table(("a", "JSD", 0.2), ("b", "JSD", 0.3)), apart(("a", "b", "a")), "crowd", "JSD"
    )
    assert statement.values["best"].key == "a" and statement.values["n"] == 12
    assert statement.values["value"].values["value"] == 0.2
    assert Statement.from_dict(json.loads(json.dumps(statement.to_dict()))) == statement


def test_notes_are_sentences_and_simulation_is_not_said_twice():
    assert summary.sentences(["simulated data: no human judged", "3 are tied"]) == ["3 are tied."]


def test_many_names_are_not_all_listed():
    assert summary.listed(["crowd", "uniform"]) == "the crowd and uniform"
    long = [f"embedded: no explanations, p_softmax T={t}" for t in (1, 20)]
    assert summary.listed(long) == f"“{long[0]}” and “{long[1]}”"
    assert summary.listed(list("abcdef")) == "“a”, “b”, “c” and 3 more"


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
    text = summary.methods_paragraph(
        "mine", CompareConfig(draws=500), table(("a", 0.2), ("uniform", 0.3)), {"items’": "f" * 64}
    )
    assert "on 12 items of mine" in text and "500 draws" in text and f"items’ {'f' * 16})" in text
