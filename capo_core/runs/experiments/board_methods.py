"""The experiment whose answers become rows of a board: imitations of its annotators on its own test
part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from capo_core.errors import ConfigError
from capo_core.formatting import count, listed
from capo_core.imitation.prompting.prompts import method_name
from capo_core.leaderboards.boards import CONTENT, Board, check_track
from capo_core.leaderboards.cells import BoardTask
from capo_core.leaderboards.imitations import alike_for_all
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
    changes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> ExperimentConfig:
    """Return the experiment that answers a board's test part by `methods`.

    The dataset keeps the board's own split: trained on its training part, answers to its test part.
    Where the answers for all annotators were too many, methods whose answers are the same for
    everybody answer each item once, for the annotator with most test items (see
    `imitations.alike_for_all`).

    Args:
        annotators: some of the board's; by default all who have labels to predict. A row that does
            not answer for all of them is not ranked.
        changes: further settings at dotted names, as of `ExperimentConfig.with_settings`.
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
    if changes:
        config = config.with_settings(changes)
    alike = all(
        alike_for_all(config.generate_config(method, 0).to_dict()) for method in config.methods
    )
    if alike and not annotators and _answers(task, config) > MOST_ANSWERS:
        most = task.annotators[int(np.bincount(task.test.annotator).argmax())]
        config = config.with_changes(targets=(most,))
    if _answers(task, config) > MOST_ANSWERS:
        raise _too_many(task, config, alike)
    return config


def _answers(task: BoardTask, config: ExperimentConfig) -> int:
    """Return how many answers an experiment generates, a sample an item."""
    each = len(config.targets) * len(config.methods) * len(config.seeds)
    return each * task.parts["test"]


def _too_many(task: BoardTask, config: ExperimentConfig, alike: bool) -> ConfigError:
    ways = [
        "name some annotators (--annotator), whose row is then not ranked"
        if len(config.targets) > 1
        else "name fewer seeds (--run-seed)"
    ]
    if not alike and set(config.methods) <= set(WITHOUT_EXPLANATIONS):
        ways.append(
            "leave out the label prior (--set generate.label_prior=none): each item is then "
            "answered once, for all annotators"
        )
    return ConfigError(
        f"{count(len(config.targets), 'annotator')} × {count(task.parts['test'], 'test item')} × "
        f"{count(len(config.methods), 'method')} × {count(len(config.seeds), 'seed')} are "
        f"{_answers(task, config):,} answers, of which {len(task.test):,} a method and seed are "
        "scored",
        expected=f"at most {MOST_ANSWERS:,} answers",
        todo=", or ".join(ways),
    )
