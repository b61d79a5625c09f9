"""VariErr NLI (Weber-Genzel et al., ACL 2024): JSON Lines of explanations from two rounds.

In round one, annotators gave labels, each with an explanation; an annotator may give two labels to
an item, which are two rows here. In round two they judged every explanation ("makes sense").

Validity. An explanation's `valid` is its own author's judgment in round two, as in the paper's
self-validation: "true" if the author still finds that it makes sense, "false" if not, "unknown"
if the author gave no judgment (26 of 1,933: "I don't know"). Judgments by the others do not
enter. A label of an item is an *error* if none of its explanations is "true"; counted so, 129 of
878 item-labels are errors, which are exactly the file's own `error_labels`. The field
`self_corrected` says the same (it holds wherever the author did not confirm) and is not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.data.formats.base import (
    AnnotatorDetails,
    DownloadSource,
    Format,
    PublishedFile,
    ReadOptions,
)
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.json_records import (
    looks_like_lines,
    read_array,
    read_lines,
)
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count
from capo_core.schema import ITEMS
from capo_core.task import NLI

LABELS = NLI.scale.labels
_CROWD = {"e": "entailment", "n": "neutral", "c": "contradiction"}  # ChaosNLI's letters
_NEEDED = ("id", "context", "statement", *LABELS)


def _is_varierr(record: Any) -> bool:
    """Return whether this JSON object looks like an item of VariErr."""
    return isinstance(record, dict) and all(key in record for key in _NEEDED)


def matches(source: ImportSource) -> bool:
    """Return whether one of the first lines, or of a JSON array's elements, is an item."""
    if any(_is_varierr(record) for record in source.first_records()):
        return True
    value = source.json_value
    return isinstance(value, list) and bool(value) and _is_varierr(value[0])


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Return one row per explanation; records that are no items are rejected.

    Raises:
        DataError: no record of the file is an item of VariErr.
    """
    where, notes = source.name, []
    if looks_like_lines(source.text):
        records = read_lines(source.text, rejected, where)
    else:
        value, notes = source.whole_json()
        records = read_array(value if isinstance(value, list) else [value], rejected, where)
    rows, items, crowd = [], [], []
    for number, record in records:
        if problem := _problem(record):
            rejected.add(number, "", problem, cell_text(record))
            continue
        item = {
            "item_id": cell_text(record["id"]).strip(),
            "text_a": cell_text(record["context"]),
            "text_b": cell_text(record["statement"]),
        }
        items.append(item | {"split": ""})
        rows += [
            _entry(explanation, label, number, item)
            for label in LABELS
            for explanation in record[label] or []
        ]
        crowd += _crowd(record.get("chaosnli_labels"), item["item_id"], number, notes)
    if not items:
        raise DataError(
            "no record is an item of VariErr",
            where=where,
            expected=f"objects with the keys {', '.join(_NEEDED)}",
            todo="import it as a table",
            option="--format table",
        )
    if crowd:
        notes.append(f"{count(len(crowd) // len(LABELS), 'item')} with crowd counts (ChaosNLI)")
    return RawAnnotations(
        pd.DataFrame(rows, columns=RAW_COLUMNS, dtype=object),
        "explanations",
        (NLI.role_a, NLI.role_b),
        tuple(notes),
        task=NLI,
        crowd=pd.DataFrame(crowd, columns=["item_id", "label", "count"]) if crowd else None,
        items=pd.DataFrame(items, columns=ITEMS.names, dtype=object),
        origin=f"VariErr NLI (Weber-Genzel et al., ACL 2024), from {where}",
    )


def _problem(record: dict) -> str:
    missing = [key for key in _NEEDED if key not in record]
    if missing:
        return f"not an item of VariErr: {', '.join(missing)} missing"
    odd = [label for label in LABELS if not isinstance(record[label], list | None)]
    return f"not an item of VariErr: {', '.join(odd)} must be a list" if odd else ""


def _entry(explanation: Any, label: str, number: int, item: dict) -> dict:
    if not isinstance(explanation, dict):
        explanation = {"reason": explanation}  # rejected later: it has no annotator
    annotator = cell_text(explanation.get("annotator")).strip()
    return item | {
        "row": number,
        "column": label,
        "annotator_id": annotator,
        "label": label,
        "explanation": cell_text(explanation.get("reason")),
        "valid": own_judgment(explanation.get("judgments"), annotator),
        "split": "",
        "annotation_id": cell_text(explanation.get("id")),
    }


def own_judgment(judgments: Any, annotator: str) -> str:
    """Return the judgment of `annotator` on their own explanation: true, false or unknown."""
    for judgment in judgments if isinstance(judgments, list) else []:
        if isinstance(judgment, dict) and cell_text(judgment.get("annotator")) == annotator:
            return {True: "true", False: "false"}.get(judgment.get("makes_sense"), "unknown")
    return "unknown"


def _crowd(counts: Any, item_id: str, number: int, notes: list[str]) -> list[dict]:
    """Return ChaosNLI's counts; a missing letter counts 0."""
    if not isinstance(counts, dict):
        return []
    rows = []
    for letter, label in _CROWD.items():
        count = counts.get(letter, 0)
        if isinstance(count, bool) or not isinstance(count, int | float) or count != count // 1:
            notes.append(f"row {number}: the crowd count {count!r} is not a whole number: ignored")
            return []
        if count < 0:
            notes.append(f"row {number}: the crowd count {count!r} is negative: ignored")
            return []
        rows.append({"item_id": item_id, "label": label, "count": int(count)})
    return rows


def item_label_errors(annotations: pd.DataFrame) -> tuple[int, int]:
    """Return (errors, item-labels): an item's label is an error if no explanation is valid."""
    if not len(annotations):
        return 0, 0
    valid = (annotations["valid"] == "true").groupby([annotations["item_id"], annotations["label"]])
    some = valid.any()
    return int((~some).sum()), len(some)


def add_validity_note(path: Path, dataset: Dataset, notes: list[str]) -> AnnotatorDetails:
    """Note what `valid` means here and how many labels it makes errors."""
    errors, labels = item_label_errors(dataset.annotations)
    notes.append(
        "validity is the author's own judgment in the second round; "
        f"{errors} of {labels} item-labels are errors (no explanation confirmed by its author)"
    )
    return {}


FORMAT = Format(
    name="varierr",
    title="VariErr NLI",
    description="JSON Lines of VariErr NLI (Weber-Genzel et al., ACL 2024): 500 items of natural "
    "language inference, four annotators, 1,933 explanations with later judgments of validity",
    read=read,
    sign="objects with 'context', 'statement' and lists 'entailment', 'neutral', 'contradiction'",
    matches=matches,
    finish=add_validity_note,
    downloads=(
        DownloadSource(
            name="varierr",
            title="VariErr NLI",
            description="500 items of natural language inference, four annotators, 1,933 "
            "explanations with judgments of validity, and ChaosNLI's crowd counts",
            by_hand="download varierr.json from https://github.com/mainlp/VariErr-NLI on any "
            "machine",
            pattern="varierr.json",
            licence="none stated in its repository",
            files=(
                PublishedFile(
                    "varierr.json",
                    "https://raw.githubusercontent.com/mainlp/VariErr-NLI/"
                    "b2cbdd3bc3ca2a618fc16ac078f471623152c923/varierr.json",
                    "c8f9a634a69d72a6c390047ac242562b80a8caac08db19714db3f98bd40e13ea",
                    1_007_091,
                ),
            ),
        ),
    ),
    needs_json=True,
)
