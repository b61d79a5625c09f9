"""Made-up exports of annotation tools, written from known answers in their published structure.

A writer takes answers and returns a file's name and content; the reader of the format must find
exactly these answers again. No text of a real dataset, no code of a tool.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

TEXTS = ("The lamp is green.", "A dog reads a map.", "Rain falls up.", "The soup was cold.")


@dataclass(frozen=True)
class Given:
    """One person's answer: labels, explanation ("" for none), and whether it counts."""

    item: int
    who: str
    labels: tuple[str, ...]
    why: str = ""
    counts: bool = True

    @property
    def text(self) -> str:
        return TEXTS[self.item]


Content = str | bytes
Writer = Callable[[list[Given]], tuple[str, Content]]


def by_item(given: list[Given]) -> dict[int, list[Given]]:
    items: dict[int, list[Given]] = {}
    for each in given:
        items.setdefault(each.item, []).append(each)
    return items


def lines(values: list) -> str:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in values)


def table(rows: list[dict], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def parquet(rows: list[dict]) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(rows).to_parquet(out)
    return out.getvalue()


def _result(name: str, kind: str, value: dict) -> dict:
    return {"from_name": name, "to_name": "text", "type": kind, "value": value, "origin": "manual"}


def label_studio(given: list[Given]) -> tuple[str, str]:
    tasks = []
    for item, own in by_item(given).items():
        annotations = []
        for n, each in enumerate(own):
            result = [_result("sentiment", "choices", {"choices": list(each.labels)})]
            if each.why:
                result.append(_result("why", "textarea", {"text": [each.why]}))
            annotations.append(
                {
                    "id": 1000 * item + n,
                    "completed_by": {"id": 7, "email": each.who, "first_name": ""},
                    "result": result,
                    "was_cancelled": not each.counts,
                    "ground_truth": False,
                    "lead_time": 3.1,
                }
            )
        guess = {
            "model_version": "m",
            "result": [_result("sentiment", "choices", {"choices": ["X"]})],
        }
        task = {"id": item, "data": {"text": TEXTS[item]}, "annotations": annotations}
        tasks.append(task | {"predictions": [guess], "drafts": [], "cancelled_annotations": 0})
    return "project-1.json", json.dumps(tasks)


def label_studio_csv(given: list[Given]) -> tuple[str, str]:
    rows = []
    for n, each in enumerate(each for each in given if each.counts):
        many = json.dumps({"choices": list(each.labels)})
        rows.append(
            {
                "annotation_id": n,
                "annotator": each.who,
                "created_at": "2025-03-01T10:00:00Z",
                "id": each.item,
                "lead_time": 2.5,
                "sentiment": many if len(each.labels) > 1 else each.labels[0],
                "text": each.text,
                "updated_at": "2025-03-01T10:00:00Z",
                "why": each.why,
            }
        )
    return "project-1.csv", table(rows)


def label_studio_min(given: list[Given]) -> tuple[str, str]:
    rows = []
    for n, each in enumerate(each for each in given if each.counts):
        several = {"choices": list(each.labels)}
        row = {"text": each.text, "id": each.item, "annotator": each.who, "annotation_id": n,
               "sentiment": several if len(each.labels) > 1 else each.labels[0],
               "created_at": "2025", "updated_at": "2025", "lead_time": 1.0}  # fmt: skip
        rows.append(row | ({"why": each.why} if each.why else {}))
    return "project-1-min.json", json.dumps(rows)


def argilla_2(given: list[Given]) -> list[dict]:
    rows = []
    for item, own in by_item(given).items():
        status = ["submitted" if each.counts else "discarded" for each in own]
        users = [each.who for each in own]
        rows.append(
            {
                "id": f"rec-{item}",
                "status": "completed",
                "_server_id": f"server {item}",
                "text": TEXTS[item],
                "label.responses": [list(each.labels) for each in own],
                "label.responses.users": users,
                "label.responses.status": status,
                "reason.responses": [each.why or None for each in own],
                "reason.responses.users": users,
                "reason.responses.status": status,
                "label.suggestion": ["X"],
                "label.suggestion.score": None,
                "label.suggestion.agent": "model",
            }
        )
    return rows


def argilla_2_nested(given: list[Given]) -> tuple[str, str]:
    rows = []
    for item, own in by_item(given).items():
        labels, reasons = [], []
        for each in own:
            status = "submitted" if each.counts else "discarded"
            who = {"user_id": each.who, "status": status}
            labels.append(who | {"value": list(each.labels)})
            if each.why:
                reasons.append(who | {"value": each.why})
        rows.append(
            {
                "id": f"rec-{item}",
                "fields": {"text": TEXTS[item]},
                "metadata": {"source": "made up"},
                "suggestions": {"label": {"value": ["X"], "score": 0.9, "agent": "model"}},
                "responses": {"label": labels, "reason": reasons},
                "status": "completed",
            }
        )
    return "records.json", json.dumps(rows)


def argilla_1(given: list[Given]) -> list[dict]:
    rows = []
    for item, own in by_item(given).items():
        status = ["submitted" if each.counts else "discarded" for each in own]
        rows.append(
            {
                "text": TEXTS[item],
                "label": [
                    {"user_id": each.who, "value": list(each.labels), "status": how}
                    for each, how in zip(own, status, strict=True)
                ],
                "label-suggestion": ["X"],
                "label-suggestion-metadata": {"type": None, "score": None, "agent": "model"},
                "reason": [
                    {"user_id": each.who, "value": each.why, "status": how}
                    for each, how in zip(own, status, strict=True)
                    if each.why
                ],
                "external_id": f"rec-{item}",
                "metadata": "{}",
            }
        )
    return rows


def prodigy(given: list[Given]) -> tuple[str, str]:
    options = [{"id": name, "text": name.title()} for name in ("joy", "anger", "none")]
    return "emotions.jsonl", lines([
        {
            "text": each.text,
            "_input_hash": 100 + each.item,
            "_task_hash": 200 + each.item,
            "options": options,
            "accept": list(each.labels),
            "user_input": each.why,
            "_view_id": "blocks",
            "answer": "accept" if each.counts else "ignore",
            "_timestamp": 1_700_000_000,
            "_annotator_id": f"emotions-{each.who}",
            "_session_id": f"emotions-{each.who}",
        }
        for each in given
    ])  # fmt: skip


def _classifications(each: Given, answer: str, text: Callable[[str], dict]) -> dict:
    chosen = [{"name": name, "title": name, "value": name.lower()} for name in each.labels]
    found = [{"name": "emotion", "title": "emotion", "value": "emotion", answer: chosen}]
    if each.why:
        found.append({"name": "why", "title": "why", "value": "why"} | text(each.why))
    return {"objects": [], "classifications": found, "relationships": []}


def labelbox(given: list[Given]) -> tuple[str, str]:
    return "export.ndjson", lines([
        {
            "data_row": {"id": f"cl{item}", "external_id": f"i{item}", "row_data": own[0].text},
            "media_attributes": {"asset_type": "text"},
            "projects": {"clp": {"name": "Emotions", "labels": [
                {
                    "label_kind": "Default",
                    "id": f"l{item}-{place}",
                    "label_details": {"created_by": each.who, "reviews": []},
                    "annotations": _classifications(
                        each, "checklist_answers", lambda why: {"text_answer": {"content": why}}
                    ),
                }
                for place, each in enumerate(own) if each.counts
            ]}},
        }
        for item, own in by_item(given).items()
    ])  # fmt: skip


def labelbox_former(given: list[Given]) -> tuple[str, str]:
    return "export.json", json.dumps([
        {
            "ID": f"l{place}",
            "DataRow ID": f"cl{each.item}",
            "Labeled Data": each.text,
            "Label": _classifications(each, "answers", lambda why: {"answer": why}),
            "Created By": each.who,
            "Seconds to Label": 12.5,
            "External ID": f"i{each.item}",
            "Agreement": -1,
            "Reviews": [],
            "Skipped": not each.counts,
        }
        for place, each in enumerate(given)
    ])  # fmt: skip


def doccano_user(given: list[Given], who: str) -> tuple[str, str]:
    own = [each for each in given if each.who == who and each.counts]
    rows = [
        {"id": each.item, "text": each.text, "label": list(each.labels),
         "Comments": [each.why] if each.why else []}
        for each in own
    ]  # fmt: skip
    return f"{who}.jsonl", lines(rows)


def potato_state(given: list[Given], who: str) -> tuple[str, str]:
    labels = {}
    for each in given:
        if each.who == who and each.counts:
            labels[f"item_{each.item}"] = {
                "emotion": dict.fromkeys(each.labels, "true"),
                "why": {"text_box": each.why},
            }
    state = {"user_id": who, "instance_id_ordering": list(labels), "current_instance_index": 1}
    state |= {"instance_id_to_label_to_value": labels, "instance_id_to_span_to_value": {}}
    return "user_state.json", json.dumps(state)


def potato_jsonl(given: list[Given]) -> tuple[str, str]:
    return "annotated_instances.jsonl", lines([
        {
            "user_id": each.who,
            "instance_id": f"item_{each.item}",
            "displayed_text": each.text,
            "label_annotations": {
                "emotion": {label: str(n) for n, label in enumerate(each.labels, 1)},
                "why": {"text_box": each.why},
            },
            "span_annotations": {},
            "behavioral_data": {"time_string": "Time spent: 0d 0h 0m 3s "},
        }
        for each in given
        if each.counts
    ])  # fmt: skip


def potato_tsv(given: list[Given]) -> tuple[str, str]:
    rows = []
    for each in given:
        if each.counts:
            chosen = {
                f"emotion:::{name}": name if name in each.labels else ""
                for name in ("joy", "anger", "none")
            }
            row = {"user": each.who, "instance_id": each.item, "displayed_text": each.text}
            rows.append(row | chosen | {"why:::text_box": each.why})
    return "annotated_instances.tsv", table(rows, "\t")


def _assignment(n: int, each: Given) -> dict:
    return {
        "HITId": f"HIT{each.item}",
        "HITTypeId": "T",
        "Title": "Say what it is",
        "AssignmentId": f"A{n}",
        "WorkerId": each.who,
        "AssignmentStatus": "Approved" if each.counts else "Rejected",
        "WorkTimeInSeconds": "40",
        "Input.text": each.text,
    }


def mturk_radio(given: list[Given]) -> tuple[str, str]:
    rows = []
    for n, each in enumerate(given):
        on = {f"Answer.label.{name}": str(name in each.labels).lower()
              for name in ("joy", "anger", "none")}  # fmt: skip
        rows.append(
            _assignment(n, each) | on | {"Answer.reason": each.why, "Approve": "", "Reject": ""}
        )
    return "Batch_1_batch_results.csv", table(rows)


def mturk_answers(given: list[Given]) -> tuple[str, str]:
    rows = []
    for n, each in enumerate(given):
        answer = [{"label": {"labels": list(each.labels)}, "reason": each.why}]
        rows.append(
            _assignment(n, each)
            | {"Answer.taskAnswers": json.dumps(answer), "Approve": "", "Reject": ""}
        )
    return "Batch_2_batch_results.csv", table(rows)


def toloka(given: list[Given]) -> tuple[str, str]:
    rows = [
        {
            "INPUT:id": f"t{each.item}",
            "INPUT:text": each.text,
            "OUTPUT:label": each.labels[0] if len(each.labels) == 1 else json.dumps(each.labels),
            "OUTPUT:reason": each.why,
            "GOLDEN:label": "",
            "ASSIGNMENT:assignment_id": f"a{n}",
            "ASSIGNMENT:worker_id": each.who,
            "ASSIGNMENT:status": "APPROVED" if each.counts else "REJECTED",
        }
        for n, each in enumerate(given)
    ]
    return "assignments.tsv", table(rows, "\t")


def appen(given: list[Given]) -> tuple[str, str]:
    rows = [
        {
            "_unit_id": 700 + each.item,
            "_created_at": "5/1/2024 10:00:00",
            "_golden": "false",
            "_id": 9000 + n,
            "_tainted": "false" if each.counts else "true",
            "_trust": "0.91",
            "_worker_id": each.who,
            "label": "\n".join(each.labels),
            "label_gold": "",
            "reason": each.why,
            "text": each.text,
        }
        for n, each in enumerate(given)
    ]
    return "f1234567.csv", table(rows)


def _lists(given: list[Given]) -> list[dict]:
    return [
        {
            "id": item,
            "text": TEXTS[item],
            "annotators": [each.who for each in own],
            "labels": [each.labels[0] for each in own],
            "explanations": [each.why for each in own],
            "majority_label": "X",
        }
        for item, own in by_item(given).items()
    ]


def lists_printed(given: list[Given]) -> tuple[str, str]:
    """A CSV with lists as NumPy prints them, without commas."""
    rows = []
    for row in _lists(given):
        printed = {key: "[" + " ".join(f"'{each}'" for each in row[key]) + "]"
                   for key in ("annotators", "labels")}  # fmt: skip
        rows.append({"id": row["id"], "text": row["text"], **printed})
    return "rows.csv", table(rows)


def list_of_objects(given: list[Given]) -> tuple[str, str]:
    return "rows.jsonl", lines([
        {
            "id": item,
            "text": TEXTS[item],
            "annotations": [
                {"annotator": each.who, "label": each.labels[0], "explanation": each.why}
                for each in own
            ],
        }
        for item, own in by_item(given).items()
    ])  # fmt: skip


def object_of_lists(given: list[Given]) -> tuple[str, bytes]:
    return "rows.parquet", parquet([
        {
            "id": item,
            "text": TEXTS[item],
            "annotators": {
                "annotator_id": [each.who for each in own],
                "label": [each.labels[0] for each in own],
                "rationale": [each.why for each in own],
            },
        }
        for item, own in by_item(given).items()
    ])  # fmt: skip


def one_hot(given: list[Given]) -> tuple[str, str]:
    return "emotions.csv", table([
        {
            "text": each.text,
            "id": f"e{each.item}",
            "author": "somebody",
            "rater_id": each.who,
            "example_very_unclear": not each.counts,
            "comment": each.why,
            **{name: int(each.counts and name in each.labels) for name in ("joy", "anger", "none")},
        }
        for each in given
    ])  # fmt: skip


def _people(given: list[Given]) -> dict[str, dict[int, Given]]:
    people: dict[str, dict[int, Given]] = {}
    for each in given:
        people.setdefault(each.who, {})[each.item] = each
    return people


def google_forms(given: list[Given]) -> tuple[str, str]:
    items = sorted(by_item(given))
    header = ["Timestamp", "Email Address", "What is your age?"]
    header += [cell for n, item in enumerate(items, 1) for cell in (f"{n}. {TEXTS[item]}", "Why?")]
    rows = []
    for n, (who, own) in enumerate(_people(given).items()):
        cells = [f"2025/03/01 10:00:0{n}", who, str(31 + n)]
        for item in items:
            answer = own.get(item)
            cells += [answer.labels[0], answer.why] if answer else ["", ""]
        rows.append(cells)
    return "Form (Responses).csv", _csv([header, *rows])


def qualtrics(given: list[Given]) -> tuple[str, str]:
    items = sorted(by_item(given))
    names = ["StartDate", "EndDate", "Status", "Progress", "Finished", "ResponseId", "PROLIFIC_PID"]
    texts = [
        "Start Date",
        "End Date",
        "Response Type",
        "Progress",
        "Finished",
        "Response ID",
        "pid",
    ]
    for n, item in enumerate(items, 1):
        names += [f"Q{n}", f"Q{n}_why"]
        texts += [f"How do you feel? - {TEXTS[item]}", "Why?"]
    ids = [json.dumps({"ImportId": f"QID{n}"}) for n in range(len(names))]
    rows = []
    for n, (who, own) in enumerate(_people(given).items()):
        cells = ["2025-03-01", "2025-03-01", "IP Address", "100", "True", f"R_{n}", who]
        for item in items:
            answer = own.get(item)
            cells += [answer.labels[0], answer.why] if answer else ["", ""]
        rows.append(cells)
    return "survey.csv", _csv([names, texts, ids, *rows])


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def lewidi_2023(given: list[Given]) -> tuple[str, str]:
    return "HS_train.json", json.dumps({
        str(item): {
            "text": TEXTS[item],
            "annotation task": "emotion detection",
            "number of annotations": len(own),
            "annotations": ",".join(each.labels[0] for each in own),
            "annotators": ",".join(each.who for each in own),
            "lang": "en",
            "hard_label": "X",
            "soft_label": {"X": 1.0},
            "split": "train",
            "other_info": {"annotators group": ",".join("g" for _ in own)},
        }
        for item, own in by_item(given).items()
    })  # fmt: skip


WRITERS: dict[str, tuple[str, Writer]] = {  # name → format, writer of one file
    "Label Studio JSON": ("label-studio", label_studio),
    "Label Studio CSV": ("label-studio", label_studio_csv),
    "Label Studio JSON_MIN": ("label-studio", label_studio_min),
    "Argilla 2 JSON": ("argilla", lambda g: ("records.json", json.dumps(argilla_2(g)))),
    "Argilla 2 JSON Lines": ("argilla", lambda g: ("records.jsonl", lines(argilla_2(g)))),
    "Argilla 2 Parquet": ("argilla", lambda g: ("records.parquet", parquet(argilla_2(g)))),
    "Argilla 2 CSV": ("argilla", lambda g: ("records.csv", table(argilla_2(g)))),
    "Argilla 2 nested": ("argilla", argilla_2_nested),
    "Argilla 1 JSON": ("argilla", lambda g: ("old.json", json.dumps(argilla_1(g)))),
    "Argilla 1 Parquet": ("argilla", lambda g: ("old.parquet", parquet(argilla_1(g)))),
    "Prodigy": ("prodigy", prodigy),
    "Labelbox": ("labelbox", labelbox),
    "Labelbox, former": ("labelbox", labelbox_former),
    "Potato instances": ("potato", potato_jsonl),
    "Potato TSV": ("potato", potato_tsv),
    "MTurk radio buttons": ("mturk", mturk_radio),
    "MTurk taskAnswers": ("mturk", mturk_answers),
    "Toloka": ("toloka", toloka),
    "Appen": ("appen", appen),
    "Lists, JSON Lines": ("lists", lambda g: ("rows.jsonl", lines(_lists(g)))),
    "Lists, Parquet": ("lists", lambda g: ("rows.parquet", parquet(_lists(g)))),
    "Lists, CSV": ("lists", lists_printed),
    "List of objects": ("lists", list_of_objects),
    "Object of lists": ("lists", object_of_lists),
    "One-hot": ("one-hot", one_hot),
    "Google Forms": ("survey", google_forms),
    "Qualtrics": ("survey", qualtrics),
    "LeWiDi 2023": ("lewidi", lewidi_2023),
}
WITHOUT_ASIDE = {  # exports that hold only what counts
    "Label Studio CSV",
    "Label Studio JSON_MIN",
    "Labelbox",
    "Potato instances",
    "Potato TSV",
}
ONE_LABEL = {  # of each person for an item, all of which count
    "Lists, JSON Lines",
    "Lists, Parquet",
    "Lists, CSV",
    "List of objects",
    "Object of lists",
    "Google Forms",
    "Qualtrics",
    "LeWiDi 2023",
}
WITHOUT_WORDS = {"Lists, CSV", "LeWiDi 2023"}


def found(read):
    """What an import holds: (text, annotator, label, explanation), sorted."""
    data = read.dataset
    texts = dict(zip(data.items["item_id"], data.items["text_a"], strict=True))
    columns = (data.annotations[c] for c in ("item_id", "annotator_id", "label", "explanation"))
    return sorted((texts[item], *rest) for item, *rest in zip(*columns, strict=True))
