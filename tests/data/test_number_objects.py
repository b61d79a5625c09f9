"""Objects of names with numbers: counts per label, annotators' ratings, or neither; all made up."""

import json

import pytest
from helpers.field_files import TEXTS, found

from capo_core.data.importing import read_dataset
from capo_core.errors import DataError

RATED = ({"w1": 4, "w2": 5, "w3": 3}, {"w1": 1, "w2": 1, "w3": 2}, {"w1": 5, "w2": 2, "w3": 2})
NAMED = ({"anna": 1, "ben": 1, "cleo": 0}, {"anna": 0, "ben": 0, "cleo": 0}, {"anna": 1, "ben": 0})


def written(folder, field, objects, **beside):
    path = folder / "x.jsonl"
    rows = [
        {"id": n, "text": TEXTS[n % len(TEXTS)] + f" {n}", field: each}
        | {name: values[n] for name, values in beside.items()}
        for n, each in enumerate(objects)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("field", ["votes", "annotator_labels", "worker_labels", "judgments"])
def test_objects_of_annotators_and_ratings_are_annotations(tmp_path, field):
    path = written(tmp_path, field, RATED)
    answers, _ = found(path)
    assert {who for who, _ in answers} == {"w1", "w2", "w3"} and len(answers) == 9
    assert answers["w2", f"{TEXTS[0]} 0"][0] == "5"


@pytest.mark.parametrize(
    ("field", "objects"),
    [
        ("labels", NAMED),
        ("votes", NAMED),
        ("labels", RATED),
        ("scores", RATED),
        ("ratings", [{"1": 3, "2": 0}, {"1": 1, "2": 4}]),  # stars, or people?
        ("scores", [{"fluency": 3, "coherence": 4}, {"fluency": 1, "coherence": 4}]),
        ("ratings", [{"fluency": 3, "coherence": 4}, {"fluency": 1, "coherence": 4}]),
        ("stats", [{"likes": 20, "shares": 1}, {"likes": 63, "shares": 4}]),
    ],
)
def test_what_may_be_either_is_asked_about(tmp_path, field, objects):
    path = written(tmp_path, field, objects)
    with pytest.raises(DataError, match="objects of names with numbers") as asked:
        read_dataset(path, name="x")
    assert "--format crowd-counts" in asked.value.option and "--format lists" in asked.value.option
    people = read_dataset(path, name="x", format="lists").dataset
    assert set(people.annotators) == {key for each in objects for key in each}
    assert len(people.annotations) == sum(map(len, objects))
    if field != "labels" or objects is RATED:
        counts = read_dataset(path, name="x", format="crowd-counts").dataset
        assert not len(counts.annotations) and set(counts.task.scale.labels) == set(objects[0])


@pytest.mark.parametrize(
    ("field", "objects", "beside"),
    [
        ("people_said", [{"yes": 3, "no": 2}, {"yes": 1, "no": 2}], {}),  # known labels
        ("annotations", [{"entailment": 3, "neutral": 2}], {}),
        ("given", [{"rude": 3, "kind": 2}, {"rude": 1, "kind": 1}], {"n": [5, 2]}),  # a total
        ("votes", [{"rude": n, "kind": 5 - n} for n in range(5)], {}),  # the same sum
        ("label_counts", [{"rude": 3, "kind": 2}, {"rude": 1, "kind": 1}], {}),  # its name
        ("crowd", [{"rude": 3, "kind": 2}, {"rude": 1, "kind": 1}], {"votes": [5, 2]}),
    ],
)
def test_counts_are_known_by_labels_sums_or_names(tmp_path, field, objects, beside):
    dataset = read_dataset(written(tmp_path, field, objects, **beside), name="x").dataset
    assert not len(dataset.annotations)
    assert set(objects[0]) <= set(dataset.task.scale.labels)
    assert dataset.crowd["count"].sum() == sum(sum(each.values()) for each in objects)


def test_annotators_beside_counts_are_the_annotations(tmp_path):
    counts = [{"4": 1, "5": 1, "3": 1}, {"1": 2, "2": 1}, {"5": 1, "2": 2}]
    answers, _ = found(written(tmp_path, "annotator_labels", RATED, label_counts=counts))
    assert len(answers) == 9 and answers["w3", f"{TEXTS[1]} 1"][0] == "2"
