"""The methods paragraph of an evaluation, in plain text and in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.dataset import Dataset
from capo_core.evaluation.likelihood import FOLDS as LIKELIHOOD_FOLDS
from capo_core.evaluation.measures.attribution import FOLDS, GROUPINGS
from capo_core.evaluation.measures.diversity import GROUP
from capo_core.evaluation.measures.style import BINS
from capo_core.evaluation.referee.claims import tests_in_words
from capo_core.evaluation.referee.statistics import RefereeStatistics
from capo_core.evaluation.report import EvaluatedSource
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import TableConfig
from capo_core.export_formats import latex
from capo_core.formatting import count, listed, name_list, readable_answers
from capo_core.imitation.prompting.prompts import method_name
from capo_core.stats.bootstrap import DRAWS
from capo_core.stats.significance import FLIPS


def methods_paragraph(
    dataset: Dataset,
    n_items: int,
    split: str,
    config: TableConfig,
    sources: Sequence[EvaluatedSource],
    llm_judges: Sequence[Mapping] = (),
    missing: str = "",
    likelihood: Mapping[str, Any] | None = None,
    targets: Sequence[str] = (),
    tests: RefereeStatistics | None = None,
    compared: bool = False,
) -> dict[str, str]:
    """Return the methods paragraph under the keys "text" and "latex", in the same words.

    Args:
        targets: the annotators whom every method imitates.
        tests: those that were made. compared: see `tests_in_words`.
    """
    methods = [source for source in sources if source.name not in (HUMAN, OTHER)]
    sentences = [
        f"All scores are computed on the {count(n_items, f'{split} item')} of {dataset.name} "
        f"({'simulated annotators; ' if dataset.simulated else ''}"
        f"{count(len(dataset.annotators), 'annotator')}), of which no text was used in training.",
        *_answers(methods, missing),
        _averages(targets),
        *(_attribution(config, dataset) if "attribution" in config.families else ()),
        *([_likelihood(likelihood)] if likelihood else ()),
        *map(_llm_judge, llm_judges),
        *(said for family, said in _other_measures(config) if family in config.families),
        *tests_in_words(config, tests or RefereeStatistics(), compared),
        "Intervals are 95 % and over items: by the infinitesimal jackknife for averages, by a "
        f"Bayesian bootstrap of {DRAWS} draws for macro-F1, κ, α and style distance. Differences "
        "are paired by item and tested by a sign-flip permutation test by item (exact, or "
        f"{FLIPS} flips; first-order for pooled scores) or by the paired bootstrap, two-sided, "
        "Holm-corrected over all pairs of sources compared by one measure. "
        f"Seed of the evaluation: {config.seed}.",
    ]
    text = " ".join(sentences)
    return {"text": text, "latex": latex(text)}


def _answers(methods: Sequence[EvaluatedSource], missing: str) -> list[str]:
    """Return what was scored of each method, and what was not."""
    sentences = []
    for source in methods:
        runs = len(source.replicates)
        times = f"; {runs} runs or samples: {_some(source.replicates)}" if runs > 1 else ""
        sentences.append(
            f"{method_name(source.name)}: {count(source.responses, 'answer')} in the place of "
            f"{count(len(source.targets), 'annotator')}; "
            f"{readable_answers(source.responses - source.unread, source.responses)}{times}."
        )
    if missing:
        sentences.append(missing)
    dropped = sum(source.left_out for source in methods)
    if dropped:
        sentences.append(
            f"{count(dropped, 'answer')} to items that not every method answered "
            f"{'is' if dropped == 1 else 'are'} left out."
        )
    return sentences


def _averages(targets: Sequence[str]) -> str:
    averaged = "of single annotators, averaged over runs and samples."
    if len(targets) == 1:
        averaged = f"of annotator {targets[0]}, averaged over runs and samples."
    elif targets:
        averaged = (
            f"averaged over runs and samples of one target, then over {listed(targets)}, whom "
            "every method imitates, with equal weight."
        )
    return (
        f"Scores are {averaged} The ceiling is the target's own held-out responses, the floor "
        "another annotator's taken for the target's, both of the same targets and on the items "
        "that the methods answered; responses judged invalid are left out."
    )


def _attribution(config: TableConfig, dataset: Dataset) -> list[str]:
    views = " and ".join(f"{v.representation} under {v.reduction}" for v in config.views)
    ks = ", ".join(map(str, config.pool))
    return [
        f"Attribution: a ridge classifier of {views}, fitted on human training explanations "
        f"only, gives groups of k = {ks} explanations on different items to an annotator "
        f"({GROUPINGS} random groupings); probabilities are a softmax whose slope is fitted on "
        f"human training texts scored in {FOLDS} folds grouped by item. Chance is "
        f"1/{len(dataset.annotators)}.",
        "Distance from the human: for each target the absolute difference between a method's "
        "value and that of the target's own held-out texts, averaged over targets; 95 % "
        "intervals and differences between methods by a Bayesian bootstrap over items.",
    ]


def _likelihood(found: Mapping[str, Any]) -> str:
    folds = f", in {LIKELIHOOD_FOLDS} folds by item" if found["crossed"] else ""
    return (
        "Likelihood attribution: mean log-probability per token of the explanation, given item "
        f"and label, under the SFT adapters of all annotators on {found['base']}; typing "
        "habits at both ends are made equal. A multinomial logistic model with one slope and "
        f"an offset for each adapter, fitted on {found['calibration_texts']} validation "
        f"texts{folds}, names the author; k texts are added up."
    )


def _llm_judge(judge: Mapping[str, Any]) -> str:
    asked = judge["config"]
    return (
        f"LLM judge: {judge['judge']} (temperature 0, seed {asked['seed']}) saw cards with "
        f"{asked['cards']} training explanations of each annotator, in rotated order, and "
        f"named the author of {asked['k']} explanation{'s' if asked['k'] > 1 else ''} at a "
        f"time, in {judge['trials']} trials of which {judge['unread']} could not be read."
    )


def _other_measures(config: TableConfig) -> list[tuple[str, str]]:
    """Return (family, sentence) of the measures besides attribution."""
    return [
        (
            "style",
            "Style distance: mean over style features of the Jensen–Shannon divergence (bits) "
            "between responses and the target's training texts, each feature cut into at most "
            f"{BINS} bins by quantiles of human training texts.",
        ),
        (
            "consistency",
            "Label consistency: a ridge classifier of word n-grams with the input's words masked, "
            "fitted on human training responses, reads the label from an explanation; the floor "
            "is the target's own explanations shuffled over items.",
        ),
        (
            "diversity",
            f"Distinct-1 to 3 are computed in groups of {GROUP} explanations; self-similarity is "
            "the mean cosine of two explanations of one method on different items, self-overlap "
            "their mean ROUGE-2. An explanation is a near-duplicate where its similarity (edits) "
            f"to a training explanation of the target is at least {config.duplicate:g}.",
        ),
    ]


def _some(names: Sequence[str], most: int = 6) -> str:
    return name_list(names, most)
