"""What an evaluation says, in sentences made from its numbers. No sentence knows the method.

How an evaluation was computed, as a paragraph for a paper: plain text and LaTeX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import FOLDS, GROUPINGS
from capo_core.evaluation.measures.diversity import GROUP
from capo_core.evaluation.measures.style import BINS
from capo_core.evaluation.report import EvaluatedSource
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.formatting import Statement
from capo_core.stats.bootstrap import DRAWS
from capo_core.stats.significance import FLIPS

_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
          "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
          "–": "--", "−": "$-$", "≤": r"$\leq$", "κ": r"$\kappa$", "α": r"$\alpha$",
          "×": r"$\times$", "“": "``", "”": "''"}  # fmt: skip


def methods_paragraph(
    dataset: Dataset,
    n_items: int,
    split: str,
    config: TableConfig,
    sources: Sequence[EvaluatedSource],
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


def statements(
    scores: pd.DataFrame,
    differences: pd.DataFrame,
    confusion: pd.DataFrame,
    caricatures: pd.DataFrame,
    sources: Sequence[EvaluatedSource],
    config: TableConfig,
    judges: Sequence[Mapping] = (),
    missing: str = "",
) -> tuple[Statement, ...]:
    """All that can be said, the most important first."""
    mine = scores[~scores["source"].isin([HUMAN, OTHER]) & scores["value"].notna()]
    mine = mine[mine["target"] == ALL]
    apart = differences[differences["target"] == ALL]
    found = (
        ("headline", _imitation(mine, apart, config)),
        ("missing", missing),
        ("confusion", _taken_for(confusion, config)),
        *(("judge", _judged(mine, judge)) for judge in judges),
        ("label", _labels(mine, apart)),
        ("text", _texts(mine)),
        ("caricature", _caricature(caricatures)),
        ("diversity", _collapse(apart)),
        ("seeds", _seeds(mine, config)),
        ("unread", _unread(sources)),
    )
    return tuple(Statement.plain(topic, text) for topic, text in found if text)


def percent(share: float, digits: int = 0) -> str:
    """A share in percent; what is 1 but for rounding is 100 %."""
    share = round(float(share), 9)
    text = f"{100 * share:.{digits}f}"
    if float(text) == 100 and share < 1:
        text = f"{100 * share:.{digits + 1}f}"
        text = text if float(text) < 100 else "over 99.9"
    return f"{text} %"


def _shown(row) -> str:
    return f"{percent(row.value)} [{100 * row.low:.0f}–{100 * row.high:.0f}]"


def _best(mine: pd.DataFrame, name: str, k: int = 0) -> pd.DataFrame:
    rows = mine[(mine["measure"] == name) & (mine["k"] == k)]
    return rows.sort_values("value", ascending=False, kind="stable")


def _compared(apart: pd.DataFrame, one, other: str) -> pd.Series | None:
    """The difference of the source of row `one` and `other`, whichever stands first."""
    rows = apart[(apart["measure"] == one.measure) & (apart["k"] == one.k)]
    rows = rows[
        ((rows["source"] == one.source) & (rows["against"] == other))
        | ((rows["source"] == other) & (rows["against"] == one.source))
    ]
    return rows.iloc[0] if len(rows) else None


def _imitation(mine, apart, config: TableConfig) -> str:
    name = config.views[0].name
    ks = [k for k in sorted(config.pool) if len(_best(mine, name, k))]
    if not ks:
        return ""
    k = ks[-1]
    ranked = _best(mine, name, k)
    best = ranked.iloc[0]
    what = "a single explanation is" if k == 1 else f"{k} explanations together are"
    text = (
        f"Of {len(ranked)} method{'s' if len(ranked) > 1 else ''}, {best.source} comes nearest to "
        f"its targets: {what} given to the target in {_shown(best)} of cases"
        if len(ranked) > 1
        else f"With {best.source}, {what} given to the target in {_shown(best)} of cases"
    )
    text += f" (the target's own texts {percent(best.ceiling)}, other people's "
    text += f"{percent(best.floor)}, chance {percent(best.chance)})"
    if len(ranked) > 1:
        second = ranked.iloc[1]
        found = _compared(apart, best, second.source)
        if found is not None and found.verdict != "undecided":
            gap = 100 * (best.value - second.value)
            text += f", {gap:.0f} points before {second.source} (p {_p(found.p_holm)})"
        else:
            text += f"; it is not told apart from {second.source} ({percent(second.value)})"
    if best.high < best.chance:
        text += ". That is below chance: these texts are rather given to others"
    elif best.low <= best.chance:
        text += ". That is not clearly above chance"
    return text + "."


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".", 1)


def _taken_for(confusion: pd.DataFrame, config: TableConfig) -> str:
    """The most frequent mistaken identity of a method."""
    rows = confusion[~confusion["source"].isin([HUMAN, OTHER])]
    if len(rows):
        rows = rows[(rows["view"] == config.views[0].name) & (rows["attributed"] != rows["target"])]
        rows = rows.sort_values("share", ascending=False, kind="stable")
    if not len(rows) or rows.iloc[0].share < 0.4:
        return ""
    worst = rows.iloc[0]
    return (
        f"The most frequent mistake: {percent(worst.share)} of the explanations by {worst.source} "
        f"in the place of {worst.target} are given to {worst.attributed} (n = {worst.n})."
    )


def _judged(mine, judge: Mapping) -> str:
    """What a judge is worth, and what it says of each method where it is worth something."""
    text = judge["sentence"]
    rows = _best(mine, judge["measure"], judge["config"]["k"])
    if not len(rows) or rows.iloc[0].ceiling <= rows.iloc[0].chance:
        return text
    named = ", ".join(f"{row.source} {_shown(row)}" for row in rows.itertuples())
    return f"{text} It gives to the target, of what was written in the target's place: {named}."


def _labels(mine, apart) -> str:
    ranked = _best(mine, "label accuracy")
    if not len(ranked):
        return ""
    best = ranked.iloc[0]
    text = (
        f"Labels: {best.source} gives the target's own label in {_shown(best)} of cases; another "
        f"annotator would in {percent(best.floor)}, and always the most frequent label in "
        f"{percent(best.chance)}"
    )
    if best.low <= best.chance:
        text += ", so that no method clearly knows more than that label"
    if len(ranked) > 1:
        second = ranked.iloc[1]
        found = _compared(apart, best, second.source)
        if found is None or found.verdict == "undecided":
            text += f". It is not told apart from {second.source} ({percent(second.value)})"
    return text + "."


def _texts(mine) -> str:
    ranked = _best(mine, "ROUGE-L")
    if not len(ranked) or pd.isna(ranked.iloc[0].floor):
        return ""
    best = ranked.iloc[0]
    than = "more" if best.low > best.floor else ("less" if best.high < best.floor else "as much")
    as_or_than = "as" if than == "as much" else "than"
    return (
        f"In words, {best.source} has {than} in common with what the target wrote on the same item "
        f"(ROUGE-L {best.value:.2f} [{best.low:.2f}–{best.high:.2f}]) {as_or_than} another "
        f"annotator has ({best.floor:.2f})."
    )


def _caricature(caricatures: pd.DataFrame) -> str:
    flagged = caricatures[caricatures["caricature"].astype(bool)]
    if not len(flagged):
        return ""
    said = []
    for source, rows in flagged.groupby("source", sort=False):
        overall = rows[rows["target"] == ALL]
        row = overall.iloc[0] if len(overall) else rows.iloc[0]
        who = "its targets" if len(overall) else f"annotator {', '.join(rows['target'])}"
        said.append(
            f"{source} is a caricature of {who}: its explanations are given to the target "
            f"{100 * row.attribution_above:.0f} points more often than the target's own, and their "
            f"style is further from the target's ({row.style_above:+.3f} against the target's own "
            "held-out texts)"
        )
    return "; ".join(said) + ". More typical than the human is not more like the human."


def _collapse(apart: pd.DataFrame) -> str:
    rows = apart[(apart["measure"] == "self-similarity") & (apart["against"] == HUMAN)]
    rows = rows[(rows["value"] > 0) & (rows["verdict"] == "worse")]
    if not len(rows):
        return ""
    named = ", ".join(f"{row.source} ({row.value:+.2f})" for row in rows.itertuples())
    return (
        f"These write more alike from item to item than the targets do (mean cosine above the "
        f"human's): {named}."
    )


def _seeds(mine, config: TableConfig) -> str:
    rows = _best(mine, config.views[0].name, min(config.pool))
    rows = rows[rows["seed_spread"].notna()]
    if not len(rows):
        return ""
    named = ", ".join(
        f"{row.source} {100 * row.seed_spread:.1f} points ({int(row.replicates)} values)"
        for row in rows.itertuples()
    )
    return f"Standard deviation of attribution over runs and samples: {named}."


def _unread(sources: Sequence[EvaluatedSource]) -> str:
    bad = [s for s in sources if s.name not in (HUMAN, OTHER) and s.unread]
    if not bad:
        return ""
    named = ", ".join(
        f"{s.name} {s.unread} of {s.responses} ({percent(s.unread / s.responses, 1)})" for s in bad
    )
    return f"Answers without a readable label: {named}. They count as wrong."
