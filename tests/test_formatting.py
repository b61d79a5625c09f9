"""Numbers as text: never a certainty that was not measured, and statements with their parts."""

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from helpers.corpora import dataset

from capo_core import formatting
from capo_core.evaluation.streams import output_streams
from capo_core.formatting import Named, Statement
from capo_core.stability.evidence import by_annotator
from capo_core.study.scope import scope_sentence


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.624, 0, "62\u00a0%"),
        (1.0, 0, "100\u00a0%"),
        (0.0, 0, "0\u00a0%"),
        (0.9996, 0, "over 99\u00a0%"),
        (0.9996, 1, "over 99.9\u00a0%"),
        (0.0004, 0, "under 1\u00a0%"),
        (0.0004, 1, "under 0.1\u00a0%"),
        (1 - 1e-15, 0, "100\u00a0%"),  # 1 but for the arithmetic
        (math.nan, 0, "undefined"),
        (None, 0, "undefined"),
    ],
)
def test_a_share_as_text(share, digits, text):
    assert formatting.percent(share, digits) == text


def test_signs_are_minus_signs_and_nothing_has_none():
    assert formatting.number(-0.5) == "−0.50"
    assert formatting.number(-0.001) == "0.00" and formatting.number(-0.0, 0) == "0"
    assert formatting.signed(0.04) == "+0.04"
    assert formatting.signed(-0.001) == "0.00"
    assert formatting.points(-0.12) == "−12 points"
    assert formatting.points(0.01) == "1 point"


def test_intervals_at_an_end_have_a_decimal():
    assert formatting.percent_interval(0.58, 0.66) == "[58–66]"
    assert formatting.percent_interval(0.0, 0.004) == "[0–0.4]"
    assert formatting.percent_interval(0.996, 0.999) == "[99.6–99.9]"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (formatting.percent_interval(0.581, 0.584), "[58.1–58.4]"),
        (formatting.percent_interval(0.0, 0.0), "[no width]"),
        (formatting.percent_interval(0.99996, 1.0), "[no width]"),
        (formatting.percent_interval(0.9996, 1.0), "[99.96–100]"),
        (formatting.percent_interval(0.011, 0.014, 1), "[1.1–1.4]"),
        (formatting.points_interval(0.021, 0.024), "[2.1–2.4]"),
        (formatting.points_interval(-0.024, -0.021), "[−2.4 to −2.1]"),
        (formatting.points_interval(-0.001, 0.001), "[−0.1 to 0.1]"),
        (formatting.number_interval(0.331, 0.334), "[0.331–0.334]"),
        (formatting.number_interval(0.33, 0.33), "[no width]"),
        (formatting.number_interval(0.001, 0.2, apart=True), "[0.001–0.200]"),
        (formatting.number_interval(math.nan, 0.2), ""),
        (formatting.with_interval(0.5, 0.5, 0.5), "0.50 [no width]"),
        (formatting.with_interval(0.5, 0.499, 0.501), "0.50 [0.499, 0.501]"),
        (formatting.measured(0.5, 0.5, 0.5, 2).text, "0.50 [no width]"),
        (formatting.measured(0.5, math.nan, 0.5, 2).text, "0.50"),
        (formatting.span(["0.33", "0.33"]), "0.33"),
        (formatting.span(["0.33", "0.40"]), "0.33 to 0.40"),
    ],
)
def test_the_ends_of_an_interval_are_told_apart(shown, text):
    """Finding: "[0–0]" and "[0.33–0.33]", which say nothing of how sure a value is."""
    assert shown == text


def test_intervals_become_text_in_one_place():
    """No other file writes the two ends of an interval itself."""
    ends = re.compile(r"ends_text\(|\[\{[^\n]*low[^\n]*\}(–|, | to )\{[^\n]*high")
    here = Path(formatting.__file__)
    for path in sorted(here.parent.rglob("*.py")):
        if path != here:
            assert not ends.search(path.read_text(encoding="utf-8")), path


def test_counts_and_lists():
    assert formatting.count(1, "method") == "1 method"
    assert formatting.count(1933, "item") == "1,933 items"
    assert formatting.count(2, "analysis", "analyses") == "2 analyses"
    assert formatting.listed([]) == ""
    assert formatting.listed(["A"]) == "A"
    assert formatting.listed(["A", "B", "C"]) == "A, B and C"


def test_times_and_sizes():
    assert formatting.duration(2) == "a few seconds"
    assert formatting.duration(6000) == "1 h 40 min"
    assert formatting.elapsed(59.4) == "59 s"
    assert formatting.elapsed(9000) == "2.5 h"
    assert formatting.size(92_871_040) == "93 MB"
    assert formatting.size(12_345) == "12 kB" and formatting.size(7.84e9) == "7.8 GB"
    assert formatting.size(1.24e9) == "1.2 GB"


STATEMENT = Statement(
    "headline",
    "{best} is {gain:points} ahead of {rest} on {n:count item} ({share:percent 1}).",
    {
        "best": Named("method", "capo"),
        "rest": [Named("method", "sft"), Named("method", "icl")],
        "gain": 0.12,
        "n": 1,
        "share": 0.5,
    },
)


def test_a_statement_is_rendered_with_the_titles_of_the_place():
    assert STATEMENT.text == "capo is 12 points ahead of sft and icl on 1 item (50.0\u00a0%)."
    titled = STATEMENT.render(lambda kind, key: f"<{kind} {key.upper()}>")
    assert titled.startswith("<method CAPO> is 12 points ahead of <method SFT> and <method ICL>")


def test_a_statement_survives_json_and_old_texts_are_texts():
    again = Statement.from_dict(json.loads(json.dumps(STATEMENT.to_dict())))
    assert again == STATEMENT and again.text == STATEMENT.text
    assert again.values["best"] == Named("method", "capo")
    old = Statement.from_dict({"topic": "leak", "text": "Set {x} is 5 %."})
    assert old.text == "Set {x} is 5 %."


def test_joined_statements_keep_their_own_values():
    one = Statement("a", "{n:count item} here.", {"n": 1})
    two = Statement("b", "{n:count item} there, {{so}}.", {"n": 2})
    assert one.joined(None, two).text == "1 item here. 2 items there, {so}."


def test_a_statement_may_be_a_part_of_another_one():
    part = Statement("share", "{share:rate} of {who}", {"share": 0.004, "who": Named("a", "b")})
    values = {"parts": [part, part], "value": formatting.measured(0.5, 0.4, 0.6)}
    whole = Statement("whole", "It has {parts:apart}; {value}.", values)
    text = whole.render(lambda kind, key: key.upper())
    assert text == "It has 0.4\u00a0% of B; 0.4\u00a0% of B; 0.50 [0.40, 0.60]."
    assert Statement.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    assert formatting.measured(0.5, float("nan"), float("nan")).text == "0.50"


def test_many_names_are_cut_with_a_count():
    people = [f"w{n}" for n in range(506)]
    assert formatting.name_list(people).endswith("w10, w11 and 494 more")
    assert formatting.quoted_names(people, 2) == "'w0', 'w1' and 504 more"
    assert formatting.listed(people).endswith("w11 and 494 more")
    assert formatting.name_list([]) == "none"
    assert formatting.name_list(["a", "b"]) == "a, b"


# What is no text for readers: a name that runs are known by, progress of a run, a style sheet.
NO_TEXT = {
    "capo_core/distributions/explanations.py",
    "capo_core/cli/runs.py",
    "capo_core/dashboard/distributions/items.py",
}


def test_shares_become_text_in_one_place():
    """No "{100 * share:.0f} %" and no "{share:.0%}" beside `formatting.percent`.

    It says "over 99 %" of a share that is not 1, and has one space before the sign.
    """
    root = Path(__file__).parents[1]
    own = re.compile(r"\{100 \* [^{}]*:\.\df\}\s?%|\{[^{}]*:\.\d%\}")
    found = {
        path.relative_to(root).as_posix()
        for path in (root / "capo_core").rglob("*.py")
        if own.search(path.read_text(encoding="utf-8"))
    }
    assert found - NO_TEXT == set()
    assert (
        formatting.p_statement(0.0001) == "p ≤ 0.001"
        and formatting.p_statement(0.034) == "p = 0.034"
    )


def test_annotators_are_in_natural_order_wherever_they_are_listed():
    names = [
        "Ann10",
        "Ann1",
        "Ann0",
        "Ann2",
        "10",
        "9",
        "rater b2 x10",
        "rater b2 x9",
        "٣",
        "Ann02",
    ]
    assert formatting.natural_order(names) == [
        "٣", "9", "10", "Ann0", "Ann1", "Ann02", "Ann2", "Ann10", "rater b2 x9", "rater b2 x10",
    ]  # fmt: skip
    assert formatting.natural_order(["b", "A", "a", "9" * 5000]) == ["9" * 5000, "A", "a", "b"]


def test_a_dataset_and_what_lists_its_annotators_have_one_order():
    who = [f"Ann{number}" for number in (10, 1, 2, 0)]
    data = dataset([("i1", name, "because it says so") for name in who])
    wanted = ["Ann0", "Ann1", "Ann2", "Ann10"]
    assert list(data.annotators) == wanted
    groups = pd.DataFrame(
        {"group": who, "annotator_id": who, "correct": True, "predicted": who}, dtype=object
    )
    assert by_annotator(groups)["annotator_id"].tolist() == wanted
    assert "(Ann1 and Ann10)" in scope_sentence(who[:2], who)
    outputs = pd.DataFrame(
        {"item_id": "i1", "target_annotator_id": who, "sample": 0, "label": "neutral",
         "explanation": "so", "ok": True}
    )  # fmt: skip
    streams = output_streams(outputs, ("i1",), source="sft")
    assert [one.target for one in streams] == wanted
