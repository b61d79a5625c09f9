"""Answers of LLM judges about runs, as scores of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.coverage import Coverage
from capo_core.evaluation.llm_judge.judge import LlmJudgeResult, answer_scores, load_result
from capo_core.evaluation.measures.registry import LLM_JUDGE, variant_name
from capo_core.evaluation.streams import HUMAN, MethodOutputs
from capo_core.evaluation.table import ExternalScore
from capo_core.run_folder import RunFolder
from capo_core.stats.intervals import json_rows, json_value

RESULT_FILE = "judged.json"  # in a judge's run: `LlmJudgeResult.to_dict`


@dataclass(frozen=True)
class LlmJudgeVerdicts:
    """One LLM judge's answers about the sources of an evaluation.

    Attributes:
        run: name of the run that asked it.
        answers: `judge.ANSWERS` with the sources and replicates that the evaluation knows.
    """

    judged: LlmJudgeResult
    run: str
    answers: pd.DataFrame

    @property
    def measure(self) -> str:
        """Name of the measure in tables."""
        return variant_name(LLM_JUDGE, self.judged.judge)

    @property
    def k(self) -> int:
        return self.judged.config.k

    def given(self, item_ids: Sequence[str], coverage: Coverage) -> Iterator[ExternalScore]:
        """Return the scores of the judge on what is compared, for `table.evaluate`."""
        found = answer_scores(self.answers, item_ids, self.judged.annotators, coverage)
        for source, target, replicate, score in found:
            yield source, target, replicate, self.measure, self.k, score

    def to_dict(self) -> dict:
        """Return the report's entry on the judge itself; its scores are among the report's."""
        return {
            "judge": self.judged.judge,
            "fingerprint": self.judged.fingerprint,
            "run": self.run,
            "measure": self.measure,
            "config": self.judged.config.to_dict(),
            "trials": len(self.answers),
            "unread": int((self.answers["answer"] == "").sum()),
            "positions": json_rows(self.judged.positions),
            "position_p": json_value(self.judged.position_p),
            "sentence": self.judged.sentence,
        }


def load_verdicts(
    folders: Sequence[RunFolder], outputs: Sequence[MethodOutputs], fingerprint: str
) -> list[LlmJudgeVerdicts]:
    """Return the verdicts of finished judge runs on `outputs`, and on people.

    A judge knows generations by the names of their runs. Answers about runs that are not among
    `outputs` are left out.

    Args:
        fingerprint: of the dataset that is evaluated.

    Raises:
        DataError: a run is no judge's, or judged other data; its answers cannot be read.
        ConfigError: the same model judged the same number of texts in two of the runs.
    """
    found: list[LlmJudgeVerdicts] = []
    for folder in folders:
        config = folder.config
        if config.get("stage") != LLM_JUDGE or not folder.done:
            raise DataError(
                "this run has no verdicts",
                where=str(folder.path),
                expected="a finished run of the command judge",
            )
        if config["dataset"]["fingerprint"] != fingerprint:
            raise DataError(
                "the judge's run used other data than this evaluation",
                where=str(folder.path),
                todo="run the judge again, or evaluate with the dataset that it used",
            )
        judged = load_result(folder.path / RESULT_FILE)
        one = LlmJudgeVerdicts(judged, folder.run_id, _renamed(judged.answers, outputs))
        if any((one.measure, one.k) == (other.measure, other.k) for other in found):
            raise ConfigError(
                f"{judged.judge} judged {one.k} text{'s' if one.k > 1 else ''} at a time in two of "
                "the runs",
                where=folder.run_id,
                todo="name one of them",
            )
        found.append(one)
    return found


def _renamed(answers: pd.DataFrame, outputs: Sequence[MethodOutputs]) -> pd.DataFrame:
    """Return `answers` about people and `outputs`, with the latter's sources and replicates."""
    names = {one.where: (one.source, one.replicate) for one in outputs}
    kept = answers[answers["source"].isin([HUMAN, *names])].copy()
    method = kept["source"] != HUMAN
    sources = kept.loc[method, "source"]
    samples = kept.loc[method, "replicate"]
    kept.loc[method, "replicate"] = [
        f"{names[run][1]}/{sample}" for run, sample in zip(sources, samples, strict=True)
    ]
    kept.loc[method, "source"] = [names[run][0] for run in sources]
    return kept.reset_index(drop=True)
