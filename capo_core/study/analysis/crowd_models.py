"""Other models of several judges' attributions, beside Dawid and Skene's: those of crowd-kit.

They are asked for by name, need the package crowd-kit, which is not installed with the project, and
are no part of a planned analysis: they show whether a result depends on the model of the judges. A
model is one more entry of `CROWD_MODELS`.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.formatting import listed
from capo_core.stats.clustered import share
from capo_core.study.analysis.consensus import named_by
from capo_core.study.tables import CHECK

EXTRA = "pip install crowd-kit"
CONSENSUS_BY_MODEL = (
    "model", "source", "n_trials", "right", "low", "high", "as_dawid_skene", "note",
)  # fmt: skip
SKILL_BY_MODEL = ("model", "judge_id", "n", "skill", "skill_is")


@dataclass(frozen=True)
class CrowdModel:
    """A model that crowd-kit fits to labels of several workers.

    Attributes:
        fit: (frame of task, worker and label; seed) → (most probable label by task, skill by
            worker); imports crowd-kit when it is called.
        paper: where it is published. skill: meaning and range of the number of a worker.
    """

    name: str
    title: str
    paper: str
    description: str
    skill: str
    fit: Callable[[pd.DataFrame, int], tuple[pd.Series, pd.Series]]


def _one_coin(named: pd.DataFrame, seed: int) -> tuple[pd.Series, pd.Series]:
    from crowdkit.aggregation.classification import OneCoinDawidSkene

    fit = OneCoinDawidSkene().fit(named)
    return fit.labels_, fit.skills_


def _mace(named: pd.DataFrame, seed: int) -> tuple[pd.Series, pd.Series]:
    from crowdkit.aggregation.classification import MACE

    # One start: crowd-kit begins every restart with the same random numbers.
    fit = MACE(n_restarts=1, random_state=seed).fit(named)
    workers = pd.factorize(named["worker"])[1]
    # Variational weights of guessing and knowing, which sum to less than 1.
    return fit.labels_, pd.Series(fit.spamming_[:, 1] / fit.spamming_.sum(axis=1), index=workers)


def _glad(named: pd.DataFrame, seed: int) -> tuple[pd.Series, pd.Series]:
    from crowdkit.aggregation.classification import GLAD

    fit = GLAD().fit(named)
    return fit.labels_, fit.alphas_


CROWD_MODELS: Mapping[str, CrowdModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            CrowdModel(
                "one-coin",
                "One-coin Dawid-Skene",
                "Zhang et al. 2016",
                "one accuracy for each judge, errors alike for all annotators",
                "accuracy, 0 to 1",
                _one_coin,
            ),
            CrowdModel(
                "mace",
                "MACE",
                "Hovy et al. 2013",
                "a judge either knows the author or answers by habits of their own",
                "competence: probability of not guessing, 0 to 1",
                _mace,
            ),
            CrowdModel(
                "glad",
                "GLAD",
                "Whitehill et al. 2009",
                "judges differ in ability and trials in difficulty",
                "ability; 0 guesses, below 0 misleads",
                _glad,
            ),
        )
    }
)


def crowd_model_names() -> tuple[str, ...]:
    """Return the names of `CROWD_MODELS`, for settings and forms."""
    return tuple(CROWD_MODELS)


def missing_package() -> str:
    """Return why the models cannot be fitted, as a sentence; "" where crowd-kit is installed."""
    if importlib.util.find_spec("crowdkit") is not None:
        return ""
    return f"MACE, GLAD and one-coin Dawid-Skene need the package crowd-kit ({EXTRA})."


def implementation() -> str:
    """Return the package and version that fits the models: "crowd-kit 1.4.2"."""
    try:
        return f"crowd-kit {version('crowd-kit')}"
    except PackageNotFoundError:
        return "crowd-kit"


@dataclass(frozen=True)
class CrowdResults:
    """Results of the chosen models; both frames are empty without a chosen model or attributions.

    Attributes:
        consensus: CONSENSUS_BY_MODEL, one row a model and source. as_dawid_skene: the share of the
            trials for which the model names the same annotator as Dawid-Skene.
        skills: SKILL_BY_MODEL, one row a model and judge; scales of models are not comparable.
    """

    consensus: pd.DataFrame
    skills: pd.DataFrame


def crowd_results(
    judgments: pd.DataFrame, chosen: Iterable[str], ours: pd.Series, *, seed: int = 0
) -> CrowdResults:
    """Fit the chosen models to the attributions of a study.

    They get what our Dawid-Skene gets (`consensus.named_by`), but for the known answers of
    attention checks, which crowd-kit's models do not take: checks are trials like others to them.

    Args:
        ours: trial → annotator by our Dawid-Skene (`consensus.weighted_vote`).

    Raises:
        ConfigError: an unknown model, or crowd-kit is not installed.
    """
    chosen = tuple(dict.fromkeys(chosen))
    unknown = [name for name in chosen if name not in CROWD_MODELS]
    if unknown:
        raise ConfigError(
            f"there is no model {listed(unknown)}", expected=f"some of {', '.join(CROWD_MODELS)}"
        )
    named = named_by(judgments)
    consensus, skills = [], []
    if chosen and missing_package():
        raise ConfigError("crowd-kit is not installed", todo=EXTRA)
    facts = judgments.drop_duplicates("trial_id").set_index("trial_id")
    facts = facts.loc[facts.index.isin(named["task"]) & (facts["purpose"] != CHECK)]
    counts = named["worker"].value_counts()
    for name in chosen if len(named) else ():
        model = CROWD_MODELS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # crowd-kit's, on its own use of pandas
            labels, skill = model.fit(named, seed)
        for source, part in facts.groupby("source", sort=True):
            said = labels.loc[part.index].to_numpy(str)
            found = share(
                said == part["truth"].to_numpy(str), np.asarray(part.index),
                part["item_id"].to_numpy(),
            )  # fmt: skip
            alike = float(np.mean(said == ours.loc[part.index].to_numpy(str)))
            consensus.append(
                (model.title, source, len(part), found.value, found.low, found.high, alike,
                 found.note)
            )  # fmt: skip
        for judge in sorted(counts.index):
            skills.append(
                (model.title, judge, int(counts[judge]), float(skill.get(judge, math.nan)),
                 model.skill)
            )  # fmt: skip
    return CrowdResults(
        pd.DataFrame(consensus, columns=list(CONSENSUS_BY_MODEL)),
        pd.DataFrame(skills, columns=list(SKILL_BY_MODEL)),
    )
