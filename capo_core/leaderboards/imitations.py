"""Rows of a board from what the workspace already generated: prompting, SFT and CAPO.

Nothing is generated here. The finished generations of a dataset's test part are read, their labels
counted for each annotator and item over samples and seeds, and the shares scored as any system's
probabilities. They read the item and never the annotator's explanation of it, so that their track
is the content. They learn from the training part alone, which their rows say, since other rows of
ours learn from the development part as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from capo_core.evaluation.streams import MethodOutputs
from capo_core.formatting import count, listed
from capo_core.imitation.prompting.prompts import METHODS, method_name
from capo_core.leaderboards.boards import SEVERAL
from capo_core.leaderboards.cells import BoardTask
from capo_core.leaderboards.systems import Prediction, annotator_means

ALIKE = ("zero_shot",)  # methods whose prompts say nothing of the annotator


def alike_for_all(settings: Mapping[str, Any]) -> bool:
    """Return whether a generation with these settings (of `GenerateConfig`) would be the same for
    every annotator, but for the seeds of its answers."""
    return settings["method"] in ALIKE and settings.get("label_prior", "none") == "none"


def imitation_rows(
    task: BoardTask, outputs: Sequence[MethodOutputs], alike: Collection[str] = ()
) -> list[tuple[str, str, Prediction]]:
    """Return (name, title, prediction) for each method, of the outputs of its runs.

    Args:
        alike: names of runs that are `alike_for_all`; their answers to an item also count for its
            annotators for whom nothing was generated.

    Answers without a readable label count as the annotator's most frequent one, and are counted in
    the note. Cells of annotators that a method has no run for stay unanswered (NaN): such a row is
    not ranked.
    """
    sources = list(dict.fromkeys(one.source for one in outputs))
    return [
        (
            f"runs:{source}",
            f"{method_name(source)} (labels)",
            _prediction(task, source, outputs, alike),
        )
        for source in sources
    ]


def _prediction(
    task: BoardTask, source: str, outputs: Sequence[MethodOutputs], alike: Collection[str]
) -> Prediction:
    board, test = task.board, task.test
    item = {task.item_ids[number]: number for number in np.unique(test.item)}
    who = {name: number for number, name in enumerate(task.annotators)}
    label = {name: number for number, name in enumerate(board.labels)}
    place = {
        key: n
        for n, key in enumerate(zip(test.item.tolist(), test.annotator.tolist(), strict=True))
    }
    frequent = annotator_means(task.learn, board.kind, len(task.annotators)).argmax(axis=1)
    counts = np.zeros((len(test), len(board.labels)))
    # Answers to an item that are anybody's; the last column counts those that cannot be read.
    of_item = np.zeros((len(task.item_ids), len(board.labels) + 1))
    unreadable = 0
    for one in outputs:
        if one.source != source:
            continue
        frame = one.frame
        for target, item_id, given in zip(
            frame["target_annotator_id"], frame["item_id"], frame["label"], strict=True
        ):
            key = item.get(item_id), who.get(target)
            anybodys = one.run in alike and key[0] is not None
            if anybodys:
                of_item[key[0], label.get(given, -1)] += 1
            if key in place:  # an item that this annotator labelled
                counts[place[key], label.get(given, frequent[key[1]])] += 1
            if given not in label and (anybodys or key in place):
                unreadable += 1
    copied = np.flatnonzero((counts.sum(axis=1) == 0) & (of_item[test.item].sum(axis=1) > 0))
    counts[copied] = of_item[test.item[copied], :-1]
    counts[copied, frequent[test.annotator[copied]]] += of_item[test.item[copied], -1]
    n = counts.sum(axis=1, keepdims=True)
    chances = np.where(n > 0, counts / np.maximum(n, 1), np.nan)
    missing = sorted({int(a) for a in test.annotator[n[:, 0] == 0]})
    notes = [_learned(task, source)]
    if len(copied):
        notes.append(
            "The prompt says nothing of the annotator, so that an answer to an item is anybody's: "
            f"those of other annotators stand for {count(len(copied), 'cell')}."
        )
    if unreadable:
        notes.append(
            f"{count(unreadable, 'answer')} without a readable label: counted as the annotator's "
            "most frequent one."
        )
    if missing:
        names = listed([task.annotators[number] for number in missing])
        notes.append(f"No answers for some or all items of {names}: not ranked.")
    if board.kind == SEVERAL and (n[n > 0] == 1).all():
        notes.append("One answer an item, which has one label: never several.")
    return Prediction(chances, " ".join(filter(None, notes)))


def _learned(task: BoardTask, source: str) -> str:
    """Return what a method learned from, as a sentence; "" where it is no label of the dataset."""
    method = METHODS.get(source.partition(" ")[0])
    if method is None or method.name in ALIKE:
        return ""
    told = f"Learned from the training part alone ({count(task.parts['train'], 'item')})"
    if method.trained:
        return f"{told}; the development part was the validation part."
    return f"{told}, not from the development part."
