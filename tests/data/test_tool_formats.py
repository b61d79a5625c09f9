"""Exports of annotation tools: what was answered is found again, and nothing else."""

import json
import os

import pytest
from helpers import tool_exports as tools
from helpers.tool_exports import TEXTS, WRITERS, Given
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capo_core.data.columns import parse_mapping
from capo_core.data.importing import read_dataset
from capo_core.errors import ConfigError, DataError

ANSWERS = [
    Given(0, "ann@x.example", ("joy",), "it glows, because it is green"),
    Given(0, "ben@x.example", ("joy", "anger"), "both of it in one line"),
    Given(0, "cem@x.example", ("none",), "nothing to see here at all"),
    Given(1, "ann@x.example", ("anger",), "dogs do not read any maps"),
    Given(1, "ben@x.example", ("none",), "", counts=False),
    Given(1, "cem@x.example", ("anger",), "a map is not for dogs at all"),
    Given(2, "ann@x.example", ("none",), "rain never falls up like that"),
    Given(2, "cem@x.example", ("joy",), "how nice when rain falls up"),
]


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def found(read):
    """What an import holds: (text, annotator, label, explanation), sorted."""
    data = read.dataset
    texts = dict(zip(data.items["item_id"], data.items["text_a"], strict=True))
    columns = (data.annotations[c] for c in ("item_id", "annotator_id", "label", "explanation"))
    return sorted((texts[item], *rest) for item, *rest in zip(*columns, strict=True))


def told(answers, name=""):
    prefix = "emotions-" if name == "Prodigy" else ""
    return sorted(
        (each.text, prefix + each.who, label, each.why)
        for each in answers
        if each.counts
        for label in each.labels
    )


@pytest.mark.parametrize("name", WRITERS)
def test_answers_are_found_again(tmp_path, name):
    format_name, writer = WRITERS[name]
    read = read_dataset(write(tmp_path, *writer(ANSWERS)), name="x")
    assert read.report.format == format_name
    assert found(read) == told(ANSWERS, name)
    aside = 0 if name in tools.WITHOUT_ASIDE else 1
    assert len(read.report.rejected) == aside
    assert read.report.rows_read == read.report.rows_kept + aside
    assert any("recognised by" in note for note in read.report.notes)
    assert any("1 answer with several labels" in note for note in read.report.notes)


PEOPLE = ("ann", "ben", "cem", "7")
LABELS = st.lists(st.sampled_from(["joy", "anger", "none"]), min_size=1, max_size=3, unique=True)
WORDS = st.sampled_from(["", "it is so", "I see it in the very first word", 'because, "so"; yes'])
CASES = st.dictionaries(
    st.tuples(st.integers(0, len(TEXTS) - 1), st.sampled_from(PEOPLE)),
    st.tuples(LABELS, WORDS, st.booleans()),
    min_size=1,
    max_size=12,
).map(
    lambda cases: [
        Given(item, who, tuple(labels), why, counts)
        for (item, who), (labels, why, counts) in cases.items()
    ]
)


def check_random_case(folder, name, answers):
    """Rows in = kept + set aside, and what is kept is what was answered."""
    counted = [each for each in answers if each.counts]
    if not counted:
        return
    read = read_dataset(write(folder, *WRITERS[name][1](answers)), name="x")
    aside = 0 if name in tools.WITHOUT_ASIDE else len(answers) - len(counted)
    assert found(read) == told(answers, name)
    assert len(read.report.rejected) == aside
    assert read.report.rows_read == sum(len(each.labels) for each in counted) + aside


SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=int(os.environ.get("CAPO_EXAMPLES", "60")), **SETTINGS)
@given(st.sampled_from(sorted(WRITERS)), CASES)
def test_random_answers_are_found_again(tmp_path, name, answers):
    check_random_case(tmp_path, name, answers)


@pytest.mark.slow
@settings(max_examples=3000, derandomize=False, **SETTINGS)
@given(st.sampled_from(sorted(WRITERS)), CASES)
def test_new_random_answers_are_found_again(tmp_path, name, answers):
    check_random_case(tmp_path, name, answers)


# --- Label Studio


def task(*annotations, data=None, **more):
    return {"id": 1, "data": data or {"text": TEXTS[0]}, "annotations": list(annotations), **more}


def annotation(result, who=1, **more):
    return {"id": who, "completed_by": who, "result": result, "was_cancelled": False, **more}


def result(name, kind, value):
    return {"from_name": name, "to_name": "text", "type": kind, "value": value}


def labels(read):
    return read.dataset.annotations["label"].tolist()


def test_label_studio_ratings_taxonomies_and_pairs_are_labels(tmp_path):
    for kind, value, label in (
        ("rating", {"rating": 4}, "4"),
        ("number", {"number": 7}, "7"),
        ("taxonomy", {"taxonomy": [["Animal", "Dog"]]}, "Animal > Dog"),
        ("pairwise", {"selected": "left"}, "left"),
    ):
        given_ = [result("q", kind, value)]
        path = write(
            tmp_path, "t.json", json.dumps([task(annotation(given_), annotation(given_, 2))])
        )
        assert labels(read_dataset(path, name="x")) == [label, label]


def test_label_studio_spans_alone_are_refused_and_beside_choices_named(tmp_path):
    span = result("ner", "labels", {"start": 0, "end": 3, "labels": ["LAMP"]})
    path = write(tmp_path, "t.json", json.dumps([task(annotation([span]))]))
    with pytest.raises(DataError, match="they label parts of an item"):
        read_dataset(path, name="x")
    both = [span, result("q", "choices", {"choices": ["yes"]})]
    path = write(tmp_path, "t.json", json.dumps([task(annotation(both))]))
    read = read_dataset(path, name="x")
    assert labels(read) == ["yes"]
    assert any("not read, they label parts of an item" in note for note in read.report.notes)


def test_label_studio_asks_which_of_two_choices_is_the_label(tmp_path):
    both = [result("mood", "choices", {"choices": ["good"]}),
            result("topic", "choices", {"choices": ["light"]})]  # fmt: skip
    path = write(tmp_path, "t.json", json.dumps([task(annotation(both), annotation(both, 2))]))
    with pytest.raises(DataError, match=r"2 questions could be the label: 'mood' \(such as 'good'"):
        read_dataset(path, name="x")
    read = read_dataset(path, name="x", mapping=parse_mapping(["label=topic"]))
    assert labels(read) == ["light", "light"]
    assert any("not read: 'mood'" in note for note in read.report.notes)
    with pytest.raises(ConfigError, match="'tone', chosen for label, is not in the file"):
        read_dataset(path, name="x", mapping=parse_mapping(["label=tone"]))


def test_label_studio_empty_results_and_tasks_are_no_labels(tmp_path):
    yes = [result("q", "choices", {"choices": ["yes"]})]
    tasks = [task(annotation(yes), annotation([], 2)), {**task(), "id": 2}]
    read = read_dataset(write(tmp_path, "t.json", json.dumps(tasks)), name="x")
    assert labels(read) == ["yes"]
    assert read.report.reasons() == {"submitted without any answer": 1}
    assert "1 task without any annotation" in read.report.notes


def test_label_studio_premise_and_hypothesis_are_the_texts(tmp_path):
    data = {"premise": TEXTS[0], "hypothesis": TEXTS[1], "source": "web"}
    yes = [result("q", "choices", {"choices": ["entailment"]})]
    path = write(tmp_path, "t.json", json.dumps([task(annotation(yes), data=data)]))
    read = read_dataset(path, name="x")
    assert read.dataset.items[["text_a", "text_b"]].to_numpy().tolist() == [list(TEXTS[:2])]
    assert read.dataset.task.name == "natural language inference"


# --- Argilla


def test_argilla_drafts_are_set_aside_and_rankings_not_read(tmp_path):
    record = {
        "id": "1",
        "text": TEXTS[0],
        "q.responses": ["yes", "no"],
        "q.responses.users": ["u0", "u1"],
        "q.responses.status": ["submitted", "draft"],
        "order.responses": [[{"value": "a", "rank": 1}], [{"value": "b", "rank": 1}]],
        "order.responses.users": ["u0", "u1"],
        "order.responses.status": ["submitted", "draft"],
    }
    read = read_dataset(write(tmp_path, "r.json", json.dumps([record])), name="x")
    assert labels(read) == ["yes"]
    assert read.report.reasons() == {"a draft in Argilla, not submitted": 1}
    assert "rankings and spans are not read: 'order'" in read.report.notes


def test_argilla_columns_of_lists_and_text_classification(tmp_path):
    rows = tools.argilla_2(ANSWERS)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    read = read_dataset(write(tmp_path, "r.json", json.dumps(columns)), name="x")
    assert found(read) == told(ANSWERS)
    old = [
        {"id": "1", "text": TEXTS[0], "inputs": {"text": TEXTS[0]}, "prediction": [["NO", 0.9]],
         "annotation": "YES", "annotation_agent": "ann", "status": "Validated"},
        {"id": "2", "text": TEXTS[1], "inputs": {"text": TEXTS[1]}, "prediction": [["NO", 0.9]],
         "annotation": None, "annotation_agent": None, "status": "Default"},
        {"id": "3", "text": TEXTS[2], "inputs": {"text": TEXTS[2]}, "prediction": None,
         "annotation": "YES", "annotation_agent": "ben", "status": "Discarded"},
    ]  # fmt: skip
    read = read_dataset(write(tmp_path, "o.jsonl", tools.lines(old)), name="x")
    assert found(read) == [(TEXTS[0], "ann", "YES", "")]
    assert read.report.reasons() == {"discarded in Argilla": 1}


# --- Prodigy


def decision(answer, label="SPORT", who="db-a", text=TEXTS[0], **more):
    made = {"text": text, "_input_hash": hash(text) % 1000, "answer": answer, "_session_id": who}
    return made | ({"label": label} if label else {}) | more


def test_prodigy_binary_decisions_on_one_label(tmp_path):
    rows = [decision("accept"), decision("reject", who="db-b"), decision("ignore", who="db-c")]
    read = read_dataset(write(tmp_path, "p.jsonl", tools.lines(rows)), name="x")
    assert found(read) == [(TEXTS[0], "db-a", "SPORT", ""), (TEXTS[0], "db-b", "not SPORT", "")]
    assert read.report.reasons() == {"ignored in Prodigy": 1}


def test_prodigy_binary_decisions_on_several_labels_say_only_what_is_accepted(tmp_path):
    rows = [decision("accept"), decision("accept", "ART", "db-b"), decision("reject", "ART")]
    read = read_dataset(write(tmp_path, "p.jsonl", tools.lines(rows)), name="x")
    assert sorted(labels(read)) == ["ART", "SPORT"]
    (reason,) = read.report.reasons()
    assert "'ART' is wrong, not what is right" in reason


def test_prodigy_spans_are_refused_and_rejected_choices_set_aside(tmp_path):
    span = [{"start": 0, "end": 3, "label": "LAMP"}]
    rows = [decision("accept", label="", spans=span), decision("accept", label="", spans=[])]
    with pytest.raises(DataError, match="spans or relations: they label parts of a text"):
        read_dataset(write(tmp_path, "p.jsonl", tools.lines(rows)), name="x")
    options = [{"id": 0, "text": "good"}, {"id": 1, "text": "bad"}]
    rows = [decision("accept", "", options=options, accept=[1]),
            decision("reject", "", "db-b", options=options, accept=[])]  # fmt: skip
    read = read_dataset(write(tmp_path, "p.jsonl", tools.lines(rows)), name="x")
    assert labels(read) == ["bad"]
    assert "rejected in Prodigy" in next(iter(read.report.reasons()))


def test_prodigy_without_annotators_is_asked_about(tmp_path):
    rows = [{key: value for key, value in decision("accept").items() if key != "_session_id"}]
    with pytest.raises(DataError, match="no answer names its annotator") as caught:
        read_dataset(write(tmp_path, "p.jsonl", tools.lines(rows)), name="x")
    assert "--annotator" in caught.value.option


# --- doccano


def test_doccano_of_one_user_is_named_after_the_file(tmp_path):
    path = write(tmp_path, *tools.doccano_user(ANSWERS, "ann@x.example"))
    read = read_dataset(path, name="x")
    assert read.report.format == "doccano"
    assert found(read) == told([each for each in ANSWERS if each.who == "ann@x.example"])
    path = path.rename(tmp_path / "all.jsonl")
    with pytest.raises(DataError, match="no answer names its annotator"):
        read_dataset(path, name="x")


def test_doccano_spans_are_refused(tmp_path):
    rows = [{"id": 1, "text": TEXTS[0], "label": [[0, 3, "LAMP"]], "Comments": []}]
    with pytest.raises(DataError, match=r"parts of a text \(\[start, end, label\]\)"):
        read_dataset(write(tmp_path, "ann.jsonl", tools.lines(rows)), name="x")


def test_doccano_older_versions_and_csv(tmp_path):
    given_ = [{"id": 5, "label": 2, "user": 1}, {"id": 6, "label": 3, "user": 4}]
    old = [{"id": 1, "text": TEXTS[0], "meta": {}, "annotations": given_}]
    read = read_dataset(write(tmp_path, "all.json1", tools.lines(old)), name="x")
    assert found(read) == [(TEXTS[0], "1", "2", ""), (TEXTS[0], "4", "3", "")]
    oldest = [{"doc_id": 1, "text": TEXTS[0], "labels": ["joy", "anger"], "username": "ann"}]
    read = read_dataset(write(tmp_path, "x.jsonl", tools.lines(oldest)), name="x")
    assert found(read) == [(TEXTS[0], "ann", "anger", ""), (TEXTS[0], "ann", "joy", "")]
    rows = [{"id": 1, "text": TEXTS[0], "label": "joy#anger", "Comments": ""}]
    read = read_dataset(write(tmp_path, "ann.csv", tools.table(rows)), name="x")
    assert sorted(labels(read)) == ["anger", "joy"]


# --- Potato


def test_potato_state_of_a_users_folder(tmp_path):
    folder = tmp_path / "ann"
    folder.mkdir()
    path = write(folder, *tools.potato_state(ANSWERS, "ann@x.example"))
    read = read_dataset(path, name="x")
    assert read.report.format == "potato"
    columns = ["item_id", "annotator_id", "label", "explanation"]
    assert read.dataset.annotations[columns].to_numpy().tolist() == [
        [f"item_{each.item}", "ann@x.example", each.labels[0], each.why]
        for each in ANSWERS
        if each.who == "ann@x.example"
    ]


@pytest.mark.parametrize(
    "written, label",
    [
        ({"q": {"good": "true"}}, "good"),
        ({"q": {"good": True, "bad": False}}, "good"),
        ({"q": {"good": "1"}}, "good"),  # the number of its key
        ({"q": {"labels": {"good": True}}}, "good"),
        ([[{"schema": "q", "name": "good"}, True]], "good"),
        ([[{"schema": "q", "name": "scale_3"}, "3"]], "3"),
        ({"q": {"scale_3": "true"}}, "3"),
        ({"q": {"slider": "5"}}, "5"),
        ({"q": "good"}, "good"),
    ],
)
def test_potato_values_in_all_forms(tmp_path, written, label):
    state = {"user_id": "ann", "instance_id_to_label_to_value": {"i1": written}}
    assert labels(read_dataset(write(tmp_path, "u.json", json.dumps(state)), name="x")) == [label]


def test_potato_table_with_a_column_for_each_scheme(tmp_path):
    rows = [{"instance_id": "i1", "user_id": "ann", "mood": "good", "why": "so"},
            {"instance_id": "i1", "user_id": "ben", "mood": "bad", "why": "no"}]  # fmt: skip
    read = read_dataset(write(tmp_path, "a.csv", tools.table(rows)), name="x")
    assert read.report.format == "potato"
    assert read.dataset.annotations[
        ["annotator_id", "label", "explanation"]
    ].to_numpy().tolist() == [
        ["ann", "good", "so"],
        ["ben", "bad", "no"],
    ]


# --- Mechanical Turk


def test_mturk_rejections_have_their_reason(tmp_path):
    rows = [tools._assignment(n, each) | {"Answer.label": each.labels[0], "Reject": ""}
            for n, each in enumerate(ANSWERS)]  # fmt: skip
    rows[0]["Reject"] = "answered in one second"
    read = read_dataset(write(tmp_path, "b.csv", tools.table(rows)), name="x")
    assert read.report.reasons() == {
        "the assignment was rejected (answered in one second)": 1,
        "the assignment was rejected": 1,
    }
    assert read.report.rows_kept == len(rows) - 2


def test_mturk_tasks_of_several_items_are_several_answers(tmp_path):
    row = {"HITId": "H", "AssignmentId": "A", "WorkerId": "w", "AssignmentStatus": "Approved"}
    row |= {f"Input.text{n}": TEXTS[n] for n in (1, 2)}
    row |= {f"Answer.label{n}": ("joy", "anger")[n - 1] for n in (1, 2)}
    read = read_dataset(write(tmp_path, "b.csv", tools.table([row])), name="x")
    assert found(read) == sorted([(TEXTS[1], "w", "joy", ""), (TEXTS[2], "w", "anger", "")])
    assert any("2 numbered items" in note for note in read.report.notes)


def test_mturk_one_text_in_two_tasks_is_one_item(tmp_path):
    base = {"AssignmentStatus": "Approved", "Input.text": TEXTS[0], "Answer.label": "joy"}
    rows = [{"HITId": "H1", "AssignmentId": "1", "WorkerId": "v"} | base,
            {"HITId": "H2", "AssignmentId": "2", "WorkerId": "w"} | base]  # fmt: skip
    read = read_dataset(write(tmp_path, "b.csv", tools.table(rows)), name="x")
    assert read.dataset.items["item_id"].tolist() == ["H1"]
    assert read.report.rows_kept == 2
