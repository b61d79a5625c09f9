"""The items, annotations and answers of an atlas as the JSON that its page reads.

Words that the page dims are those of `tokens.input_spans`, exactly the ones that `mask_input`
removes. JavaScript counts characters in UTF-16, Python in code points: places are converted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from capo_core.atlas.content import AtlasContent, AtlasEvaluation
from capo_core.dataset import Dataset
from capo_core.imitation.prompting.prompts import method_name
from capo_core.json_text import canonical_json
from capo_core.looks import looks, method_looks
from capo_core.text.tokens import Span, input_spans

_VALID = {"false": 1, "true": 0, "unknown": 0}  # 1: rejected in the validation round


def browser_data(content: AtlasContent, *, texts: bool) -> dict[str, Any]:
    """Return what the page searches and shows item by item.

    Args:
        texts: False leaves out every text of the data and of the models: texts of items,
            explanations, and answers; labels and identifiers stay.

    Returns:
        annotators: [name, colour]; labels and roles by name; items: [id, split, text a, text b,
        annotations, crowd counts by label or 0], an annotation being [annotator, label,
        explanation, dimmed, rejected]; evaluations: title, methods [name, colour] and answers by
        the item's number: [target, method, label, explanation, dimmed]. Annotators, labels and
        methods are numbers of their lists, −1 for none; dimmed words are gaps and lengths in turn.
    """
    dataset = content.dataset
    names = list(dataset.annotators)
    labels = list(dataset.task.scale.labels)
    look = looks(names)
    return {
        "texts": texts,
        "annotators": [[name, look[name].color] for name in names],
        "labels": labels,
        "roles": [role.capitalize() for role in (dataset.task.role_a, dataset.task.role_b) if role],
        "items": _items(dataset, content.items, texts=texts),
        "evaluations": [
            _answers(dataset, content.items, one, texts=texts) for one in content.evaluations
        ],
    }


def script_json(value: Any) -> str:
    """Return JSON for a `<script type="application/json">`: nothing in it ends the element.

    >>> script_json({"a": "</script>"})
    '{"a":"\\\\u003c/script\\\\u003e"}'
    """
    text = canonical_json(value)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def dimmed(text: str, inputs: Iterable[str]) -> list[int]:
    """Return the words of `text` that stand in the inputs: gap and length in turn, in UTF-16.

    >>> dimmed("a dog 🐕 dog", ["The dog"])
    [2, 3, 4, 3]
    """
    spans = input_spans(text, *inputs)
    return _steps(text, spans)


def _steps(text: str, spans: list[Span]) -> list[int]:
    steps, end = [], 0
    for span in spans:
        steps += [_units(text[end : span.start]), _units(text[span.start : span.end])]
        end = span.end
    return steps


def _units(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text)


def _items(dataset: Dataset, kept: Sequence[str], *, texts: bool) -> list[list[Any]]:
    annotator = {name: place for place, name in enumerate(dataset.annotators)}
    label = {name: place for place, name in enumerate(dataset.task.scale.labels)}
    inputs = _inputs(dataset)
    crowd = _crowd(dataset, label)
    given: dict[str, list[list[Any]]] = {item: [] for item in kept}
    for row in dataset.annotations.itertuples():
        if row.item_id not in given:
            continue
        shown = row.explanation if texts else ""
        given[row.item_id].append(
            [
                annotator[row.annotator_id], label[row.label], shown,
                dimmed(shown, inputs[row.item_id]) if shown else [], _VALID[row.valid],
            ]
        )  # fmt: skip
    return [
        [
            row.item_id, row.split, *((row.text_a, row.text_b) if texts else ("", "")),
            sorted(given[row.item_id], key=lambda one: one[0]), crowd.get(row.item_id, 0),
        ]
        for row in dataset.items.itertuples()
        if row.item_id in given
    ]  # fmt: skip


def _inputs(dataset: Dataset) -> dict[str, tuple[str, str]]:
    return {row.item_id: (row.text_a, row.text_b) for row in dataset.items.itertuples()}


def _crowd(dataset: Dataset, label: dict[str, int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    if dataset.crowd is not None:
        for row in dataset.crowd.itertuples():
            found.setdefault(row.item_id, [0] * len(label))[label[row.label]] = int(row.count)
    return found


def _answers(
    dataset: Dataset, kept: Sequence[str], one: AtlasEvaluation, *, texts: bool
) -> dict[str, Any]:
    methods = [name for name in one.report.method_names if name in set(one.answers["source"])]
    look = method_looks(methods)
    return {
        "title": one.title,
        "methods": [[method_name(name), look[name].color] for name in methods],
        "answers": _by_item(dataset, kept, one.answers, methods, texts=texts),
    }


def _by_item(
    dataset: Dataset,
    kept: Sequence[str],
    answers: pd.DataFrame,
    methods: list[str],
    *,
    texts: bool,
) -> dict[str, list[list[Any]]]:
    place = {item: number for number, item in enumerate(kept)}
    annotator = {name: number for number, name in enumerate(dataset.annotators)}
    label = {name: number for number, name in enumerate(dataset.task.scale.labels)}
    inputs = _inputs(dataset)
    found: dict[str, list[list[Any]]] = {}
    for row in answers[answers["source"].isin(methods)].itertuples():
        if row.item_id not in place:
            continue
        shown = row.explanation if texts else ""
        found.setdefault(str(place[row.item_id]), []).append(
            [
                annotator[row.target], methods.index(row.source), label.get(row.label, -1), shown,
                dimmed(shown, inputs[row.item_id]) if shown else [],
            ]
        )  # fmt: skip
    return found
