"""Attribution by a language model (LLM judge) that sees cards of all annotators.

The judge is validated before its answers count: its accuracy on people's held-out texts shows how
reliable they are, and the shares of the positions that it names show whether it has a position
bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable
from capo_core.evaluation.coverage import Coverage, averaged_targets
from capo_core.evaluation.llm_judge.trials import (
    LETTERS,
    LlmJudgeConfig,
    LlmTrial,
    plan_trials,
    read_answer,
)
from capo_core.evaluation.measures.attribution import named_share
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.evaluation.table import ALL
from capo_core.formatting import count, p_statement, percent, percent_interval
from capo_core.imitation.backends.base import Backend, Decoding, GenerationRequest, Reply
from capo_core.imitation.generation.requests import TOO_LONG
from capo_core.progress import Progress, silent
from capo_core.stats.bootstrap import Score, mean
from capo_core.stats.intervals import Estimate, json_rows, wilson
from capo_core.stats.significance import side_of_chance
from capo_core.workspace import read_saved

TABLE = ("source", "target", "k", "value", "low", "high", "n", "unread", "chance")
POSITIONS = ("position", "answers", "share", "low", "high", "expected")

Found = tuple[str, str, str, Score]  # source, target, replicate


def answer_scores(
    answers: pd.DataFrame,
    item_ids: Sequence[str],
    annotators: Sequence[str],
    coverage: Coverage | None = None,
) -> Iterator[Found]:
    """Return the share of trials attributed to the target, for each source, target and replicate.

    The floor needs no trial of its own: that the trials of one author's texts name somebody else
    is what happens where these texts stand in for that one's. So every stream of `HUMAN` gives
    one of `OTHER` for each other annotator.

    Args:
        answers: `judge.ANSWERS`; a trial with an item that is not among `item_ids` is left out.
        coverage: a trial with an item that is not compared for its target is left out too.
    """
    place = {item_id: index for index, item_id in enumerate(item_ids)}
    known = answers[[all(item in place for item in items) for items in answers["items"]]]
    groups = known.groupby(["source", "target", "replicate"], sort=False)
    for (source, author, replicate), rows in groups:
        item = np.array([[place[item] for item in items] for items in rows["items"]])
        named = rows["answer"].to_numpy()
        for target in annotators if source == HUMAN else (author,):
            there = [coverage is None or coverage.compares(target, trial) for trial in item]
            if not any(there):
                continue
            share = named_share(named[there], target, item[there], len(place))
            if target == author:
                yield source, target, replicate, share
            else:
                yield OTHER, target, author, share


def score_table(
    answers: pd.DataFrame, item_ids: Sequence[str], annotators: Sequence[str], k: int
) -> pd.DataFrame:
    """Return TABLE: averages over replicates, then over the targets whom every method imitates."""
    by_source: dict[str, dict[str, list[Score]]] = {}
    for source, target, _, score in answer_scores(answers, item_ids, annotators):
        by_source.setdefault(source, {}).setdefault(target, []).append(score)
    defined = {(source, target) for source, found in by_source.items() for target in found}
    averaged = averaged_targets(defined, annotators)
    unread = answers[answers["answer"] == ""]
    rows = []
    for source, by_target in by_source.items():
        means = {target: mean(found, repeated=True) for target, found in by_target.items()}
        if averaged and all(target in means for target in averaged):
            means[ALL] = mean([means[target] for target in averaged])
        for target, score in means.items():
            # What stands in for a target is what other people wrote.
            mine = unread["source"] == (HUMAN if source == OTHER else source)
            of = averaged if target == ALL else [target]
            mine &= (
                unread["target"].isin(of)
                if source != OTHER
                else ~unread["target"].isin(of if target != ALL else ())
            )
            shown = score.estimate()
            rows.append((source, target, k, shown.value, shown.low, shown.high, shown.n,
                         int(mine.sum()), 1 / len(annotators)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(TABLE))


def people_accuracy(answers: pd.DataFrame, annotators: Sequence[str]) -> Estimate | None:
    """Return the judge's accuracy on the texts of all annotators, averaged over them.

    None where it was not tried on them.
    """
    people = answers[answers["source"] == HUMAN]
    items = list(dict.fromkeys(item for trial in people["items"] for item in trial))
    found = [
        score for source, _, _, score in answer_scores(people, items, annotators) if source == HUMAN
    ]
    return mean(found).estimate() if found else None


def position_shares(named: pd.Series, count: int) -> tuple[pd.DataFrame, float]:
    """Return POSITIONS of the letters `named` ("" is left out), and the p-value against equal
    shares.
    """
    counts = [int((named == LETTERS[place]).sum()) for place in range(count)]
    n = sum(counts)
    rows = [
        (LETTERS[place], found, found / n if n else math.nan, *wilson(found, n), 1 / count)
        for place, found in enumerate(counts)
    ]
    p_value = float(stats.chisquare(counts).pvalue) if n else math.nan
    return pd.DataFrame(rows, columns=list(POSITIONS)), p_value


ANSWERS = ("key", "source", "target", "replicate", "items", "answer", "position", "problem",
           "text")  # fmt: skip


@dataclass(frozen=True)
class LlmJudgeResult:
    """Answers of an LLM judge, with their summary.

    Attributes:
        judge: name of the model; `fingerprint` of it.
        annotators: the annotators on the cards.
        answers: ANSWERS, one row a trial: the items of its texts, the annotator named ("" where
            the answer could not be read, and then `problem` says why), the position of the card,
            the judge's own words.
        table: `TABLE`, share of trials attributed to the target, for each source and target and
            `ALL`. An unreadable answer is attributed to nobody, and counted in `unread`. The rows
            of `streams.HUMAN` are the judge's own accuracy.
        positions: `POSITIONS`, how often each position was named, among the answers read.
        position_p: p-value of χ² against equal shares (the cards stand equally often in each
            position); NaN where nothing could be read.
    """

    judge: str
    fingerprint: str
    config: LlmJudgeConfig
    annotators: tuple[str, ...]
    answers: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    positions: pd.DataFrame = field(repr=False)
    position_p: float = math.nan

    @property
    def sentence(self) -> str:
        """Summary of the judge's accuracy on human texts and of its position bias."""
        row = people_accuracy(self.answers, self.annotators)
        if row is None:
            return f"{self.judge} was not tried on people's texts: its answers cannot be weighed."
        chance = 1 / len(self.annotators)
        text = (
            f"{self.judge} names the author of people's held-out texts in {percent(row.value)} "
            f"{percent_interval(row.low, row.high)} of {count(row.n, 'trial')} (chance "
            f"{percent(chance)})"
        )
        if side_of_chance(row.value, row.low, row.high, int(row.n), chance) != "above":
            text += ", no better than a guess: its verdict on methods means nothing"
        if self.position_p <= 0.05:
            worst = self.positions.sort_values("answers").iloc[-1]
            text += (
                f". It favours positions: {worst.position} was named in {percent(worst.share)} of "
                f"its answers ({p_statement(self.position_p)}); cards stood equally often in each"
            )
        return text + "."

    def to_dict(self) -> dict:
        return {
            "judge": self.judge,
            "fingerprint": self.fingerprint,
            "config": self.config.to_dict(),
            "annotators": list(self.annotators),
            "answers": json_rows(self.answers),
            "table": json_rows(self.table),
            "positions": json_rows(self.positions),
            "position_p": None if math.isnan(self.position_p) else self.position_p,
            "sentence": self.sentence,
        }

    @classmethod
    def from_dict(cls, raw: dict) -> LlmJudgeResult:
        """Return the result that `to_dict` serialised."""
        p_value = raw["position_p"]
        return cls(
            raw["judge"],
            raw["fingerprint"],
            LlmJudgeConfig(**raw["config"]),
            tuple(raw["annotators"]),
            pd.DataFrame(raw["answers"], columns=list(ANSWERS)),
            pd.DataFrame(raw["table"], columns=list(TABLE)),
            pd.DataFrame(raw["positions"], columns=list(POSITIONS)),
            math.nan if p_value is None else float(p_value),
        )


def run_llm_judge(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    backend: Backend,
    config: LlmJudgeConfig | None = None,
    *,
    progress: Progress = silent,
) -> LlmJudgeResult:
    """Ask an LLM judge about every stream; people's should be among them.

    Raises:
        DataError: an annotator has too few training explanations for a card.
        BackendUnavailable: the model is not available, or left a question open.
    """
    config = config or LlmJudgeConfig()
    trials = plan_trials(dataset, streams, config)
    rows = ask_llm_judge(trials, streams, item_ids, backend, config, progress=progress)
    by_key = {row["key"]: row for row in rows}
    return summarise_answers(
        dataset, item_ids, backend, config, [by_key[trial.key] for trial in trials]
    )


def ask_llm_judge(
    trials: Sequence[LlmTrial],
    streams: Sequence[Stream],
    item_ids: tuple[str, ...],
    backend: Backend,
    config: LlmJudgeConfig,
    *,
    done: Set[str] = frozenset(),
    progress: Progress = silent,
) -> Iterator[dict]:
    """Yield the judge's answers as they come, each a row of ANSWERS; drawn at temperature 0.

    A question that does not fit into the model's context is not asked; its row says so.

    Args:
        streams, item_ids: those that `trials` were planned for.
        done: keys of trials that are answered already.

    Raises:
        BackendUnavailable: the model is not available, or left a question open; what was yielded
            before holds.
    """
    by_key = {trial.key: trial for trial in trials}
    decoding = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=config.max_new_tokens)
    still_open = set(by_key) - done
    fitting = []
    for trial in trials:
        if not backend.excess(trial.prompt, decoding):
            fitting.append(trial)
        elif trial.key in still_open:
            still_open.discard(trial.key)
            unasked = Reply("", finish="error", error=TOO_LONG)
            yield _row(trial, streams[trial.stream], item_ids, unasked)
    requests = [GenerationRequest(trial.key, trial.prompt, seed=trial.seed) for trial in fitting]
    for request, reply in backend.complete(requests, decoding, done=done, progress=progress):
        trial = by_key[request.key]
        still_open.discard(request.key)
        yield _row(trial, streams[trial.stream], item_ids, reply)
    if still_open:
        raise BackendUnavailable(
            f"{backend.name} left {len(still_open)} of {len(requests)} questions without an answer",
            todo="ask again",
        )


def _row(trial: LlmTrial, stream: Stream, item_ids: tuple[str, ...], reply: Reply) -> dict:
    position = read_answer(reply.text, len(trial.order)) if reply.finish != "error" else None
    problem = ""
    if position is None:
        cut = {"error": reply.error or "no answer", "length": "cut before the answer"}
        problem = cut.get(reply.finish, "no single letter")
    return {
        "key": trial.key,
        "source": stream.source,
        "target": stream.target,
        "replicate": stream.replicate,
        "items": [item_ids[stream.item[row]] for row in trial.rows],
        "answer": "" if position is None else trial.order[position],
        "position": "" if position is None else LETTERS[position],
        "problem": problem,
        # Half a surrogate pair, which a server's JSON may hold, cannot be written to a file.
        "text": reply.text.encode("utf-8", "replace").decode("utf-8"),
    }


def summarise_answers(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    backend: Backend,
    config: LlmJudgeConfig,
    rows: Sequence[dict],
) -> LlmJudgeResult:
    """Summarise the answers `rows` (see `ask_llm_judge`) to all trials."""
    answers = pd.DataFrame([{name: row[name] for name in ANSWERS} for row in rows],
                           columns=list(ANSWERS))  # fmt: skip
    table = score_table(answers, item_ids, dataset.annotators, config.k)
    positions, p_value = position_shares(answers["position"], len(dataset.annotators))
    return LlmJudgeResult(
        backend.name, backend.fingerprint, config, dataset.annotators, answers, table, positions,
        p_value,
    )  # fmt: skip


def load_result(path: Path) -> LlmJudgeResult:
    """Return the LLM judge's result saved at `path`.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    return read_saved(
        path, LlmJudgeResult.from_dict, "the judge's answers", "run the command judge again"
    )
