"""Rows of a board from what the workspace already generated: prompting, SFT and CAPO.

Nothing is generated here. The finished generations of a dataset's test part are read, their labels
counted for each annotator and item over samples and seeds, and the shares scored as any system's
probabilities. They read the item and never the annotator's explanation of it, so that their track
is the content.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capo_core.evaluation.streams import MethodOutputs
from capo_core.formatting import count, listed
from capo_core.imitation.prompting.prompts import method_name
from capo_core.leaderboards.boards import SEVERAL
from capo_core.leaderboards.cells import BoardTask
from capo_core.leaderboards.systems import Prediction, annotator_means


def imitation_rows(
    task: BoardTask, outputs: Sequence[MethodOutputs]
) -> list[tuple[str, str, Prediction]]:
    """Return (name, title, prediction) for each method, of the outputs of its runs.

    Answers without a readable label count as the annotator's most frequent one, and are counted in
    the note. Cells of annotators that a method has no run for stay unanswered (NaN): such a row is
    not ranked.
    """
    sources = list(dict.fromkeys(one.source for one in outputs))
    return [
        (f"runs:{source}", f"{method_name(source)} (labels)", _prediction(task, source, outputs))
        for source in sources
    ]


def _prediction(task: BoardTask, source: str, outputs: Sequence[MethodOutputs]) -> Prediction:
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
    unreadable = 0
    for one in outputs:
        if one.source != source:
            continue
        frame = one.frame
        for target, item_id, given in zip(
            frame["target_annotator_id"], frame["item_id"], frame["label"], strict=True
        ):
            key = item.get(item_id), who.get(target)
            if key not in place:  # an item that this annotator did not label
                continue
            if given not in label:
                unreadable += 1
            counts[place[key], label.get(given, frequent[key[1]])] += 1
    n = counts.sum(axis=1, keepdims=True)
    chances = np.where(n > 0, counts / np.maximum(n, 1), np.nan)
    missing = sorted({int(a) for a in test.annotator[n[:, 0] == 0]})
    notes = []
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
    return Prediction(chances, " ".join(notes))
