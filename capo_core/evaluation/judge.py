"""Attribution by a language model that sees cards of all annotators: whom does it name?

A judge is measured before it measures: its accuracy on people's held-out texts says what its
answers are worth, and the shares of the positions that it names, whether it reads or favours a
letter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable
from capo_core.evaluation.judge_design import JudgeConfig, Trial, plan
from capo_core.evaluation.judge_prompt import LETTERS, read_answer
from capo_core.evaluation.pooled import group_mean
from capo_core.evaluation.scores import Score, mean
from capo_core.evaluation.streams import HUMAN, Stream
from capo_core.evaluation.table import ALL
from capo_core.imitation.backends.base import Backend, Decoding, Request
from capo_core.progress import Progress, silent
from capo_core.stability.intervals import records, wilson

ANSWERS = ("key", "source", "target", "replicate", "answer", "position", "problem", "text")
TABLE = ("source", "target", "k", "value", "low", "high", "n", "unread", "chance")
POSITIONS = ("position", "answers", "share", "low", "high", "expected")


@dataclass(frozen=True)
class Judged:
    """What a judge said.

    Attributes:
        judge: name of the model; `fingerprint` of it.
        answers: ANSWERS, one row a trial: the annotator named ("" where the answer could not be
            read, and then `problem` says why), the position of the card, the judge's own words.
        table: TABLE, share of trials given to the target, for each source and target and `ALL`.
            An answer that could not be read is given to nobody, and counted in `unread`. The rows
            of `streams.HUMAN` are the judge's own accuracy.
        positions: POSITIONS, how often each position was named, among the answers read.
        position_p: p-value of χ² against equal shares (the cards stand equally often in each
            position); NaN where nothing could be read.
    """

    judge: str
    fingerprint: str
    config: JudgeConfig
    answers: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    positions: pd.DataFrame = field(repr=False)
    position_p: float = math.nan

    @property
    def sentence(self) -> str:
        """What the judge is worth, and whether it favours a position."""
        human = self.table[(self.table["source"] == HUMAN) & (self.table["target"] == ALL)]
        if human.empty:
            return f"{self.judge} was not tried on people's texts: its answers cannot be weighed."
        row = human.iloc[0]
        text = (
            f"{self.judge} names the author of people's held-out texts in {100 * row.value:.0f} % "
            f"[{100 * row.low:.0f}–{100 * row.high:.0f}] of {row.n} trials (chance "
            f"{100 * row.chance:.0f} %)"
        )
        if row.low <= row.chance:
            text += ", no better than a guess: its verdict on methods means nothing"
        if self.position_p <= 0.05:
            worst = self.positions.sort_values("answers").iloc[-1]
            text += (
                f". It favours positions: {worst.position} was named in {100 * worst.share:.0f} % "
                f"of its answers (p = {self.position_p:.3f}); cards stood equally often in each"
            )
        return text + "."

    def to_dict(self) -> dict:
        return {
            "judge": self.judge,
            "fingerprint": self.fingerprint,
            "config": self.config.to_dict(),
            "answers": records(self.answers),
            "table": records(self.table),
            "positions": records(self.positions),
            "position_p": None if math.isnan(self.position_p) else self.position_p,
            "sentence": self.sentence,
        }


def judge(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    backend: Backend,
    config: JudgeConfig | None = None,
    *,
    progress: Progress = silent,
) -> Judged:
    """Ask a judge about every stream; people's should be among them (see `Judged`).

    Answers are drawn at temperature 0.

    Raises:
        DataError: an annotator has too few training explanations for a card.
        BackendUnavailable: the model cannot be asked, or left a question open.
    """
    config = config or JudgeConfig()
    trials = plan(dataset, streams, config)
    requests = [Request(trial.key, trial.prompt, seed=trial.seed) for trial in trials]
    decoding = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=config.max_new_tokens)
    replies = {
        request.key: reply
        for request, reply in backend.complete(requests, decoding, progress=progress)
    }
    open_ones = sum(request.key not in replies for request in requests)
    if open_ones:
        raise BackendUnavailable(
            f"{backend.name} left {open_ones} of {len(requests)} questions without an answer",
            todo="ask again",
        )
    rows = []
    for trial in trials:
        reply, stream = replies[trial.key], streams[trial.stream]
        position = read_answer(reply.text, len(trial.order)) if reply.finish != "error" else None
        problem = ""
        if position is None:
            cut = {"error": reply.error or "no answer", "length": "cut before the answer"}
            problem = cut.get(reply.finish, "no single letter")
        named = ("", "") if position is None else (trial.order[position], LETTERS[position])
        who = (stream.source, stream.target, stream.replicate)
        rows.append((trial.key, *who, *named, problem, reply.text))
    answers = pd.DataFrame(rows, columns=list(ANSWERS))
    table = _table(trials, streams, answers, dataset, len(item_ids), config)
    positions, p_value = position_shares(answers["position"], len(dataset.annotators))
    return Judged(backend.name, backend.fingerprint, config, answers, table, positions, p_value)


def _table(
    trials: Sequence[Trial],
    streams: Sequence[Stream],
    answers: pd.DataFrame,
    dataset: Dataset,
    n_items: int,
    config: JudgeConfig,
) -> pd.DataFrame:
    hits = (answers["answer"] == answers["target"]).to_numpy(dtype=float)
    read = (answers["answer"] != "").to_numpy()
    of_stream = np.array([trial.stream for trial in trials], dtype=np.int64)
    scores: dict[str, dict[str, list[Score]]] = {}
    for number, stream in enumerate(streams):
        mine = np.flatnonzero(of_stream == number)
        if len(mine):
            order = np.array([trials[place].rows for place in mine])[None]
            score = group_mean(hits[None, mine], order, stream.item, n_items=n_items, groupings=1)
            scores.setdefault(stream.source, {}).setdefault(stream.target, []).append(score)
    rows = []
    for source, by_target in scores.items():
        means = {target: mean(found, repeated=True) for target, found in by_target.items()}
        means[ALL] = mean(list(means.values()))
        for target, score in means.items():
            mine = answers["source"] == source
            if target != ALL:
                mine &= answers["target"] == target
            shown = score.estimate()
            rows.append((source, target, config.k, shown.value, shown.low, shown.high, shown.n,
                         int((mine & ~read).sum()), 1 / len(dataset.annotators)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(TABLE))


def position_shares(named: pd.Series, count: int) -> tuple[pd.DataFrame, float]:
    """POSITIONS of the letters `named` ("" is left out), and the p-value against equal shares."""
    counts = [int((named == LETTERS[place]).sum()) for place in range(count)]
    n = sum(counts)
    rows = [
        (LETTERS[place], found, found / n if n else math.nan, *wilson(found, n), 1 / count)
        for place, found in enumerate(counts)
    ]
    p_value = float(stats.chisquare(counts).pvalue) if n else math.nan
    return pd.DataFrame(rows, columns=list(POSITIONS)), p_value
