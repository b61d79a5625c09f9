"""Sources: what is refused, what a dataset and a file give."""

import numpy as np
import pytest
from helpers.distribution_sources import judgments, row, small_dataset, source, write_lines

from capo_core.distributions.files import merge_judgments, read_judgments
from capo_core.distributions.judgments import from_counts, mean_of
from capo_core.distributions.sources import dataset_judgments
from capo_core.errors import DataError


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([[0.5, 0.4, 0.0]], "does not sum to one"),
        ([[0.5, 0.6, -0.1]], "negative"),
        ([[0.5, np.nan, 0.5]], "no number"),
        ([[0.5, np.inf, 0.5]], "no number"),
    ],
)
def test_what_is_no_distribution_is_refused_and_named(shares, words):
    with pytest.raises(DataError, match=words) as error:
        source("s", shares)
    assert "item 'i0'" in str(error.value) and "1 of 1" in str(error.value)


def test_rounded_shares_are_brought_to_sum_one():
    made = source("s", [[0.33, 0.33, 0.33]])
    np.testing.assert_allclose(made.shares, 1 / 3)


def test_an_item_twice_is_refused():
    with pytest.raises(DataError, match="occurs twice"):
        source("s", [[1, 0, 0], [1, 0, 0]], items=["a", "a"])


def test_counts_nobody_gave_are_left_out():
    made = from_counts("s", ("a", "b"), ["x", "y"], np.array([[1, 3], [0, 0]]))
    assert made.item_ids == ("x",)
    assert made.shares.tolist() == [[0.25, 0.75]] and made.people.tolist() == [4]
    with pytest.raises(DataError, match="counts"):
        from_counts("s", ("a", "b"), ["x"], np.array([[1, -1]]))


def test_the_mean_of_sources_is_on_what_all_have():
    one, other = source("a", [[1, 0, 0], [0, 1, 0]]), source("b", [[0, 1, 0]], items=["i1"])
    team = mean_of("team", [one, other])
    assert team.item_ids == ("i1",) and team.shares.tolist() == [[0, 1, 0]]
    with pytest.raises(DataError, match="no item"):
        mean_of("team", [one, source("c", [[1, 0, 0]], items=["z"])])


def test_other_labels_and_unknown_items_are_refused():
    with pytest.raises(DataError, match="unknown labels 'yes'"):
        judgments(source("s", [[1, 0]], labels=("yes", "no")))
    with pytest.raises(DataError, match="another order"):
        judgments(source("s", [[1, 0, 0]], labels=("neutral", "entailment", "contradiction")))
    good = judgments(source("crowd", [[1, 0, 0]]))
    with pytest.raises(DataError, match="unknown items"):
        good.with_sources([source("s", [[1, 0, 0]], items=["elsewhere"])])


def test_the_sources_of_a_dataset():
    found = dataset_judgments(small_dataset())
    assert [one.name for one in found.sources] == [
        "crowd", "annotators", "annotators, valid", "single label", "annotator ann",
        "annotator bob", "uniform",
    ]  # fmt: skip
    assert found.source("crowd").shares.tolist() == [[0.4, 0.6, 0], [0, 1, 0]]
    assert found.source("annotators").shares.tolist() == [[0, 1, 0], [0.5, 0.5, 0]]
    # bob's "neutral" on x was refused by validation.
    assert found.source("annotators, valid").people.tolist() == [1, 2]
    single = found.source("single label")
    assert single.shares[0].tolist() == [0, 1, 0]
    assert single.shares[1].sum() == 1 and single.shares[1].max() == 1
    assert "1 of 2 items" in found.notes[0]
    assert found.explanations["explanation"].tolist() == ["Because so.", "It is.", "Surely."]
    assert found.explanations["position"].tolist() == [0, 1, 0]


def test_a_dataset_without_crowd_has_no_such_source():
    assert "crowd" not in [
        one.name for one in dataset_judgments(small_dataset(crowd=False)).sources
    ]


LINES = [
    row(1, **{"chaos probs": [0.2, 0.5, 0.3], "own labels": [1, 3, 0],
              "mnli labels": ["n", [0, 4, 1]], "comments": [["Why  so.", "n"], ["x", "e"]]}),
    row(2, **{"chaos probs": [0.1, 0.1, 0.8], "own labels": [0, 0, 4],
              "mnli labels": ["c", [0, 1, 4]], "comments": [["No.", "c"]]}),
]  # fmt: skip


def test_every_field_of_a_file_is_read_by_its_shape(tmp_path):
    found = read_judgments(write_lines(tmp_path / "f.json", LINES))
    by = {one.name: one for one in found.sources}
    assert list(by) == ["crowd", "own labels", "mnli labels, single label",
                        "mnli labels, distribution", "labels of comments", "uniform"]  # fmt: skip
    np.testing.assert_allclose(by["crowd"].shares, [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert by["own labels"].shares[0].tolist() == [0.25, 0.75, 0]
    assert by["own labels"].people.tolist() == [4, 4]
    assert by["mnli labels, single label"].shares.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert by["mnli labels, distribution"].shares[0].tolist() == [0, 0.8, 0.2]
    assert found.explanations["explanation"].tolist() == ["Why  so.", "x", "No."]
    assert found.explanations["label"].tolist() == ["neutral", "entailment", "contradiction"]


def test_the_only_distribution_is_the_crowds(tmp_path):
    found = read_judgments(write_lines(tmp_path / "f.json", [row(1, label=[0.5, 0.25, 0.25])]))
    assert [one.name for one in found.sources] == ["crowd", "uniform"]


def test_ordinal_labels_are_named_in_order(tmp_path):
    lines = [{"text": "t", "label": [0.5, 0.25, 0.25]}]
    found = read_judgments(write_lines(tmp_path / "f.json", lines), ["-1", "0", "1"])
    assert found.task.scale.ordinal and found.source("crowd").labels == ("-1", "0", "1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (row(2, label=[0.5, 0.2, 0.1]), "sums to 0.8, not to 1"),
        (row(2, label=[0.5, 0.5]), "3 numbers"),
        (row(2, label=[0.5, float("nan"), 0.5]), "0 or more"),
        (row(2, label="x"), "3 numbers"),
        (row(1, label=[1, 0, 0]), "occurs twice"),
        ({"premise": "", "label": [1, 0, 0]}, "no text"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, words):
    path = write_lines(tmp_path / "f.json", [row(1, label=[1, 0, 0]), line])
    with pytest.raises(DataError, match=words) as error:
        read_judgments(path)
    assert "f.json, line 2" in str(error.value)


def test_an_unknown_label_is_named(tmp_path):
    path = write_lines(tmp_path / "f.json", [row(1, comments=[["why", "x"]])])
    with pytest.raises(DataError, match="unknown label 'x'"):
        read_judgments(path)
    path = write_lines(tmp_path / "g.json", [row(1, mnli=["q", [1, 0, 0]])])
    with pytest.raises(DataError, match="unknown label 'q'"):
        read_judgments(path)


def test_lines_that_are_no_json_are_counted_not_lost(tmp_path):
    path = tmp_path / "f.json"
    write_lines(path, [row(1, label=[1, 0, 0]), row(2, label=[0, 1, 0])])
    path.write_text(path.read_text(encoding="utf-8") + "\n{broken", encoding="utf-8")
    found = read_judgments(path)
    assert len(found.items) == 2 and "1 line left out" in found.notes[0]


def test_a_file_without_judgments_is_refused(tmp_path):
    with pytest.raises(DataError, match="neither label distributions nor explanations"):
        read_judgments(write_lines(tmp_path / "f.json", [row(1, remark="x")]))
    with pytest.raises(DataError, match="cannot be read"):
        read_judgments(tmp_path / "none.json")


def test_two_files_about_the_same_items_go_together(tmp_path):
    first = read_judgments(write_lines(tmp_path / "a.json", LINES))
    more = [row(2, model=[0, 0, 1]), row(9, model=[1, 0, 0])]
    both = merge_judgments(first, read_judgments(write_lines(tmp_path / "b.json", more)))
    # Alone, "model" would not be taken for the crowd: it is called neither so nor "label".
    assert both.source("model").item_ids == (first.items["item_id"].iloc[1],)
    other = read_judgments(write_lines(tmp_path / "c.json", [row(8, model=[1, 0, 0])]))
    with pytest.raises(DataError, match="no item in common"):
        merge_judgments(first, other)
