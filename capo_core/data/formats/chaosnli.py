"""Crowd counts: ChaosNLI's files, and objects of labels with counts or shares in each record.

ChaosNLI (Nie et al., EMNLP 2020) has `label_counter` (label → number of people), the texts in
`example`, and labels of nobody in particular: the majority, and `old_labels` of the source. Other
files have an object such as `{"entailment": 6, "neutral": 4}`, or shares with the number of people,
or a column for each label (see `count_columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from capo_core.data import export
from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.count_columns import all_count_columns, columns_of_labels, counts_in
from capo_core.data.crowd_counts import LabelCounts, counts_of, flat, is_label_numbers
from capo_core.data.formats.answers import parsed_cell
from capo_core.data.formats.base import DownloadSource, Format, PublishedFile, ReadOptions
from capo_core.data.formats.number_objects import (
    COUNTS,
    OF_COUNTS,
    OF_EITHER,
    OF_PEOPLE,
    TOTALS,
    meaning,
)
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations, role_name
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted, quoted_list
from capo_core.data.splits import part_named
from capo_core.errors import DataError
from capo_core.export_formats import unescape
from capo_core.formatting import count
from capo_core.provenance import any_simulated
from capo_core.task import LabelScale, Task

_MODELS = {"model", "predicted", "prediction", "predictions", "pred", "preds"}  # nobody's
_COUNTS = "counts per label"  # made of a column for each label
_PAIRS = (("obs1", "obs2"), ("hyp1", "hyp2"))  # ChaosNLI's abductive part
ABDUCTION = Task(
    name="abductive inference",
    scale=LabelScale(("1", "2")),
    role_a="observations",
    role_b="hypotheses",
    instruction="Which hypothesis explains better what happened between the two observations, the "
    "first (1) or the second (2)?",
)


def count_field(records: list[dict[str, Any]], chosen: bool = False) -> str:
    """Return the field with the counts of labels; "" if none, or several without a usual name.

    Args:
        chosen: whoever chose this format says that an object holds counts, whatever its name.
    """
    found = {}
    for record in records:
        for name, value in record.items():
            if _MODELS & set(normalised_name(name).split("_")):
                continue
            if is_label_numbers(parsed_cell(value)):
                found.setdefault(normalised_name(name), name)
    if not chosen:
        found = {key: name for key, name in found.items() if meaning(name, records) == COUNTS}
    usual = next((found[name] for name in (*OF_COUNTS, *OF_EITHER) if name in found), "")
    return usual or (next(iter(found.values())) if len(found) == 1 else "")


def _names_people(record: Mapping[str, Any], field: str) -> bool:
    """Return whether a record has annotators in a field beside that of the counts."""
    people = {*SYNONYMS["annotator_id"], "annotators", "annotations"}
    for name, value in record.items():
        key = normalised_name(str(name))
        nested = isinstance(parsed_cell(value), list | dict)
        if name != field and (key in people or (key in OF_PEOPLE and nested)):
            return True
    return False


def _texts(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the fields of the two texts."""
    names = {normalised_name(name): name for name, value in record.items()
             if isinstance(value, str) and value.strip()}  # fmt: skip
    pick = [next((names[each] for each in SYNONYMS[role] if each in names), "")
            for role in ("text_a", "text_b")]  # fmt: skip
    return pick[0], pick[1]


def matches(source: ImportSource) -> bool:
    """Return whether records with counts of labels, a text and no annotators are in the file."""
    sample = [flat(record) for record in source.sample]
    if not sample:
        return False
    field = count_field(sample)
    if any(_names_people(record, field) for record in sample):
        return False
    if not field and not columns_of_labels(sample):
        return False
    return bool(_texts(sample[0])[0]) or "obs1" in sample[0]


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Return items with crowd counts, and no annotation.

    Raises:
        DataError: no field holds counts, or only shares of an unknown number of people.
    """
    where = source.name
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    rows = [(row, _as_exported(source, flat(record))) for row, record in records.rows]
    whole = [record for _, record in rows]
    field = count_field(whole)
    if not field and not columns_of_labels(whole):
        field = count_field(whole, chosen=True)
    columns = {} if field else all_count_columns(whole, TOTALS)
    if not field and len(columns) < 2:
        raise DataError(
            "no field holds the counts of labels",
            where=where,
            expected='an object such as {"entailment": 70, "neutral": 30} in each record, or a '
            "column of whole numbers for each label",
        )
    items, crowd, notes = [], [], list(records.notes)
    if columns:
        field = _COUNTS
        rows = [(row, {**record, field: counts_in(record, columns)}) for row, record in rows]
        notes.append(f"counts per label in the columns {quoted_list(columns)}")
    problems: dict[str, int] = {}
    seen: dict[str, tuple[str, str]] = {}
    roles = ("", "")
    for row, record in rows:
        found = _counts(record, field)
        text_a, text_b, names = _shown(record)
        item = _item(record) or str(len(items) + 1)
        problem = found.problem or ("" if text_a.strip() else "the item has no text")
        if not problem and item in seen:
            problem = f"duplicate: the item {quoted(item)} is in an earlier row"
        if problem:
            shown = {name: value for name, value in record.items() if name != _COUNTS}
            rejected.add(row, field, problem, cell_text(shown))
            problems[problem] = problems.get(problem, 0) + 1
            continue
        seen[item] = (text_a, text_b)
        roles = roles if any(roles) else names
        split = part_named(cell_text(record.get("split")))
        items.append({"item_id": item, "text_a": text_a, "text_b": text_b, "split": split})
        crowd += [
            {"item_id": item, "label": label, "count": n} for label, n in found.counts.items()
        ]
    if not items:
        shares = any("number of people is not in the file" in each for each in problems)
        raise DataError(
            "; ".join(f"{problem} ({count(n, 'row')})" for problem, n in problems.items()),
            where=where,
            expected="counts of people for each label, or shares with the number of people",
            todo="compare them as label distributions" if shares else None,
            option="distributions compare --file FILE" if shares else None,
        )
    abductive = roles == (ABDUCTION.role_a, ABDUCTION.role_b)
    unread = [name for name in ("majority_label", "gold_label", "old_label", "old_labels",
                                "label_dist", "label")
              if any(name in record for _, record in rows) and name != field]  # fmt: skip
    if unread:
        notes.append(f"not read, they are nobody's labels: {', '.join(unread)}")
    sidecar = export.find_sidecar(options.path, records.metadata, notes)
    return RawAnnotations(
        pd.DataFrame(columns=RAW_COLUMNS, dtype=object),
        "items",
        roles,
        tuple(notes),
        # 1 and 2 number the hypotheses: no scale.
        task=sidecar.task
        or (ABDUCTION if abductive and {one["label"] for one in crowd} <= {"1", "2"} else None),
        crowd=pd.DataFrame(crowd, columns=["item_id", "label", "count"]),
        items=pd.DataFrame(items, dtype=object),
        origin=sidecar.origin or f"crowd counts, from {where}",
        simulated=sidecar.simulated or any_simulated(records.provenance),
        delimiter=records.delimiter,
        sheet=records.sheet,
    )


def _as_exported(source: ImportSource, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the apostrophes that an export to CSV adds."""
    names = list(record)
    flat_text = not source.json and source.kind != "parquet"
    if not flat_text or names[:1] != ["item_id"] or export.CROWD_FIELD not in names[-2:]:
        return record
    return {
        name: unescape(value) if isinstance(value, str) else value for name, value in record.items()
    }


def _counts(record: Mapping[str, Any], field: str) -> LabelCounts:
    names = {normalised_name(str(name)): name for name in record}
    people = next((record[names[each]] for each in TOTALS if each in names), None)
    try:
        known = None if people is None else float(people)
    except (TypeError, ValueError):
        known = None
    return counts_of(parsed_cell(record.get(field)), known)


def _shown(record: Mapping[str, Any]) -> tuple[str, str, tuple[str, str]]:
    """Return the two texts and their names."""
    if "obs1" in record:
        text_a, text_b = (
            "\n".join(cell_text(record.get(each)) for each in pair) for pair in _PAIRS
        )
        return text_a, text_b, (ABDUCTION.role_a, ABDUCTION.role_b)
    first, second = _texts(record)
    texts = [cell_text(record.get(name)) if name else "" for name in (first, second)]
    return texts[0], texts[1], (role_name(first), role_name(second))


def _item(record: Mapping[str, Any]) -> str:
    names = {normalised_name(str(name)): name for name in record}
    known = next((names[each] for each in (*SYNONYMS["item_id"], "id") if each in names), "")
    return cell_text(record.get(known)).strip() if known else ""


_MJD_REPOSITORY = "https://raw.githubusercontent.com/mainlp/MJD-Estimator"
_MJD_EXPLANATIONS = (
    f"{_MJD_REPOSITORY}/c0bd934e353812a4c1df2c63742d9420e223d52c/Model-Explanation/"
    "Llama3-explanations/Llama3-model-explanation-main"
)
_MJD_CLASSIFIERS = (
    f"{_MJD_REPOSITORY}/f993e1745914b22fee432caf832ca2cb6e647377/MJD-fine-tuning/data/"
    "chaos_dev_test"
)
_MJD = DownloadSource(
    name="mjd",
    title="ChaosNLI and VariErr, of MJD-Estimator",
    description="341 items with crowd shares, four human and Llama 3's explanations, and ChaosNLI "
    "shares of 629 + 629 items to develop and test classifiers (Chen et al., 2024 and 2025)",
    by_hand="download MJD-generator/NLI_explanations.json, the two files of "
    "MJD-fine-tuning/data/chaos_dev_test and Label-Free-first.json and "
    "VariErr-Label-Guided-first.json of Model-Explanation/Llama3-explanations from "
    "https://github.com/mainlp/MJD-Estimator on any machine",
    pattern="python -m capo_core distributions compare --file NLI_explanations.json",
    is_dataset=False,
    licence="Apache 2.0 for the code of its repository; the labels are ChaosNLI's (CC BY-NC 4.0), "
    "and of VariErr none is stated",
    files=(
        PublishedFile(
            "NLI_explanations.json",
            f"{_MJD_REPOSITORY}/1a4826c033e208687fa899073c0ac646182c562a/MJD-generator/"
            "NLI_explanations.json",
            "3ce41d45810ea9c58e29317fb1a4d29c19f922d8f71bfa80dc2a1ba257961d98",
            230_667,
        ),
        PublishedFile(
            "chaosnli_dev.json",
            f"{_MJD_CLASSIFIERS}/dev.json",
            "27f58ba66049e893313f27c2199164e49d4514fdc15c951e2f9bf900764b33fc",
            148_259,
        ),
        PublishedFile(
            "chaosnli_test.json",
            f"{_MJD_CLASSIFIERS}/test.json",
            "0b931367354a4c4de8a4144d772bc15006fdcc9abb4333d7d49e4f78f4cdf15f",
            144_490,
        ),
        PublishedFile(
            "llama3_explanations_label_free_first.json",
            f"{_MJD_EXPLANATIONS}/Label-Free-first.json",
            "af64f365c89b045ff1c90f25d4ae1ff4dee1edec0de6de83fdb5e99aae674234",
            218_864,
        ),
        PublishedFile(
            "llama3_explanations_varierr_guided_first.json",
            f"{_MJD_EXPLANATIONS}/VariErr-Label-Guided-first.json",
            "5b675be1f8ce1be6f60ac343dc8ea3e3d9a39852fb022116e707ddfab2dc7eeb",
            275_314,
        ),
    ),
)

FORMAT = Format(
    name="crowd-counts",
    title="Crowd counts",
    description="ChaosNLI's JSON Lines, and other files with an object of labels and counts (or "
    "shares and the number of people) or a column of whole numbers for each label: items without "
    "annotators",
    sign="an object of labels with numbers in each record or columns of whole numbers named after "
    "labels, and no annotators",
    general=True,
    read=read,
    matches=matches,
    downloads=(_MJD,),
)
