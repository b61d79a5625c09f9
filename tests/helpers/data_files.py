"""Small made-up files for the tests of the importers. No text of a real dataset."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

HEADER = ["item_id", "annotator_id", "label", "explanation", "premise", "hypothesis"]
TEXTS = ("A man plays a flute.", "Someone makes music.")


def row(item="i1", annotator="A", label="entailment", why="Flutes make music.", texts=TEXTS):
    return [item, annotator, label, why, *texts]


ROWS = [
    row(),
    row(annotator="B", label="neutral", why="It may be silent."),
    row("i2", "A", "contradiction", "He sleeps.", ("A man sleeps.", "A man runs.")),
    row("i2", "B", "contradiction", "Nobody runs asleep.", ("A man sleeps.", "A man runs.")),
]


def csv_of(rows=ROWS, header=HEADER, delimiter=",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def records(rows=ROWS, header=HEADER) -> list[dict]:
    return [dict(zip(header, each, strict=True)) for each in rows]


def jsonl_of(values) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def varierr_item(item="1n", labels=None, **more) -> dict:
    """One item in VariErr's layout; `labels`: label → list of explanations."""
    return {
        "id": item,
        "context": f"A dog sleeps ({item}).",
        "statement": "An animal rests.",
        "entailment": [],
        "neutral": [],
        "contradiction": [],
        "chaosnli_labels": {"e": 90, "n": 10},
        "error_labels": [],
        **(labels or {}),
        **more,
    }


def explanation(annotator, reason="Dogs are animals.", own=True, name=None, others=()) -> dict:
    """One explanation in VariErr's layout; `own`: the author's judgment, None for none."""
    judgments = [{"annotator": who, "makes_sense": sense} for who, sense in others]
    if own is not None:
        judgments.append({"annotator": annotator, "makes_sense": own})
    return {
        "annotator": annotator,
        "id": name or f"{annotator}-{reason}",
        "judgments": judgments,
        "label_correction": False,
        "reason": reason,
        "self_corrected": own is not True,
    }


def lewidi_item(annotators, annotations, explanations, **more) -> dict:
    return {
        "annotation task": "paraphrase detection",
        "text": {"Question1": "How do I knit?", "Question2": "Is knitting hard?"},
        "number of annotators": len(annotations),
        "annotators": annotators,
        "annotations": annotations,
        "soft_label": {},
        "split": "train",
        "lang": "en",
        "other_info": {"explanations": explanations},
        **more,
    }


def shared(*parts: str) -> Path:
    """A file of the real data, or a skip that says why."""
    root = os.environ.get("CAPO_SHARED") or Path(__file__).resolve().parents[3] / "shared"
    path = Path(root, "data", *parts)
    if not path.is_file():
        pytest.skip(f"the real data are not here ({path}); set CAPO_SHARED to their folder")
    return path
