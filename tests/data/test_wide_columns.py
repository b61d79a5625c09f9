"""Wide tables: who is an annotator, whose an explanation is, and what is asked about."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from capo_core.data import column_names
from capo_core.data.column_names import aggregates_among, is_aggregate
from capo_core.data.columns import parse_mapping
from capo_core.data.doubtful_annotators import DOUBTFUL, doubtful_annotators
from capo_core.data.importing import read_dataset
from capo_core.errors import ConfigError, DataError
from capo_core.json_text import json_text


def read(tmp_path, header, *rows, **options):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *rows])
    path = tmp_path / "t.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    if "map" in options:
        options["mapping"] = parse_mapping(options.pop("map"))
    result = read_dataset(path, name="x", **options)
    report = result.report
    assert report.rows_read == report.rows_kept + len(report.rejected)
    return result


def rows_of(result):
    columns = ["item_id", "annotator_id", "label", "explanation"]
    return sorted(result.dataset.annotations[columns].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("extra", "values"),
    [
        (["label_gold"], ["yes"]),
        (["final_label", "adjudicated_label"], ["yes", "no"]),
        (["majority_vote_label", "label_count"], ["yes", "2"]),
        (["label_agreement", "label_time"], ["0.67", "12.5"]),
        (["rating_mean", "rating_std"], ["2.5", "0.5"]),
        (["annotation_duration_s", "label_confidence"], ["31", "0.9"]),
        (["aggregated answer", "answer probability"], ["yes", "0.8"]),
        (["goldLabel", "text_label"], ["yes", "no"]),
        (["label_confidence_kim", "label_confidence_lee"], ["4", "5"]),
        (["score_min", "score_max"], ["1", "3"]),
        (["label"], ["yes"]),
        (["gold", "consensus"], ["yes", ""]),
        (["label_mode", "label_n"], ["no", "2"]),
        (["label_votes", "label_difficulty"], ["yes", "hard"]),
        (["label_mace", "label_dawid_skene", "crowd label"], ["no", "no", "no"]),
        (["label_source"], ["web"]),
        (["label_quux"], ["3"]),  # numbers beside words
    ],
)
def test_aggregates_and_metadata_are_no_annotators(tmp_path, extra, values):
    header = ["id", "text", "label_kim", "label_lee", *extra]
    found = read(
        tmp_path, header, ["1", "One.", "yes", "no", *values], ["2", "Two.", "no", "no", *values]
    )
    assert list(found.dataset.annotators) == ["kim", "lee"]
    assert found.dataset.task.scale.labels == ("no", "yes")
    note = next(note for note in found.report.notes if "no annotators, but aggregates" in note)
    assert all(repr(name) in note for name in extra)
    # A page shows the note, the command line its option too.
    assert "--" not in note and "--map label:NAME=COLUMN" in note.for_command_line


def test_a_model_among_the_annotators_stays_and_is_named(tmp_path):
    header = ["id", "text", "label_kim", "label_lee", "label_gpt4"]
    found = read(tmp_path, header, ["1", "One.", "yes", "no", "no"])
    assert list(found.dataset.annotators) == ["gpt4", "kim", "lee"]
    (note,) = [note for note in found.report.notes if DOUBTFUL in note]
    assert "a language model: 'gpt4'" in note and "delete its rows" in note


@pytest.mark.parametrize(
    ("people", "doubtful"),
    [
        (["ann", "ben", "gold"], ["'gold'"]),
        (["ann", "ben", "majority_vote", "adjudicated"], ["'majority_vote'", "'adjudicated'"]),
        (["ann", "consensus", "final", "gpt-4o"], ["'consensus'", "'final'", "'gpt-4o'"]),
        (["ann", "ben", "bert", "Max", "Claude"], []),
        (["gpt-4o", "llama3"], []),
        (["id_1", "id_2"], []),
    ],
)
def test_rows_of_an_aggregate_among_annotators_are_named_in_the_report(tmp_path, people, doubtful):
    rows = [["1", "One.", who, "yes"] for who in people]
    found = read(tmp_path, ["item_id", "text", "annotator", "label"], *rows)
    assert set(found.dataset.annotators) == set(people)
    notes = " ".join(note for note in found.report.notes if DOUBTFUL in note)
    assert all(name in notes for name in doubtful) and bool(notes) == bool(doubtful)


def test_an_aggregate_that_the_user_maps_is_an_annotator(tmp_path):
    header = ["id", "text", "label_kim", "label_gold"]
    found = read(tmp_path, header, ["1", "One.", "yes", "no"],
                 map=["label:kim=label_kim", "label:gold=label_gold"])  # fmt: skip
    assert list(found.dataset.annotators) == ["gold", "kim"]


@pytest.mark.parametrize("names", [("max", "tim"), ("alpha", "beta"), ("max", "kim")])
def test_people_whose_names_are_words_stay_people(tmp_path, names):
    header = ["id", "text", *(f"label_{name}" for name in names)]
    found = read(tmp_path, header, ["1", "One.", "yes", "no"])
    assert list(found.dataset.annotators) == sorted(names)


def test_a_column_of_times_is_no_annotator_whatever_its_name(tmp_path):
    header = ["id", "text", "label_kim", "label_lee", "label_zz"]
    rows = [[str(n), f"Text {n}", "ab"[n % 2], "ba"[n % 2], f"{n * 1.7:.2f}"] for n in range(20)]
    found = read(tmp_path, header, *rows)
    assert list(found.dataset.annotators) == ["kim", "lee"]
    assert any("'label_zz'" in note for note in found.report.notes)


@pytest.mark.parametrize(
    "header",
    [
        ["id", "tweet", "stance", "rationale_1", "rationale_2"],
        ["id", "text", "label", "why1", "why2"],
        ["id", "text", "final_label", "Explanation 1", "Explanation 2"],
        ["id", "sentence", "majority_label", "reason-1", "reason-2"],
        ["id", "text", "gold_label", "comment_1", "comment_2"],
    ],
)
def test_numbered_explanations_share_the_items_label(tmp_path, header):
    found = read(
        tmp_path, header, ["1", "One.", "pro", "so", "thus"], ["2", "Two.", "con", "no", ""]
    )
    assert rows_of(found) == [
        ("1", "1", "pro", "so"), ("1", "2", "pro", "thus"), ("2", "1", "con", "no"),
    ]  # fmt: skip
    notes = " ".join(found.report.notes)
    assert f"share the item's one label (column {header[2]!r})" in notes
    assert "1 of 4 cells are empty" in notes


def test_the_label_that_the_user_names_is_the_shared_one(tmp_path):
    header = ["id", "text", "verdict_old", "verdict_new", "why1", "why2"]
    found = read(tmp_path, header, ["1", "One.", "a", "b", "so", "thus"], map=["label=verdict_new"])
    assert {row[2] for row in rows_of(found)} == {"b"}


def test_explanations_without_annotators_are_asked_about(tmp_path):
    with pytest.raises(DataError, match="no column that says who wrote them") as asked:
        read(tmp_path, ["id", "text", "label", "rationale"], ["1", "One.", "yes", "so"])
    assert "'rationale'" in str(asked.value) and "'label'" in str(asked.value)
    assert "label:NAME=label explanation:NAME=rationale" in asked.value.option
    found = read(tmp_path, ["id", "text", "label", "rationale"], ["1", "One.", "yes", "so"],
                 map=["label:ada=label", "explanation:ada=rationale"])  # fmt: skip
    assert rows_of(found) == [("1", "ada", "yes", "so")]


def test_one_column_alone_is_asked_about(tmp_path):
    with pytest.raises(DataError, match="looks like an annotator's label: 'grade_label'") as asked:
        read(tmp_path, ["id", "text", "grade_label"], ["1", "One.", "yes"])
    assert "label:NAME=grade_label" in asked.value.option
    with pytest.raises(DataError, match="not annotators by their names: 'gold_label'"):
        read(tmp_path, ["id", "text", "gold_label"], ["1", "One.", "yes"])


def test_several_explanations_in_a_row_of_one_annotator_are_asked_about(tmp_path):
    header = ["id", "text", "worker", "label", "why1", "why2"]
    row = ["1", "One.", "w", "yes", "so", "thus"]
    with pytest.raises(DataError, match="'why1', 'why2' hold explanations"):
        read(tmp_path, header, row)
    assert rows_of(read(tmp_path, header, row, map=["explanation=why2"])) == [
        ("1", "w", "yes", "thus")
    ]
    header = ["id", "text", "worker", "label", "why1"]
    assert rows_of(read(tmp_path, header, row[:5])) == [("1", "w", "yes", "so")]


@pytest.mark.parametrize(
    ("first", "second"),
    [("worker_1", "worker_2"), ("annotator1_id", "annotator2_id"), ("Rater ID 1", "Rater ID 2")],
)
def test_columns_that_say_who_the_annotator_is(tmp_path, first, second):
    header = ["id", "text", first, "label_1", "reason_1", second, "label_2", "reason_2"]
    found = read(
        tmp_path, header,
        ["1", "One.", "kim", "yes", "a", "lee", "no", "b"],
        ["2", "Two.", "lee", "no", "c", "kim", "no", "d"],
        ["3", "Three.", "", "no", "e", "", "", ""],
    )  # fmt: skip
    assert rows_of(found) == [
        ("1", "kim", "yes", "a"), ("1", "lee", "no", "b"),
        ("2", "kim", "no", "d"), ("2", "lee", "no", "c"),
    ]  # fmt: skip
    assert found.report.reasons() == {"the annotator is missing": 1}


def test_columns_that_may_be_annotators_are_proposed(tmp_path):
    rows = [[str(n), f"Text {n}", "yn"[n % 2], "ny"[n % 3 % 2], "y", "yn"[n % 2]] for n in range(6)]
    with pytest.raises(DataError, match="the same few values: 'anna', 'ben'") as asked:
        read(tmp_path, ["id", "text", "anna", "ben", "note", "majority"], *rows)
    assert '"label:anna=anna" "label:ben=ben"' in asked.value.option
    assert "majority" not in asked.value.option
    found = read(tmp_path, ["id", "text", "Human 1", "Human 2", "note", "majority"], *rows)
    assert list(found.dataset.annotators) == ["Human 1", "Human 2"]


def test_lists_of_annotators_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds lists of annotators"):
        read(tmp_path, ["id", "text", "annotator", "label"], ["1", "One.", '["a", "b"]', "yes"],
             format="table")  # fmt: skip


def test_a_label_of_the_user_is_never_ignored(tmp_path):
    header = ["id", "text", "label_kim", "label_lee", "verdict"]
    with pytest.raises(DataError, match="no column was found for annotator_id"):
        read(tmp_path, header, ["1", "One.", "a", "b", "c"], map=["label=verdict"])
    with pytest.raises(ConfigError, match="is not in the file"):
        read(tmp_path, header, ["1", "One.", "a", "b", "c"], map=["annotator_id:1=nobody"])


def test_columns_of_aggregates_are_told_from_annotators_by_name():
    assert is_aggregate("num_annotators") and is_aggregate("Gold 1") and is_aggregate("hard")
    assert not any(map(is_aggregate, ("anna", "w12", "A1", "rater 3", "u1", "Zoë", "1")))
    assert not is_aggregate("n", ["m", "n", "o"]) and is_aggregate("n", ["ann", "n"])
    assert not is_aggregate("crowd_1", ["crowd_1", "crowd_2"]) and not is_aggregate("source")


@pytest.mark.parametrize("listed", [False, True])
def test_class_labels_of_hugging_face_take_their_names(tmp_path, listed):
    names = {"names": ["entailment", "neutral", "contradiction"], "_type": "ClassLabel"}
    feature = {"feature": names, "_type": "Sequence"} if listed else names
    values = [[0], [2], [1]] if listed else [0, 2, -1]
    table = pa.table({
        "item_id": ["1", "1", "2"], "annotator": ["a", "b", "a"], "label": values,
        "premise": ["P."] * 3, "hypothesis": ["H."] * 3,
    })  # fmt: skip
    features = {"item_id": {"dtype": "string", "_type": "Value"}, "label": feature}
    metadata = {b"huggingface": json_text({"info": {"features": features}}).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    found = read_dataset(tmp_path / "t.parquet", name="x")
    labels = found.dataset.annotations["label"].tolist()
    assert labels == (["entailment", "contradiction", "neutral"] if listed else labels[:2])
    assert labels[:2] == ["entailment", "contradiction"]
    assert any(
        "names of classes" in note and "0 → entailment" in note for note in found.report.notes
    )
    if not listed:  # -1 is "no label" there
        assert found.report.reasons() == {"the label is missing": 1}


def test_aggregates_among_many_names_are_those_that_each_has_alone():
    for names in (["ann", "max", "mean"], ["m", "n", "o"], ["ann", "n"], ["crowd", "crowd"],
                  ["n", "n 1"], ["max", "min"], ["gold", "vote a", "vote b"], []):  # fmt: skip
        assert aggregates_among(names) == [name for name in names if is_aggregate(name, names)]


def test_looking_for_aggregates_takes_time_by_the_number_of_annotators():
    names = [f"worker {n} of {n % 7}" for n in range(1000)]

    def looks():
        info = column_names._tokens.cache_info()
        return info.hits + info.misses

    before = looks()
    assert doubtful_annotators(names) == []
    assert looks() - before <= 10 * len(names)  # formerly their square
