"""Export of a dataset to annotation tools, in the structure in which they export themselves.

A tool's file holds what its interface shows: items, labels, explanations and who gave them. Task,
crowd counts and validity are left out (`export` keeps them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from capo_core.data.crowd_counts import require_annotators
from capo_core.data.export import long_table, provenance_of, text_fields
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.export_formats import json_lines
from capo_core.json_text import json_text
from capo_core.provenance import NAME, Provenance
from capo_core.task import Task
from capo_core.workspace import atomic_file

LABEL, WORDS = "label", "explanation"  # names of the two questions


@dataclass(frozen=True)
class AnnotationTool:
    """A tool that a dataset can be exported to.

    Attributes:
        name: for `data export --format`. title: name on screen.
        suffix: of the file. mime: its kind, for a download.
        text: dataset and provenance → the file's content.
    """

    name: str
    title: str
    suffix: str
    mime: str
    text: Callable[[Dataset, Provenance], str]


def _texts(task: Task, row: dict) -> dict[str, str]:
    first, second = text_fields(task)
    shown = {first: row["text_a"]}
    return shown | ({second: row["text_b"]} if task.role_b or row["text_b"] else {})


def label_studio(dataset: Dataset, provenance: Provenance) -> str:
    """Return tasks with their annotations, as Label Studio's JSON."""
    tasks: dict[str, dict] = {}
    for number, row in enumerate(long_table(dataset).to_dict("records"), 1):
        task = tasks.setdefault(
            row["item_id"],
            {
                "id": row["item_id"],
                "data": _texts(dataset.task, row),
                "meta": {NAME: provenance.line},
                "annotations": [],
                "predictions": [],
            },
        )
        shown = text_fields(dataset.task)[0]
        result = [_result(LABEL, shown, "choices", {"choices": [row["label"]]})]
        if row["explanation"]:
            result.append(_result(WORDS, shown, "textarea", {"text": [row["explanation"]]}))
        task["annotations"].append(
            {
                "id": number,
                "completed_by": {"email": row["annotator_id"]},
                "was_cancelled": False,
                "result": result,
            }
        )
    return json_text(list(tasks.values()), indent=1) + "\n"


def _result(name: str, shown: str, kind: str, value: dict) -> dict:
    return {"from_name": name, "to_name": shown, "type": kind, "value": value}


def prodigy(dataset: Dataset, provenance: Provenance) -> str:
    """Return one decision in each line, as Prodigy's choice interface writes them."""
    options = [{"id": label, "text": label} for label in dataset.task.scale.labels]
    rows = (
        {
            **_texts(dataset.task, row),
            "meta": {"item_id": row["item_id"]},
            "options": options,
            "accept": [row["label"]],
            "answer": "accept",
            **({WORDS: row["explanation"]} if row["explanation"] else {}),
            **({"split": row["split"]} if row["split"] else {}),
            "_annotator_id": row["annotator_id"],
        }
        for row in long_table(dataset).to_dict("records")
    )
    return json_lines(rows, provenance)


TOOL_EXPORTS = {
    each.name: each
    for each in (
        AnnotationTool(
            "label-studio", "Label Studio (JSON)", "json", "application/json", label_studio
        ),
        AnnotationTool("prodigy", "Prodigy (JSONL)", "jsonl", "application/jsonl", prodigy),
    )
}


def export_to_tool(dataset: Dataset, path: Path | str, tool: str) -> Path:
    """Write `dataset` for an annotation tool.

    Raises:
        ConfigError: an unknown tool. DataError: the file cannot be written, or the dataset has
            crowd counts and no annotations.
    """
    require_annotators(dataset)
    if tool not in TOOL_EXPORTS:
        raise ConfigError(f"the tool {tool!r} is not known", expected=", ".join(TOOL_EXPORTS))
    path = Path(path)
    content = TOOL_EXPORTS[tool].text(dataset, provenance_of(dataset))
    try:
        with atomic_file(path) as file:
            file.write(content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise DataError(
            f"the file cannot be written ({error.strerror or error})", where=str(path)
        ) from None
    return path
