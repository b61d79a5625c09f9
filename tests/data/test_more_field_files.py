"""Files of the field in shapes that earlier builds misread or refused without help; all made up."""

import json
from itertools import chain

import pytest
from helpers.field_files import TEXTS, csv_of, found, write
from openpyxl import Workbook

from capo_core.data.column_names import role_and_annotator
from capo_core.data.importing import read_dataset
from capo_core.errors import DataError

WHY = ("Nobody said why the train was late.", "The comment was short.", "It rains.")
STEPS = ("Not at all", "Somewhat", "Very")


def flat(pairs):
    return list(chain.from_iterable(pairs))


def refusal(path, **options):
    with pytest.raises(DataError) as error:
        found(path, **options)
    return str(error.value), error.value.option or ""


def jsonl(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def qualtrics(explained=True):
    """Loop & Merge: each item before the dash, what is asked of all behind it."""
    names, asked = ["StartDate", "Status", "ResponseId"], ["Start Date", "Response Type", "ID"]
    ids = [f'{{"ImportId":"{name}"}}' for name in ("startDate", "status", "_recordId")]
    for n, text in enumerate(WHY, 1):
        names += [f"{n}_Q5", f"{n}_Q6"]
        asked += [f"{text} - How rude is this?", f"{text} - Please explain your choice."]
        ids += [f'{{"ImportId":"{n}_QID5"}}', f'{{"ImportId":"{n}_QID6_TEXT"}}']
    rows = [
        ["2024-05-01 10:00:00", "IP Address", f"R_{p}",
         *flat([STEPS[(n + p) % 3], f"I think {p} {n}"] for n in range(3))]
        for p in range(3)
    ]  # fmt: skip
    return [[f'"{cell}"' if "," not in cell else cell for cell in row]
            if row is not ids else [f'"{c.replace(chr(34), chr(34) * 2)}"' for c in row]
            for row in [names, asked, ids, *rows]]  # fmt: skip


def test_items_of_a_survey_may_say_why_or_comment(tmp_path):
    for name, text, encoding in (
        ("q.csv", csv_of(qualtrics()), "utf-8"),
        ("q.tsv", csv_of(qualtrics(), "\t"), "utf-16"),  # as Qualtrics writes its TSV
    ):
        (tmp_path / name).write_bytes(text.encode(encoding))
        answers, _ = found(tmp_path / name)
        assert len(answers) == 9 and {who for who, _ in answers} == {"R_0", "R_1", "R_2"}
        # The text is the item's; what is asked of all is no part of it.
        assert answers["R_1", WHY[0]] == ("Somewhat", "I think 1 0")
        assert answers["R_0", WHY[2]] == ("Very", "I think 0 2")
    header = ["Timestamp", "Your name", *flat([text, "Why?"] for text in WHY)]
    rows = [
        [f"5/{p}/2024 10:00:00", f"N{p}", *flat([1 + (n + p) % 4, "clear"] for n in range(3))]
        for p in range(1, 4)
    ]
    answers, _ = found(write(tmp_path, "f.csv", csv_of([header, *rows])))
    assert answers["N1", WHY[0]] == ("2", "clear") and len(answers) == 9


def test_a_question_in_a_line_below_each_item_is_no_part_of_it(tmp_path):
    names = ["StartDate", "Status", "ResponseId", "Q1", "Q2"]
    asked = ["Start Date", "Response Type", "ID", *(f'"{text}\n\nIs it rude?"' for text in TEXTS)]
    ids = [
        f'"{{""ImportId"":""{name}""}}"'
        for name in ("startDate", "status", "_recordId", "QID1", "QID2")
    ]
    rows = [["2024-05-01 10:00:00", "IP Address", f"R_{p}", 1 + p, 4 - p] for p in range(3)]
    answers, _ = found(write(tmp_path, "q.csv", csv_of([names, asked, ids, *rows])))
    assert answers["R_0", TEXTS[0]] == ("1", "") and len(answers) == 6


def test_all_questions_of_a_grid_may_name_a_comment(tmp_path):
    header = ["Timestamp", "Your name", "Your gender"]
    header += [f"How hateful is this comment? [{text}]" for text in WHY]
    rows = [
        [f"5/{p}/2024 10:00:00", f"N{p}", "fm"[p % 2], *(STEPS[(n + p) % 3] for n in range(3))]
        for p in range(1, 4)
    ]
    answers, notes = found(write(tmp_path, "f.csv", csv_of([header, *rows])))
    assert answers["N1", WHY[0]] == ("Somewhat", "") and len(answers) == 9
    assert "'Your gender'" in notes


def test_reasons_to_choose_from_are_no_items(tmp_path):
    header = ["Timestamp", "Your name"]
    header += flat(
        ([text, f"Reason for the choice on sentence {n}"] for n, text in enumerate(TEXTS))
    )
    rows = [
        [f"5/{p}/2024 10:00:00", f"N{p}", *flat(["yn"[(n + p) % 2], ("tone", "content")[p % 2]]
                                                for n in range(2))]
        for p in range(1, 5)
    ]  # fmt: skip
    answers, _ = found(write(tmp_path, "f.csv", csv_of([header, *rows])))
    assert len(answers) == 8 and answers["N1", TEXTS[0]] == ("n", "content")


def test_checkboxes_of_forms_are_label_sets(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(["ID", "Start time", "Completion time", "Email", "Name", *TEXTS])
    for p in range(3):
        given = ["joy;anger;", "joy;", "anger;"]
        sheet.append([p + 1, "2024-05-01 10:00", "2024-05-01 10:09", "anonymous", "",
                      given[p], given[(p + 1) % 3]])  # fmt: skip
    book.save(tmp_path / "m.xlsx")
    said, option = refusal(tmp_path / "m.xlsx")
    assert "several labels in one cell, such as 'joy;anger;'" in said and "--label-sets" in option
    read = read_dataset(tmp_path / "m.xlsx", name="x", label_sets="each").dataset
    assert read.task.scale.labels == ("anger", "joy") and len(read.annotations) == 8
    header = ["Timestamp", "Your name", *TEXTS]
    given = ['"joy, anger"', "joy", '"anger, fear"']
    rows = [[f"5/{p}/2024 10:00:00", f"N{p}", given[p], given[(p + 1) % 3]] for p in range(3)]
    path = write(tmp_path, "g.csv", csv_of([header, *rows]))
    assert "several labels in one cell, such as 'joy, anger'" in refusal(path)[0]
    given = ['"yes, fully"', '"yes, partly"', "no"]  # a comma alone makes no set
    rows = [[f"5/{p}/2024 10:00:00", f"N{p}", given[p], given[(p + 1) % 3]] for p in range(3)]
    answers, _ = found(write(tmp_path, "h.csv", csv_of([header, *rows])))
    assert answers["N0", TEXTS[0]] == ("yes, fully", "")


def test_vowel_signs_belong_to_an_annotator_s_name(tmp_path):
    header = ["वाक्य", "राम_लेबल", "राम_कारण", "सीता_लेबल", "सीता_कारण"]
    rows = [(f"यह वाक्य {n} अच्छा है", "हाँ", "क्योंकि", "नहीं", "शायद") for n in range(2)]
    answers, _ = found(write(tmp_path, "h.csv", csv_of([header, *rows])))
    assert {who for who, _ in answers} == {"राम", "सीता"}
    assert role_and_annotator("সীতা লেবেল") == ("label", "সীতা")
    assert role_and_annotator("สมชาย_ป้ายกำกับ") == ("label", "สมชาย")


def test_arabic_headers_with_short_vowels(tmp_path):
    rows = [
        (f"هذه الجملة رقم {n}", who, "ساخر", "لأنها") for n in range(2) for who in ("أحمد", "سارة")
    ]
    header = ["النص", "المُعلِّق", "التصنيف", "التفسير"]
    (tmp_path / "a.csv").write_bytes(csv_of([header, *rows]).encode("utf-16"))
    answers, _ = found(tmp_path / "a.csv")
    assert answers["أحمد", "هذه الجملة رقم 0"] == ("ساخر", "لأنها") and len(answers) == 4


def test_json_with_a_list_for_each_annotator(tmp_path):
    lists = {
        who: [{"id": n, "text": text, "label": label, "reason": f"{who} {n}"}
              for n, text in enumerate(TEXTS)]
        for who, label in (("ann", "y"), ("ben", "n"))
    }  # fmt: skip
    answers, notes = found(write(tmp_path, "p.json", lists))
    assert answers["ben", TEXTS[1]] == ("n", "ben 1") and len(answers) == 4
    assert "a list for each annotator, on the same items: ann, ben" in notes
    domains = {"books": lists["ann"][:1], "films": lists["ben"][1:]}  # other items: no people
    said, option = refusal(write(tmp_path, "d.json", domains))
    assert "write a table with one row per annotation" in said and "--map" not in option


def test_one_line_with_a_table_under_a_key_is_no_list_of_answers(tmp_path):
    rows = [
        {"id": n, "text": text, "annotator": who, "label": label}
        for n, text in enumerate(TEXTS)
        for who, label in (("ann", "y"), ("ben", "n"))
    ]
    answers, _ = found(write(tmp_path, "d.json", {"version": 1, "data": rows}))
    assert answers["ben", TEXTS[1]] == ("n", "") and len(answers) == 4


def test_objects_of_labels_and_of_explanations_by_annotator(tmp_path):
    rows = [
        {"id": n, "text": text, "labels": {"ann": "y", "ben": "n"}, "explanations": {"ben": "no"}}
        for n, text in enumerate(TEXTS)
    ]
    answers, _ = found(write(tmp_path, "o.jsonl", jsonl(rows)))
    assert answers["ben", TEXTS[1]] == ("n", "no") and answers["ann", TEXTS[1]] == ("y", "")


def test_sessions_of_prodigy_that_are_times_are_nobody(tmp_path):
    rows = [
        {"text": text, "label": "RUDE", "answer": "accept", "_input_hash": n, "_task_hash": n,
         "_session_id": f"2024-05-0{s}_12-00-00"}
        for n, text in enumerate(TEXTS) for s in (1, 2)
    ]  # fmt: skip
    path = write(tmp_path, "p.jsonl", jsonl(rows))
    said, option = refusal(path)
    assert "called by their times, which name nobody" in said and "--annotator NAME" in option
    answers, _ = found(path, annotators=["mia"])
    assert {who for who, _ in answers} == {"mia"}


@pytest.mark.parametrize(
    "content",
    [
        "#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.Span|value\n\n#Text=A dog .\n1-1\t0-1\tA\t_\n"
        "1-2\t2-5\tdog\tanimal\n",
        "The DT O\ntrain NN B-X\nwas VB O\n\nI PRP O\nsaw VB O\n",
        "Ann\tB-PER\nsleeps\tO\n\nBen\tB-PER\nwakes\tO\n",
        "T1\tPER 0 3\tAnn\nT2\tPER 11 14\tBen\nR1\tknows Arg1:T1 Arg2:T2\n",
    ],
)
def test_labels_of_words_are_refused_as_such(tmp_path, content):
    said, option = refusal(write(tmp_path, "t.tsv", content))
    assert "the lines label words or spans" in said and "--map" not in option


def test_appen_s_test_questions_and_failed_workers_are_set_aside(tmp_path):
    header = ["_unit_id", "_golden", "_tainted", "_trust", "_worker_id", "rude", "rude_gold",
              "reason", "text"]  # fmt: skip
    rows = [
        (7, "false", "false", 0.9, "W1", "yes", "", "sharp", TEXTS[0]),
        (7, "false", "true", 0.4, "W2", "no", "", "x", TEXTS[0]),
        (8, "false", "false", 0.9, "W1", "no", "", "kind", TEXTS[1]),
        (8, "false", "false", 0.8, "W3", "yes", "", "hm", TEXTS[1]),
        (9, "true", "false", 0.8, "W3", "yes", "yes", "hm", "A test."),
    ]
    path = write(tmp_path, "f.csv", csv_of([header, *rows]))
    answers, _ = found(path)
    assert answers == {
        ("W1", TEXTS[0]): ("yes", "sharp"),
        ("W1", TEXTS[1]): ("no", "kind"),
        ("W3", TEXTS[1]): ("yes", "hm"),
    }
    reasons = read_dataset(path, name="x").report.rejected["reason"].tolist()
    assert "_tainted" in reasons[0] and "_golden" in reasons[1]


def test_who_wrote_a_text_is_asked_about(tmp_path):
    rows = [(n, f"@u{n}", text, "xy"[n]) for n, text in enumerate(TEXTS)]
    path = write(tmp_path, "t.csv", csv_of([("tweet_id", "author", "text", "label"), *rows]))
    said, option = refusal(path)
    assert "'author' may be who wrote the text" in said
    assert option.startswith("--map annotator_id=author")
    assert len(read_dataset(path, name="x", mapping=_map("annotator_id=author")).dataset.items) == 2
    answers, _ = found(path, annotators=["mia"])
    assert {who for who, _ in answers} == {"mia"}
    header = ("id", "text", "user", "label", "id_annotator")
    rows = [(n, text, f"u{n}", "x", who) for n, text in enumerate(TEXTS) for who in ("ann", "ben")]
    answers, notes = found(write(tmp_path, "e.csv", csv_of([header, *rows])))
    assert {who for who, _ in answers} == {"ann", "ben"} and "not read: 'user'" in notes
    header = ("id", "text", "user", "label")
    rows = [(n, text, who, "x") for n, text in enumerate(TEXTS) for who in ("ann", "ben")]
    answers, _ = found(write(tmp_path, "u.csv", csv_of([header, *rows])))
    assert {who for who, _ in answers} == {"ann", "ben"}


def _map(*pairs):
    from capo_core.data.columns import parse_mapping

    return parse_mapping(pairs)


def test_annotators_named_by_numbered_columns_may_be_places(tmp_path):
    rows = [
        (f"{n}n", text, "H", "neutral", "entailment", "neutral") for n, text in enumerate(TEXTS)
    ]
    header = ("pairID", "sentence1", "sentence2", "label1", "label2", "gold_label")
    _, notes = found(write(tmp_path, "m.tsv", csv_of([header, *rows], "\t")))
    assert "'1', '2' are named by their columns alone" in notes
    rows = [(n, text, "y", "n") for n, text in enumerate(TEXTS)]
    _, notes = found(
        write(tmp_path, "w.csv", csv_of([("id", "text", "label_ann", "label_ben"), *rows]))
    )
    assert "named by their columns" not in notes


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (("5%", "10 %", "25%"), ("5", "10", "25")),
        (("1/5", "4/5", "3/5"), ("1", "3", "4")),
        (("★★", "★", "★★★"), ("1", "2", "3")),
    ],
)
def test_ratings_in_other_writings_are_ordered_numbers(tmp_path, written, labels):
    header = ("qid", "text", "annotator", "rating", "reason")
    rows = [(n, f"{TEXTS[0]} {n}", who, written[n], "so") for n in range(3) for who in "ab"]
    read = read_dataset(write(tmp_path, "r.csv", csv_of([header, *rows])), name="x")
    assert read.dataset.task.scale.ordinal
    assert set(read.dataset.annotations["label"]) == set(labels)
    assert set(labels) <= set(read.dataset.task.scale.labels)
    assert any("rewritten as numbers" in note for note in read.report.notes)


def test_many_different_ratings_are_offered_as_the_label_and_numbers_of_items_are_not(tmp_path):
    header = ("qid", "question", "annotator", "likelihood", "justification")
    rows = [(n, text, who, f"{10 * n + 3 * k}%", "so") for n, text in enumerate(TEXTS)
            for k, who in enumerate("abc")]  # fmt: skip
    _, option = refusal(write(tmp_path, "l.csv", csv_of([header, *rows])))
    assert option == "--map label=likelihood"


def test_steps_with_words_stay_in_order_and_are_numbers_of_a_given_range(tmp_path):
    from capo_core.data.label_scales import ordinal_scale
    from capo_core.task import Task

    steps = ["10 - always", "9 - often", "1 - never"]
    header = ("id", "text", "annotator", "rating")
    rows = [(n, f"{TEXTS[0]} {n}", who, steps[n]) for n in range(3) for who in "ab"]
    path = write(tmp_path, "s.csv", csv_of([header, *rows]))
    read = read_dataset(path, name="x")
    assert read.dataset.task.scale.labels == ("1 - never", "9 - often", "10 - always")
    assert any("if these are the steps of a scale, give its range" in n for n in read.report.notes)
    task = Task("annotation", ordinal_scale("1:10"), role_a="text", role_b="")
    read = read_dataset(path, name="x", task=task)
    assert set(read.dataset.annotations["label"]) == {"1", "9", "10"}


def test_shares_in_columns_and_documents_that_are_no_workbook(tmp_path):
    import zipfile

    header = ("uid", "premise", "hypothesis", "entailment", "neutral", "contradiction")
    rows = [(n, text, "H", 0.6, 0.3, 0.1) for n, text in enumerate(TEXTS)]
    said, option = refusal(write(tmp_path, "s.csv", csv_of([header, *rows])))
    assert "shares of people per label" in said and "distributions compare" in option
    with zipfile.ZipFile(tmp_path / "x.ods", "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    said, _ = refusal(tmp_path / "x.ods")
    assert "save its table as Excel" in said and "unpack" not in said


def test_annotators_are_listed_by_their_numbers(tmp_path):
    rows = [(n, text, f"Ann{who}", "x") for n, text in enumerate(TEXTS) for who in (10, 2, 1)]
    path = write(tmp_path, "v.csv", csv_of([("id", "text", "annotator", "label"), *rows]))
    read = read_dataset(path, name="x")
    assert read.dataset.annotators == ("Ann1", "Ann2", "Ann10")


def test_rows_that_answer_several_questions_are_refused(tmp_path):
    header = ("id", "text", "annotator", "question", "answer")
    rows = [
        (n, text, who, asked, "yes" if asked == "Is it rude?" else "no")
        for n, text in enumerate(TEXTS)
        for who in "ab"
        for asked in ("Is it rude?", "Is it sad?")
    ]
    path = write(tmp_path, "q.csv", csv_of([header, *rows]))
    said, option = refusal(path)
    assert "by 'question' ('Is it rude?', 'Is it sad?')" in said and option == "--map label=answer"
    assert len(read_dataset(path, name="x", mapping=_map("label=answer")).dataset.annotations) == 8
    one = [row for row in rows if row[3] == "Is it sad?"]
    assert len(found(write(tmp_path, "o.csv", csv_of([header, *one])))[0]) == 4
    two = [(n, text, who, k, f"label {k + n}") for n, text in enumerate(TEXTS) for who in "ab"
           for k in range(2 if who == "a" else 1)]  # fmt: skip
    header = ("id", "text", "annotator", "nth", "label")
    path = write(tmp_path, "two.csv", csv_of([header, *two]))  # two labels of one of them
    assert len(read_dataset(path, name="x").dataset.annotations) == 6


def test_a_table_in_markdown(tmp_path):
    rows = [
        ("", n, text, who, "xy"[n], "") for n, text in enumerate(TEXTS) for who in ("ann", "ben")
    ]
    lines = [("", "id", "text", "annotator", "label", ""), ("", *["---"] * 4, ""), *rows]
    path = write(tmp_path, "t.md", csv_of(lines, "|"))
    answers, _ = found(path)
    assert answers["ann", TEXTS[1]] == ("y", "") and len(answers) == 4
    reasons = read_dataset(path, name="x").report.rejected["reason"].tolist()
    assert reasons == ["the line under the header of a Markdown table"]


def test_a_key_with_items_and_objects_of_answers(tmp_path):
    items = [
        {"id": n, "text": text,
         "annotations": [{"annotator": who, "labels": ["x"], "comment": who} for who in "ab"]}
        for n, text in enumerate(TEXTS)
    ]  # fmt: skip
    answers, _ = found(write(tmp_path, "w.json", {"project": "p", "items": items}))
    assert answers["b", TEXTS[1]] == ("x", "b") and len(answers) == 4
    rows = [{"id": n, "text": text, "annotations": {"ann": {"label": "x", "why": "so"},
                                                    "ben": {"label": "y"}}}
            for n, text in enumerate(TEXTS)]  # fmt: skip
    answers, _ = found(write(tmp_path, "d.jsonl", jsonl(rows)))
    assert answers["ann", TEXTS[0]] == ("x", "so") and answers["ben", TEXTS[1]] == ("y", "")
