"""Files as the field has them: headers in many languages, shapes of JSON, survey tools, workbooks.

Each is made up, in the structure of a public format or of a table that somebody wrote by hand.
"""

import json

import pytest
from helpers.field_files import TEXTS, csv_of, found, write
from openpyxl import Workbook

from capo_core.data.importing import read_dataset
from capo_core.errors import DataError

HEADERS = {
    "Arabic": "رقم المعلق التصنيف السبب النص",
    "Bengali": "ক্রমিক টীকাকার লেবেল কারণ বাক্য",
    "Chinese": "编号 标注者 标签 理由 文本",
    "Dutch": "id annotator oordeel uitleg zin",
    "French": "id annotateur étiquette justification texte",
    "German": "Satz_ID Bewerter Urteil Begründung Satz",
    "Hindi": "क्रमांक टिप्पणीकार लेबल कारण पाठ",
    "Indonesian": "id penilai label alasan kalimat",
    "Italian": "id annotatore etichetta spiegazione testo",
    "Japanese": "番号 注釈者 ラベル 理由 テキスト",
    "Korean": "번호 주석자 라벨 이유 텍스트",
    "Persian": "شناسه ارزیاب برچسب دلیل متن",
    "Polish": "id anotator etykieta uzasadnienie tekst",
    "Portuguese": "id anotador rótulo justificativa texto",
    "Russian": "номер аннотатор метка объяснение текст",
    "Spanish": "id anotador etiqueta justificación texto",
    "Thai": "ลำดับ ผู้ประเมิน ป้ายกำกับ เหตุผล ข้อความ",
    "Turkish": "id etiketleyen etiket gerekçe metin",
    "Ukrainian": "id анотатор мітка пояснення речення",
    "Vietnamese": "id người_gán_nhãn nhãn lý_do câu",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_in_other_languages(tmp_path, header):
    rows = [
        (number, who, label, f"because {who} said {number}", text)
        for number, text in enumerate(TEXTS)
        for who, label in (("ann", "x"), ("ben", "y"))
    ]
    answers, notes = found(write(tmp_path, "v.csv", csv_of([header.split(), *rows])))
    assert answers[("ben", TEXTS[1])] == ("y", "because ben said 1") and len(answers) == 4
    assert "explanation: " in notes and "annotator: " in notes  # what was taken for what


@pytest.mark.parametrize(
    "header, people",
    [
        ("id,texto,etiqueta_ana,razón_ana,etiqueta_luis,razón_luis,etiqueta_mayoría", "ana luis"),
        ("编号,文本,标注员1,说明_标注员1,标注员2,说明_标注员2,多数标签", "标注员1 标注员2"),
        ("id,text,Annotator A,Annotator A reason,Annotator B,Annotator B reason,Gold",
         "Annotator_A Annotator_B"),
        ("id,النص,المعلق ١,سبب المعلق ١,المعلق ٢,سبب المعلق ٢,الأغلبية", "المعلق_١ المعلق_٢"),
    ],
)  # fmt: skip
def test_wide_headers_in_other_languages_and_their_aggregates(tmp_path, header, people):
    rows = [(n, text, "y", "clear", "n", "no doubt", "y") for n, text in enumerate(TEXTS)]
    answers, notes = found(write(tmp_path, "v.csv", csv_of([header.split(","), *rows])))
    first, second = (name.replace("_", " ") for name in people.split())
    assert answers == {
        (who, text): given
        for text in TEXTS
        for who, given in ((first, ("y", "clear")), (second, ("n", "no doubt")))
    }
    assert header.split(",")[-1] in notes  # left out, and named


def test_a_note_says_which_columns_were_read_and_which_not(tmp_path):
    rows = [(n, who, 3, 1, text) for n, text in enumerate(TEXTS) for who in "ab"]
    content = csv_of([("comment_nr", "annotator", "sentiment", "hate", "text"), *rows])
    _, notes = found(write(tmp_path, "v.csv", content))
    assert "label: 'sentiment'; annotator: 'annotator'; text: 'text'" in notes
    assert "columns not read: 'comment_nr', 'hate'" in notes


def test_the_question_names_the_columns_that_may_be_meant(tmp_path):
    header = ("id", "rater_id", "rater_gender", "phrase", "toxic", "harm", "safety_gold")
    rows = [
        (n, who, "w", text, ("low", "high")[n], "none", 1)
        for n, text in enumerate(TEXTS)
        for who in "ab"
    ]
    with pytest.raises(DataError) as error:
        found(write(tmp_path, "v.csv", csv_of([header, *rows])))
    assert "may be the label: 'toxic' (such as 'low'), 'harm' (such as 'none')." in str(error.value)
    assert "rater_gender' (such" not in str(error.value)
    one = [(n, who, text, n) for n, text in enumerate(TEXTS) for who in "ab"]
    with pytest.raises(DataError) as error:
        found(write(tmp_path, "w.csv", csv_of([("id", "rater_id", "text", "toxic"), *one])))
    assert error.value.option == "--map label=toxic"


def test_a_table_without_a_header_is_told_so(tmp_path):
    rows = [(text, 2, f"e{n}") for n, text in enumerate((*TEXTS, "It is a phone."))]
    with pytest.raises(DataError, match="the first row looks like data"):
        found(write(tmp_path, "v.tsv", csv_of(rows, "\t")))


def test_repeated_columns_are_several_annotators(tmp_path):
    header = ("text", "annotator", "label", "annotator", "label")
    rows = [(TEXTS[0], "ann", "y", "ben", "n"), (TEXTS[1], "cem", "n", "ann", "y")]
    answers, _ = found(write(tmp_path, "v.csv", csv_of([header, *rows])))
    assert {who: label for (who, _), (label, _) in answers.items()} == {
        "ann": "y", "ben": "n", "cem": "n",
    }  # fmt: skip
    assert len(answers) == 4


def test_scores_by_turkers_and_a_normalised_score(tmp_path):
    header = ("Id", "Request", "Score1", "Score2", "TurkId1", "TurkId2", "Normalized Score")
    rows = [(n, text, 13, 9, "A2UF", f"A{n}", 0.2) for n, text in enumerate(TEXTS)]
    answers, notes = found(write(tmp_path, "v.csv", csv_of([header, *rows])))
    assert answers[("A2UF", TEXTS[0])] == ("13", "") and answers[("A1", TEXTS[1])] == ("9", "")
    assert "'Normalized Score'; left out" in notes


def test_the_label_s_own_reason_is_its_explanation(tmp_path):
    header = ("_unit_id", "_worker_id", "_trust", "sentiment", "sentiment_reason", "text")
    rows = [(n, who, 0.9, "neg", "bad", text) for n, text in enumerate(TEXTS) for who in "ab"]
    answers, _ = found(write(tmp_path, "v.csv", csv_of([header, *rows])))
    assert set(answers.values()) == {("neg", "bad")} and len(answers) == 4


def test_a_dash_beside_words_is_no_label(tmp_path):
    rows = [("p one", "h one", who, label) for who, label in zip("abcd", ["Entailment", "-", "Neutral", "-"], strict=True)]  # noqa: E501  # fmt: skip
    content = csv_of([("premise", "hypothesis", "annotator", "label"), *rows])
    read = read_dataset(write(tmp_path, "v.csv", content), name="x")
    assert read.report.reasons() == {
        "the label '-' is not on the scale (entailment, neutral, contradiction)": 2
    }
    signs = csv_of([("text", "annotator", "label"), ("t t", "a", "+"), ("t t", "b", "-")])
    read = read_dataset(write(tmp_path, "w.csv", signs), name="x")
    assert set(read.dataset.annotations["label"]) == {"+", "-"}


RECORDS = [
    {"text": text, "annotator": who, "label": label}
    for text in TEXTS
    for who, label in (("ann", "yes"), ("ben", "no"))
]
SHAPES = {
    "pandas, by columns": {
        key: {str(n): record[key] for n, record in enumerate(RECORDS)} for key in RECORDS[0]
    },
    "pandas, split": {
        "columns": list(RECORDS[0]), "index": [0, 1, 2, 3],
        "data": [list(record.values()) for record in RECORDS],
    },
    "lists": {key: [record[key] for record in RECORDS] for key in RECORDS[0]},
    "parts": {"train": RECORDS[:2], "test": RECORDS[2:]},
    "identifiers": {f"a{n}": record for n, record in enumerate(RECORDS)},
    "viewer": {
        "features": [{"name": "label", "type": {"names": ["no", "yes"], "_type": "ClassLabel"}}],
        "rows": [
            {"row_idx": n, "row": record | {"label": int(record["label"] == "yes")}}
            for n, record in enumerate(RECORDS)
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_json_of_other_shapes(tmp_path, shape, indent):
    path = write(tmp_path, "v.json", json.dumps(shape, indent=indent))
    answers, _ = found(path)
    assert answers == {(r["annotator"], r["text"]): (r["label"], "") for r in RECORDS}
    if "train" in shape:
        parts = read_dataset(path, name="x").dataset.items.set_index("text_a")["split"]
        assert parts.to_dict() == {TEXTS[0]: "train", TEXTS[1]: "test"}


def test_objects_of_annotators_lists_in_cells_and_texts_in_tokens(tmp_path):
    people = [{"text": t, "annotations": {"ann": 1, "ben": 0}, "soft_label": {"1": 0.5, "0": 0.5}}
              for t in TEXTS]  # fmt: skip
    answers, _ = found(write(tmp_path, "o.json", people))
    assert answers == {
        (who, t): (label, "") for t in TEXTS for who, label in (("ann", "1"), ("ben", "0"))
    }
    rows = [(t, "ann;ben", "yes;no", "so it is;I doubt it") for t in TEXTS]
    cells = csv_of([("text", "annotators", "labels", "rationales"), *rows])
    answers, _ = found(write(tmp_path, "l.csv", cells))
    assert answers[("ben", TEXTS[1])] == ("no", "I doubt it") and len(answers) == 4
    tokens = {
        f"{n}_post": {
            "post_tokens": t.split(),
            "annotators": [{"label": "hate", "annotator_id": 1, "target": ["None"]},
                           {"label": "normal", "annotator_id": 2, "target": ["Women", "Men"]}],
        }
        for n, t in enumerate(TEXTS)
    }  # fmt: skip
    answers, notes = found(write(tmp_path, "t.json", tokens))
    assert answers[("2", TEXTS[0])] == ("normal", "") and len(answers) == 4
    assert "not read: 'target'" in notes


def forms(first, questions, cells, *before):
    """Return a form's CSV: a time, perhaps more about the person, and a question and its reason."""
    header = [*first, *(part for question in questions for part in (question, cells[0]))]

    def answers_of(n):
        pairs = ((cells[1 + (n + k) % 2], f"{cells[3]} {n} {k}") for k in range(len(questions)))
        return [part for pair in pairs for part in pair]

    rows = [[*(value.format(n) for value in before), *answers_of(n)] for n in range(3)]
    return csv_of([header, *rows], ";")


TIME = "2024/05/0{0} 10:00:00"
SURVEYS = {
    "Google, Japanese": (
        forms(["タイムスタンプ", "メールアドレス"],
              ["皮肉ですか? 天気がいい。", "皮肉ですか? 電車が遅れた。"],
              ["理由", "はい", "いいえ", "そう思うから、そう答えました"], TIME, "p{0}@x.org"),
        "p1@x.org", "皮肉ですか? 天気がいい。", "いいえ",
    ),
    "Google, Arabic": (
        forms(["طابع زمني"], ["هل هذه ساخرة؟ الطقس جميل.", "هل هذه ساخرة؟ تأخر القطار."],
              ["لماذا؟", "نعم", "لا", "لأن الأمر يبدو لي"], TIME),
        "person-2", "هل هذه ساخرة؟ الطقس جميل.", "لا",
    ),
    "Microsoft, German": (
        forms(["ID", "Startzeit", "Fertigstellungszeit", "E-Mail", "Name"],
              ["Ist das ironisch? Schön.", "Ist das ironisch? Zu spät."],
              ["Warum?", "Ja", "Nein", "weil es mir so scheint"],
              "7{0}", "01.05.24 10:0{0}", "01.05.24 10:1{0}", "anonymous", ""),
        "71", "Ist das ironisch? Schön.", "Nein",
    ),
}  # fmt: skip


@pytest.mark.parametrize("content, who, text, label", SURVEYS.values(), ids=SURVEYS)
def test_survey_tools_in_other_languages(tmp_path, content, who, text, label):
    answers, _ = found(write(tmp_path, "s.csv", content))
    assert len(answers) == 6 and answers[(who, text)][0] == label
    assert answers[(who, text)][1].endswith("1 0")


def test_qualtrics_in_spanish_is_read_by_its_import_identifiers(tmp_path):
    names = ["Fecha de inicio", "Progreso", "Finalizado", "ID de respuesta", "Q1", "Q2"]
    asked = [*names[:4], "¿Es tóxico? Nunca aprendéis.", "¿Es tóxico? Buen día."]
    ids = ["startDate", "progress", "finished", "_recordId", "QID1", "QID2"]
    cells = ['"' + f'{{""ImportId"":""{each}""}}' + '"' for each in ids]
    rows = [("2024-01-01", 100, "Verdadero", f"R_{n}", ("Sí", "No")[n % 2], "No") for n in range(4)]
    answers, _ = found(write(tmp_path, "q.csv", csv_of([names, asked, cells, *rows])))
    assert answers[("R_2", asked[4])] == ("Sí", "") and len(answers) == 8


def test_surveymonkey_and_limesurvey(tmp_path):
    names = ["Respondent ID", "Collector ID", "Start Date", "IP Address", "Is it rude? You.", "",
             "Is it rude? Good day.", ""]  # fmt: skip
    under = ["", "", "", "", "Response", "Why?", "Response", "Why?"]
    rows = [(f"11{n}", 7, "5/1/24", "1.1.1.1", ("Yes", "No")[n % 2], f"so {n}", "No", f"as {n}")
            for n in range(4)]  # fmt: skip
    answers, _ = found(write(tmp_path, "m.csv", csv_of([names, under, *rows])))
    assert answers[("112", "Is it rude? You.")] == ("Yes", "so 2") and len(answers) == 8
    names = ["id. Response ID", "submitdate. Date submitted", "lastpage. Last page", "seed. Seed",
             "Q1[1]. Is it ironic? [Nice weather.]",
             "Q1[2]. Is it ironic? [Late train.]"]  # fmt: skip
    rows = [(n, "2024-05-01", 3, 12, ("Yes", "No")[n % 2], "No") for n in range(4)]
    answers, _ = found(write(tmp_path, "l.csv", csv_of([names, *rows])))
    assert answers[("2", "Nice weather.")] == ("Yes", "") and len(answers) == 8


def test_toloka_and_prodigy_s_review(tmp_path):
    header = ["INPUT:text", "OUTPUT:result", "GOLDEN:result", "ASSIGNMENT:worker_id",
              "ASSIGNMENT:status"]  # fmt: skip
    rows = [(t, "good", "", who, "REJECTED" if who == "w3" else "APPROVED")
            for t in TEXTS for who in ("w1", "w2", "w3")]  # fmt: skip
    read = read_dataset(write(tmp_path, "t.tsv", csv_of([header, *rows], "\t")), name="x")
    assert read.report.reasons() == {"the assignment was rejected": 2}
    assert list(read.dataset.annotators) == ["w1", "w2"]
    review = [
        {"html": f"<p>{t} &amp; more</p>", "label": "SPORT", "answer": "accept",
         "_annotator_id": "set-boss",
         "versions": [{"label": "SPORT", "answer": "accept", "sessions": ["set-ann"]},
                      {"label": "SPORT", "answer": "reject", "sessions": ["set-ben", "set-cem"]}]}
        for t in TEXTS
    ]  # fmt: skip
    lines = "".join(f"{json.dumps(each)}\n" for each in review)
    answers, notes = found(write(tmp_path, "r.jsonl", lines))
    assert len(answers) == 6 and "2 reviewed tasks" in notes
    assert answers[("set-ann", f"{TEXTS[0]} & more")] == ("SPORT", "")
    assert answers[("set-cem", f"{TEXTS[0]} & more")] == ("not SPORT", "")


def test_label_studio_compares_the_two_texts_that_it_names(tmp_path):
    tasks = [
        {"id": n,
         "data": {"prompt": "Say hello to her", "b1": "Hi there you", "b2": "Hello to all"},
         "annotations": [
             {"id": 10 * n + who, "completed_by": who, "was_cancelled": False,
              "result": [{"from_name": "best", "to_name": "b1,b2", "type": "pairwise",
                          "value": {"selected": "left"}}]}
             for who in (1, 2)
         ]}
        for n in range(2)
    ]  # fmt: skip
    read = read_dataset(write(tmp_path, "p.json", tasks), name="x")
    first = read.dataset.items.iloc[0]
    assert (first["text_a"], first["text_b"]) == ("Hi there you", "Hello to all")


def test_preferences_to_train_on_say_where_they_belong(tmp_path):
    rows = [{"prompt": "Say hi", "chosen": "Hi", "rejected": "No"}] * 2
    with pytest.raises(DataError, match=r"name no annotators.*train on them") as caught:
        found(write(tmp_path, "p.json", rows))
    assert "--preferences" in caught.value.option and "--" not in str(caught.value)


def test_sheets_of_annotators_beside_one_of_instructions(tmp_path):
    book = Workbook()
    book.active.title = "Read me"
    book.active.append(["Please fill in the column label."])
    for who, label in (("Ann", "y"), ("Ben", "n")):
        sheet = book.create_sheet(who)
        sheet.append(["id", "text", "label", "reason"])
        for number, text in enumerate(TEXTS):
            sheet.append([number, text, label, f"because {who} said so"])
    book.save(tmp_path / "v.xlsx")
    answers, notes = found(tmp_path / "v.xlsx", sheet="all", annotators=["file"])
    assert answers[("Ben", TEXTS[1])] == ("n", "because Ben said so") and len(answers) == 4
    assert "[Read me]: the sheet holds no rows and is left out" in notes
    with pytest.raises(DataError) as error:
        found(tmp_path / "v.xlsx", sheet=None)
    assert "--sheet all" in str(error.value.option) or "no rows" in str(error.value)


def test_potato_s_folder_inside_the_folder_of_the_task(tmp_path):
    for who, label in (("u1", "good"), ("u2", "bad")):
        folder = tmp_path / "task" / "annotation_output" / who
        folder.mkdir(parents=True)
        lines = [{"id": f"i{n}", "displayed_text": t, "label_annotations": {"mood": {label: "1"}}}
                 for n, t in enumerate(TEXTS)]  # fmt: skip
        write(folder, "annotated_instances.jsonl", "".join(f"{json.dumps(e)}\n" for e in lines))
    answers, _ = found(tmp_path / "task")
    assert answers == {(who, t): (label, "") for t in TEXTS
                       for who, label in (("u1", "good"), ("u2", "bad"))}  # fmt: skip
