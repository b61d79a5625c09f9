"""How an evaluation was computed, as a paragraph for a paper: plain text and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capo_core.dataset import Dataset
from capo_core.evaluation.diversity import GROUP
from capo_core.evaluation.paired import FLIPS
from capo_core.evaluation.pooled import GROUPINGS
from capo_core.evaluation.probabilities import FOLDS
from capo_core.evaluation.report import Source
from capo_core.evaluation.scores import DRAWS
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.style import BINS
from capo_core.evaluation.table import TableConfig

_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
          "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
          "–": "--", "−": "$-$", "≤": r"$\leq$", "κ": r"$\kappa$", "α": r"$\alpha$",
          "×": r"$\times$", "“": "``", "”": "''"}  # fmt: skip


def methods_paragraph(
    dataset: Dataset,
    n_items: int,
    split: str,
    config: TableConfig,
    sources: Sequence[Source],
    judges: Sequence[Mapping] = (),
    missing: str = "",
) -> dict[str, str]:
    """The paragraph under the keys "text" and "latex", the same words in both."""
    said = _sentences(dataset, n_items, split, config, sources, judges, missing)
    text = " ".join(said)
    return {"text": text, "latex": latex(text)}


def latex(text: str) -> str:
    """`text` with everything escaped that LaTeX would not print as it stands."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _sentences(dataset, n_items, split, config, sources, judges, missing) -> list[str]:
    methods = [source for source in sources if source.name not in (HUMAN, OTHER)]
    said = [
        f"All scores are computed on the {n_items} {split} items of {dataset.name} "
        f"({'simulated annotators; ' if dataset.simulated else ''}{len(dataset.annotators)} "
        "annotators), of which no text was used in training."
    ]
    for source in methods:
        runs = len(source.replicates)
        times = f"; {runs} runs or samples: {_some(source.replicates)}" if runs > 1 else ""
        said.append(
            f"{source.name}: {source.responses} answers in the place of {len(source.targets)} "
            f"annotator{'s' if len(source.targets) != 1 else ''}, {source.unread} of them without "
            f"a readable label{times}."
        )
    if missing:
        said.append(missing)
    said.append(
        "Scores are averaged over runs and samples of one target, then over targets with equal "
        "weight. The ceiling is the target's own held-out responses, the floor another annotator's "
        "taken for the target's; responses judged invalid are left out."
    )
    if "attribution" in config.families:
        views = " and ".join(f"{v.representation} under {v.reduction}" for v in config.views)
        ks = ", ".join(map(str, config.pool))
        said.append(
            f"Attribution: a ridge classifier of {views}, fitted on human training explanations "
            f"only, gives groups of k = {ks} explanations on different items to an annotator "
            f"({GROUPINGS} random groupings); probabilities are a softmax whose slope is fitted on "
            f"human training texts scored in {FOLDS} folds grouped by item. Chance is "
            f"1/{len(dataset.annotators)}."
        )
    for judge in judges:
        asked = judge["config"]
        said.append(
            f"Judge: {judge['judge']} (temperature 0, seed {asked['seed']}) saw cards with "
            f"{asked['cards']} training explanations of each annotator, in rotated order, and "
            f"named the author of {asked['k']} explanation{'s' if asked['k'] > 1 else ''} at a "
            f"time, in {judge['trials']} trials of which {judge['unread']} could not be read."
        )
    if "style" in config.families:
        said.append(
            "Style distance: mean over style features of the Jensen–Shannon divergence (bits) "
            f"between responses and the target's training texts, each feature cut into at most "
            f"{BINS} bins by quantiles of human training texts."
        )
    if "diversity" in config.families:
        said.append(
            f"Distinct-2 is computed in groups of {GROUP} explanations; self-similarity is the "
            "mean cosine of two explanations of one method on different items."
        )
    said.append(
        "Intervals are 95 % and over items: by the infinitesimal jackknife for averages, by a "
        f"Bayesian bootstrap of {DRAWS} draws for macro-F1, κ, α and style distance. Differences "
        "are paired by item and tested by a sign-flip permutation test by item (exact, or "
        f"{FLIPS} flips; first-order for pooled scores) or by the paired bootstrap, two-sided, "
        "Holm-corrected over all pairs of sources compared by one measure. "
        f"Seed of the evaluation: {config.seed}."
    )
    return said


def _some(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
