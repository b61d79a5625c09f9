"""Exports of annotation tools: what was answered is found again, and nothing else."""

import json
import os
from dataclasses import replace

import pytest
from helpers import tool_exports as tools
from helpers.tool_exports import TEXTS, WRITERS, Given, found
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capo_core.data.catalog import load_shipped
from capo_core.data.columns import parse_mapping
from capo_core.data.export import export
from capo_core.data.importing import read_dataset
from capo_core.errors import CapoError, ConfigError, DataError

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


def held(answers, name):
    """The answers as a format can hold them."""
    if name in tools.ONE_LABEL:
        answers = [replace(each, labels=each.labels[:1], counts=True) for each in answers]
    if name in tools.WITHOUT_WORDS:
        answers = [replace(each, why="") for each in answers]
    return answers


def told(answers, name=""):
    prefix = "emotions-" if name == "Prodigy" else ""
    return sorted(
        (each.text, prefix + each.who, label, each.why)
        for each in held(answers, name)
        if each.counts
        for label in each.labels
    )


def set_aside(answers, name):
    if name in tools.WITHOUT_ASIDE:
        return 0
    return sum(not each.counts for each in held(answers, name))


@pytest.mark.parametrize("name", WRITERS)
def test_answers_are_found_again(tmp_path, name):
    format_name, writer = WRITERS[name]
    read = read_dataset(write(tmp_path, *writer(ANSWERS)), name="x")
    assert read.report.format == format_name
    assert found(read) == told(ANSWERS, name)
    aside = set_aside(ANSWERS, name)
    assert len(read.report.rejected) == aside
    assert read.report.rows_read == read.report.rows_kept + aside
    assert any("recognised by" in note for note in read.report.notes)
    several = any("1 answer with several labels" in note for note in read.report.notes)
    assert several == (name not in tools.ONE_LABEL)


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
    counted = [each for each in held(answers, name) if each.counts]
    if not counted or (name in SURVEYS and len({each.item for each in counted}) < 2):
        return
    read = read_dataset(
        write(folder, *WRITERS[name][1](answers)), name="x", format=WRITERS[name][0]
    )
    aside = set_aside(answers, name)
    assert found(read) == told(answers, name)
    assert len(read.report.rejected) == aside
    assert read.report.rows_read == sum(len(each.labels) for each in counted) + aside


SURVEYS = {"Google Forms", "Qualtrics"}  # of one item nothing says which column is it
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
    old += [old[0] | {"id": "4", "text": TEXTS[3], "inputs": {"text": TEXTS[3]}, "status": status}
            for status in ("Default", "Edited")]  # fmt: skip
    read = read_dataset(write(tmp_path, "o.jsonl", tools.lines(old)), name="x")
    assert found(read) == [(TEXTS[0], "ann", "YES", "")]
    assert read.report.reasons() == {
        "discarded in Argilla": 1,
        "status Default in Argilla 1: nobody has validated this annotation yet": 1,
        "status Edited in Argilla 1: changed, and not validated yet": 1,
    }


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


# --- surveys, one-hot labels, explanations of one label, lists


def test_surveys_leave_out_what_is_about_the_person(tmp_path):
    rows = [
        ["Timestamp", "Your name", "Gender", "Is it true? [The lamp is green.]",
         "Is it true? [A dog reads a map.]", "Any comments on this survey?"],
        ["1", "ann", "f", "yes", "no", "This was a nice long survey"],
        ["2", "ben", "m", "no", "no", "It took me far too much time"],
    ]  # fmt: skip
    read = read_dataset(write(tmp_path, "f.csv", tools._csv(rows)), name="x")
    lamp, dog = "The lamp is green.", "A dog reads a map."
    expected = [(lamp, "ann", "yes"), (lamp, "ben", "no"), (dog, "ann", "no"), (dog, "ben", "no")]
    assert [each[:3] for each in found(read)] == sorted(expected)
    assert any("columns that are no item, not read: 'Gender'" in n for n in read.report.notes)


def test_survey_previews_are_set_aside_and_nameless_people_numbered(tmp_path):
    answers = [replace(each, labels=each.labels[:1]) for each in ANSWERS]
    text = tools.qualtrics(answers)[1].replace(
        "IP Address,100,True,R_0", "Survey Preview,1,True,R_0"
    )
    read = read_dataset(write(tmp_path, "q.csv", text), name="x")
    assert set(read.report.reasons()) == {"a preview or test of the survey, not a response"}
    assert "ann@x.example" not in read.dataset.annotators
    forms = tools.google_forms(answers)[1].replace("Email Address", "Remark on you")
    forms = forms.replace("@x.example", " was there")
    read = read_dataset(write(tmp_path, "f.csv", forms), name="x")
    assert read.dataset.annotators == ("person-1", "person-2", "person-3")


def test_one_hot_rows_without_a_label_say_so(tmp_path):
    read = read_dataset(write(tmp_path, *tools.one_hot(ANSWERS)), name="x")
    assert read.report.reasons() == {"no label is on (example_very_unclear)": 1}
    assert any("3 columns of 0 and 1 are labels" in note for note in read.report.notes)


def test_a_table_with_flags_of_0_and_1_stays_a_table(tmp_path):
    rows = [{"item_id": 1, "text": TEXTS[0], "annotator": who, "label": "joy", "is_check": 0,
             "read_it": 1} for who in ("ann", "ben")]  # fmt: skip
    assert (
        read_dataset(write(tmp_path, "t.csv", tools.table(rows)), name="x").report.format == "table"
    )


def test_esnli_explanations_share_the_label(tmp_path):
    row = {"pairID": "1r", "gold_label": "neutral", "Sentence1": TEXTS[0], "Sentence2": TEXTS[1],
           "Explanation_1": "one", "Sentence1_marked_1": "*The*", "Explanation_2": "two",
           "Explanation_3": "three"}  # fmt: skip
    path = write(tmp_path, "d.csv", tools.table([row]))
    read = read_dataset(path, name="x")
    assert read.report.format == "esnli"
    assert found(read) == [(TEXTS[0], n, "neutral", why)
                           for n, why in (("1", "one"), ("2", "two"), ("3", "three"))]  # fmt: skip
    assert any("other people from item to item" in note for note in read.report.notes)
    columns = "label: 'gold_label'; explanation: 'Explanation_1 … Explanation_3'"
    assert columns in read.report.notes
    train = {**row, "WorkerId": "W7", "Explanation_2": "", "Explanation_3": ""}
    read = read_dataset(write(tmp_path, "t.csv", tools.table([train])), name="x")
    assert found(read) == [(TEXTS[0], "W7", "neutral", "one")]
    # A row with one of three explanations is of nobody by name either, in a file of several.
    rows = [row | {"WorkerId": "W7"}, train | {"pairID": "2r"}]
    read = read_dataset(write(tmp_path, "m.csv", tools.table(rows)), name="x")
    assert set(read.dataset.annotators) == {"1", "2", "3"}
    assert any(note.startswith("'WorkerId' is not read") for note in read.report.notes)
    hub = {"premise": TEXTS[0], "hypothesis": TEXTS[1], "label": 2,
           "explanation_1": "one", "explanation_2": "two", "explanation_3": ""}  # fmt: skip
    read = read_dataset(write(tmp_path, "h.parquet", tools.parquet([hub])), name="x")
    assert [each[1:3] for each in found(read)] == [("1", "contradiction"), ("2", "contradiction")]


def test_labels_of_chaosnli_s_abductive_part_are_no_scale(tmp_path):
    rows = [{"uid": f"{n}", "label_counter": {"1": 60 + n, "2": 40 - n},
             "example": {"obs1": f"It rained {n}.", "obs2": "He slept.", "hyp1": "He was tired.",
                         "hyp2": "He ran."}} for n in range(4)]  # fmt: skip
    read = read_dataset(write(tmp_path, "c.jsonl", tools.lines(rows)), name="x")
    assert read.dataset.task.scale.labels == ("1", "2")
    assert not read.dataset.task.scale.ordinal
    assert not any("entailment" in note for note in read.report.notes)
    assert read.dataset.items["text_b"].iloc[0] == "He was tired.\nHe ran."


def test_litex_has_one_explanation_in_each_record(tmp_path):
    base = {"pairID": "1r", "premise": TEXTS[0], "hypothesis": TEXTS[1], "gold_label": "neutral"}
    rows = [base | {"explanation": why, "category": "Logic Conflict"} for why in ("one", "two")]
    read = read_dataset(write(tmp_path, "l.jsonl", tools.lines(rows)), name="x")
    assert read.report.format == "esnli"
    assert [each[1:] for each in found(read)] == [("1", "neutral", "one"), ("2", "neutral", "two")]


def test_lists_of_different_length_are_set_aside_and_nameless_ones_refused(tmp_path):
    rows = [{"text": TEXTS[0], "annotators": ["a", "b"], "labels": ["yes", "no"]},
            {"text": TEXTS[1], "annotators": ["a", "b"], "labels": ["yes"]}]  # fmt: skip
    read = read_dataset(write(tmp_path, "l.jsonl", tools.lines(rows)), name="x")
    assert found(read) == [(TEXTS[0], "a", "yes", ""), (TEXTS[0], "b", "no", "")]
    assert read.report.reasons() == {"the lists differ in length: 2 annotators, 1 labels": 1}
    rows = [{"text": TEXTS[0], "labels": ["yes", "no"]}, {"text": TEXTS[1], "labels": ["no", "no"]}]
    with pytest.raises(DataError, match="no annotator is named beside the labels"):
        read_dataset(write(tmp_path, "n.jsonl", tools.lines(rows)), name="x")


def test_preferences_without_annotators_are_refused_in_one_sentence(tmp_path):
    row = {"context": [{"role": "user", "content": "Hi"}], "response1": "a", "response2": "b",
           "individual_preference": [{"score": -1, "reasoning": "shorter"}]}  # fmt: skip
    with pytest.raises(DataError, match="name no annotators: they cannot be assigned to people"):
        read_dataset(write(tmp_path, "h.jsonl", tools.lines([row])), name="x")


# --- LeWiDi of 2023, and crowd counts


def test_lewidi_2023_keeps_its_split_and_refuses_to_guess(tmp_path):
    text = tools.lewidi_2023([replace(each, labels=each.labels[:1]) for each in ANSWERS])[1]
    value = json.loads(text)
    read = read_dataset(write(tmp_path, "HS_train.json", text), name="x")
    assert set(read.dataset.items["split"]) == {"train"}
    value["0"]["annotations"] = "joy,anger"  # of three annotators
    value["1"]["annotators"] = ""
    read = read_dataset(write(tmp_path, "HS_train.json", json.dumps(value)), name="x")
    assert read.report.reasons() == {
        "2 annotations for 3 annotators cannot be assigned": 1,
        "the item names no annotators, so its labels belong to nobody": 1,
    }


def test_lewidi_conversations_packed_into_text(tmp_path):
    item = {"annotations": "0,1", "annotators": "A1,A2", "split": "dev",
            "text": json.dumps({"prev_agent": "Hello.", "agent": "How are you?"})}  # fmt: skip
    read = read_dataset(write(tmp_path, "ConvAbuse_dev.json", json.dumps({"7": item})), name="x")
    texts = read.dataset.items[["text_a", "text_b", "split"]].to_numpy().tolist()
    assert texts == [["Hello.", "How are you?", "validation"]]


def counts(read):
    crowd = read.dataset.crowd
    return {item: dict(zip(own["label"], own["count"].tolist(), strict=True))
            for item, own in crowd.groupby("item_id")}  # fmt: skip


CHAOS = {"uid": "1n", "label_counter": {"e": 70, "n": 20, "c": 10}, "majority_label": "e",
         "label_dist": [0.7, 0.2, 0.1], "label_count": [70, 20, 10], "entropy": 1.1,
         "example": {"uid": "1n", "premise": TEXTS[0], "hypothesis": TEXTS[1]},
         "old_label": "n", "old_labels": ["neutral", "entailment"]}  # fmt: skip


def test_crowd_counts_are_kept_and_nobody_is_invented(tmp_path):
    read = read_dataset(write(tmp_path, "c.jsonl", tools.lines([CHAOS])), name="x")
    assert counts(read) == {"1n": {"entailment": 70, "neutral": 20, "contradiction": 10}}
    assert read.dataset.annotators == () and not len(read.dataset.annotations)
    assert (read.report.rows_read, read.report.rows_kept, read.report.unit) == (1, 1, "items")
    assert any("nobody's own annotations" in note for note in read.report.notes)
    with pytest.raises(ConfigError, match="need no column mapping"):
        mapping = parse_mapping(["label=label_counter"])
        read_dataset(tmp_path / "c.jsonl", name="x", mapping=mapping)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("premise,hypothesis,entailment,neutral,contradiction", "P.,H.,70,20,10",
         {"entailment": 70, "neutral": 20, "contradiction": 10}),
        ("uid,premise,hypothesis,e,n,c,label", "1,P.,H.,70,20.0,10,e",
         {"entailment": 70, "neutral": 20, "contradiction": 10}),
        ("id,text,n_yes,n_no,num_annotators", "1,P.,3,2,5", {"yes": 3, "no": 2}),
        ("id,text,votes for positive,votes for negative", "1,P.,3,2",
         {"positive": 3, "negative": 2}),
    ],
)  # fmt: skip
def test_columns_named_after_labels_are_crowd_counts(tmp_path, header, row, expected):
    read = read_dataset(write(tmp_path, "c.csv", f"{header}\n{row}\n"), name="x")
    assert counts(read) == {"1": expected} and read.dataset.annotators == ()
    assert any(note.startswith("counts per label in the columns") for note in read.report.notes)


def test_columns_of_other_names_are_counts_where_that_is_said(tmp_path):
    path = write(tmp_path, "c.csv", "id,text,joy,anger\n1,P.,7,3\n2,Q.,4,6\n")
    with pytest.raises(DataError, match="which may be counts per label") as asked:
        read_dataset(path, name="x")
    assert "--format crowd-counts" in asked.value.option
    read = read_dataset(path, name="x", format="crowd-counts")
    assert counts(read) == {"1": {"joy": 7, "anger": 3}, "2": {"joy": 4, "anger": 6}}


@pytest.mark.parametrize(
    "text",
    [
        "id,text,label_ann,label_ben,yes,no\n1,P.,yes,no,1,1\n2,Q.,yes,yes,2,0\n",
        "id,text,rater1,rater2,n_yes,n_no\n1,P.,yes,no,1,1\n2,Q.,yes,yes,2,0\n",
        "id,text,annotator,label,yes,no\n1,P.,ann,yes,2,0\n2,Q.,ben,yes,2,0\n",
    ],
)
def test_counts_beside_annotators_leave_them_annotators(tmp_path, text):
    read = read_dataset(write(tmp_path, "c.csv", text), name="x")
    assert len(read.dataset.annotators) == 2 and read.dataset.crowd is None


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_crowd_counts_are_exported_and_come_back(tmp_path, format):
    told = CHAOS["example"] | {"premise": "=1+1 is two."}
    rows = [CHAOS | {"split": "dev"}, CHAOS | {"uid": "2n", "example": told, "split": "test"}]
    rows[1] |= {"label_counter": {"e": 1, "c": 99}}
    first = read_dataset(write(tmp_path, "c.jsonl", tools.lines(rows)), name="x").dataset
    assert first.items["split"].tolist() == ["validation", "test"]
    path = export(first, tmp_path / f"out.{format}", format)
    again = read_dataset(path, name="y").dataset
    assert again.fingerprint == first.fingerprint
    assert again.items["split"].tolist() == ["validation", "test"]
    (tmp_path / f"out.{format}.capo.json").unlink(missing_ok=True)
    assert read_dataset(path, name="z").dataset.fingerprint == first.fingerprint


def test_crowd_counts_of_a_dataset_with_annotations_are_exported_alone(tmp_path):
    demo = load_shipped("demo-nli")
    path = export(demo, tmp_path / "crowd.jsonl", "jsonl", crowd=True)
    alone = read_dataset(path, name="crowd").dataset
    assert not len(alone.annotations) and alone.simulated
    key = ["item_id", "label", "count"]
    assert alone.crowd[key].to_numpy().tolist() == demo.crowd[key].to_numpy().tolist()
    with pytest.raises(DataError, match="no crowd counts"):
        export(replace(demo, crowd=None), path, "jsonl", crowd=True)


def test_shares_become_counts_only_if_the_number_of_people_is_known(tmp_path):
    rows = [{"text": TEXTS[0], "soft_label": {"yes": 0.67, "no": 0.33}, "num_annotators": 3}]
    read = read_dataset(write(tmp_path, "s.jsonl", tools.lines(rows)), name="x")
    assert counts(read) == {"1": {"yes": 2, "no": 1}}
    rows = [{"text": TEXTS[0], "soft_label": {"entailment": 0.6, "neutral": 0.4}}]
    with pytest.raises(DataError, match="the number of people is not in the file") as caught:
        read_dataset(write(tmp_path, "s.jsonl", tools.lines(rows)), name="x")
    assert "distributions compare --file" in caught.value.option
    assert "distributions compare" not in str(caught.value)  # pages have no command line
    rows = [CHAOS, CHAOS | {"uid": "2n", "label_counter": {"e": -1, "n": 2}}, CHAOS]
    read = read_dataset(write(tmp_path, "c.jsonl", tools.lines(rows)), name="x")
    assert read.report.rows_read == 3 and read.report.rows_kept == 1
    assert sum(read.report.reasons().values()) == 2


def test_several_labels_are_each_an_annotation_or_one_set(tmp_path):
    path = write(tmp_path, *tools.label_studio(ANSWERS))
    read = read_dataset(path, name="x", label_sets="set")
    assert ("anger + joy") in labels(read)
    assert read.report.rows_kept == sum(each.counts for each in ANSWERS)
    each = read_dataset(path, name="x", label_sets="each")
    assert found(each) == told(ANSWERS) == found(read_dataset(path, name="x"))


def test_crowd_counts_in_label_distributions(tmp_path):
    from capo_core.distributions.files import read_judgments

    path = write(tmp_path, "c.jsonl", tools.lines([CHAOS, CHAOS | {"uid": "2n", "example": {
        "premise": TEXTS[2], "hypothesis": TEXTS[3]}}]))  # fmt: skip
    found_ = read_judgments(path)
    crowd = found_.source("crowd")
    assert crowd.shares.round(9).tolist() == [[0.7, 0.2, 0.1]] * 2
    assert crowd.people.tolist() == [100] * 2
    assert found_.items["text_a"].tolist() == [TEXTS[0], TEXTS[2]]
    assert found_.items["text_b"].tolist() == [TEXTS[1], TEXTS[3]]
    assert not {"label_dist", "label_count"} & {source.name for source in found_.sources}
    rows = [{"text": text, "soft_label": {"yes": 0.6, "no": 0.4}} for text in TEXTS]
    found_ = read_judgments(write(tmp_path, "s.jsonl", tools.lines(rows)))
    assert found_.task.scale.labels == ("no", "yes")
    assert found_.source("crowd").shares.round(9).tolist() == [[0.4, 0.6]] * 4


JUNK = st.sampled_from([None, True, -1, 1.5, "", "x", [], {}, [None], [[1]], {"a": 1}, "[1"])


def spoiled(value, data):
    """A JSON value in which some parts are replaced by junk or missing."""
    if data.draw(st.integers(0, 15)) == 0:
        return data.draw(JUNK)
    if isinstance(value, dict):
        return {key: spoiled(inner, data) for key, inner in value.items()}
    return [spoiled(each, data) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@settings(max_examples=600, derandomize=False, **SETTINGS)
@given(st.sampled_from(sorted(WRITERS)), CASES, st.data())
def test_anything_in_the_fields_is_read_or_refused_and_never_crashes(tmp_path, name, cases, data):
    format_name, writer = WRITERS[name]
    file, content = writer(cases or ANSWERS)
    if isinstance(content, str) and content.lstrip()[:1] in ("[", "{"):
        try:
            content = json.dumps(spoiled(json.loads(content), data))
        except ValueError:
            values = [spoiled(json.loads(line), data) for line in content.splitlines()]
            content = tools.lines(values)
    for how in ("auto", format_name):
        try:
            report = read_dataset(write(tmp_path, file, content), name="x", format=how).report
        except CapoError as error:
            assert str(error)
            continue
        assert report.rows_read == report.rows_kept + len(report.rejected)
