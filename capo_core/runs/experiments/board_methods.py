"""The experiment whose answers become rows of a board: imitations of its annotators on its own test
part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from capo_core.errors import ConfigError
from capo_core.formatting import count, listed
from capo_core.imitation.prompting.prompts import method_name
from capo_core.leaderboards.boards import CONTENT, Board, check_track
from capo_core.leaderboards.cells import BoardTask
from capo_core.runs.experiments.config import ExperimentConfig, from_preset

WITHOUT_EXPLANATIONS = ("zero_shot",)  # what needs no explanation of the annotator's own
MOST_ANSWERS = 100_000  # more are asked for on purpose, not by the way


def methods_of(board: Board) -> tuple[str, ...]:
    """Return the methods that can have a row on a board, in the order of their cost."""
    return (
        ("zero_shot", "icl", "profile", "sft", "capo") if board.explained else WITHOUT_EXPLANATIONS
    )


def board_experiment(
    task: BoardTask,
    track: str,
    methods: Sequence[str],
    *,
    preset: str = "real",
    annotators: Sequence[str] = (),
    **settings: Any,
) -> ExperimentConfig:
    """Return the experiment that answers a board's test part by `methods`.

    The dataset keeps the board's own split: trained on its training part, answers to its test part.

    Args:
        annotators: some of the board's; by default all who have labels to predict. A row that does
            not answer for all of them is not ranked.
        settings: of `ExperimentConfig`, in place of the preset's.

    Raises:
        ConfigError: a track or method that such rows do not exist for, or more than MOST_ANSWERS.
    """
    board = task.board
    if check_track(board, track) != CONTENT:
        raise ConfigError(
            "imitations do not read the annotators' explanations of the test items, so that their "
            f"rows stand on the track {CONTENT!r} alone",
            todo=f"--track {CONTENT}",
            option="--track",
        )
    impossible = [method for method in methods if method not in methods_of(board)]
    if impossible and not board.explained:
        raise ConfigError(
            f"{board.title} has no explanations, which "
            f"{listed([method_name(one) for one in impossible])} would learn from",
            expected=f"of imitations, {listed(WITHOUT_EXPLANATIONS)} alone",
            option="--method",
        )
    asked = np.unique(task.test.annotator).tolist()
    everyone = tuple(task.annotators[number] for number in asked)
    unknown = [name for name in annotators if name not in everyone]
    if unknown:
        raise ConfigError(
            f"annotator {unknown[0]!r} has no label in the test part",
            expected=f"one of {listed(everyone[:12])}" + (" …" if len(everyone) > 12 else ""),
            option="--annotator",
        )
    targets = tuple(annotators) or everyone
    config = from_preset(
        preset,
        task.dataset.name,
        targets,
        annotators=task.dataset.annotators,
        methods=tuple(methods),
        **settings,
    )
    items = int((task.dataset.items["split"] == "test").sum())
    answers = len(targets) * items * len(config.methods) * len(config.seeds)
    if answers > MOST_ANSWERS:
        raise ConfigError(
            f"{count(len(targets), 'annotator')} × {count(items, 'test item')} × "
            f"{count(len(config.methods), 'method')} are {answers:,} answers, of which "
            f"{len(task.test):,} a method and seed are scored",
            expected=f"at most {MOST_ANSWERS:,} answers",
            todo="name some annotators (--annotator), whose row is then not ranked, or begin the "
            f"experiment by itself: experiment start --dataset {task.dataset.name} --annotator all "
            f"--method {' '.join(methods)}",
        )
    return config
