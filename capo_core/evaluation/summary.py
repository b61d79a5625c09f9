"""Statements about an evaluation, made from its numbers, and the paragraph for a paper.

A statement carries its names and values (`formatting.Statement`); no statement knows the methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from capo_core import formatting
from capo_core.dataset import Dataset
from capo_core.evaluation.eyes import EyeComparison, eye_warning
from capo_core.evaluation.human_distance import (
    AT_LEVEL,
    DISTANCE,
    OVERSHOOT,
    UNDERSHOOT,
    HumanDistance,
)
from capo_core.evaluation.likelihood import FOLDS as LIKELIHOOD_FOLDS
from capo_core.evaluation.likelihood import likelihood_statement
from capo_core.evaluation.measures.attribution import FOLDS, GROUPINGS
from capo_core.evaluation.measures.diversity import GROUP
from capo_core.evaluation.measures.style import BINS
from capo_core.evaluation.report import EvaluatedSource
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.formatting import Named, Statement, count, readable_answers
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
    llm_judges: Sequence[Mapping] = (),
    missing: str = "",
    likelihood: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return the methods paragraph under the keys "text" and "latex", in the same words."""
    sentences = _sentences(
        dataset, n_items, split, config, sources, llm_judges, missing, likelihood or {}
    )
    text = " ".join(sentences)
    return {"text": text, "latex": latex(text)}


def latex(text: str) -> str:
    """Return `text` with all special characters of LaTeX escaped."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _sentences(
    dataset, n_items, split, config, sources, llm_judges, missing, likelihood
) -> list[str]:
    methods = [source for source in sources if source.name not in (HUMAN, OTHER)]
    sentences = [
        f"All scores are computed on the {n_items} {split} items of {dataset.name} "
        f"({'simulated annotators; ' if dataset.simulated else ''}{len(dataset.annotators)} "
        "annotators), of which no text was used in training."
    ]
    for source in methods:
        runs = len(source.replicates)
        times = f"; {runs} runs or samples: {_some(source.replicates)}" if runs > 1 else ""
        sentences.append(
            f"{source.name}: {source.responses} answers in the place of "
            f"{count(len(source.targets), 'annotator')}; "
            f"{readable_answers(source.responses - source.unread, source.responses)}{times}."
        )
    if missing:
        sentences.append(missing)
    sentences.append(
        "Scores are averaged over runs and samples of one target, then over targets with equal "
        "weight. The ceiling is the target's own held-out responses, the floor another annotator's "
        "taken for the target's; responses judged invalid are left out."
    )
    if "attribution" in config.families:
        views = " and ".join(f"{v.representation} under {v.reduction}" for v in config.views)
        ks = ", ".join(map(str, config.pool))
        sentences.append(
            f"Attribution: a ridge classifier of {views}, fitted on human training explanations "
            f"only, gives groups of k = {ks} explanations on different items to an annotator "
            f"({GROUPINGS} random groupings); probabilities are a softmax whose slope is fitted on "
            f"human training texts scored in {FOLDS} folds grouped by item. Chance is "
            f"1/{len(dataset.annotators)}."
        )
        sentences.append(
            "Distance from the human: for each target the absolute difference between a method's "
            "value and that of the target's own held-out texts, averaged over targets; 95 % "
            "intervals and differences between methods by a Bayesian bootstrap over items."
        )
    if likelihood:
        folds = f", in {LIKELIHOOD_FOLDS} folds by item" if likelihood["crossed"] else ""
        sentences.append(
            "Likelihood attribution: mean log-probability per token of the explanation, given item "
            f"and label, under the SFT adapters of all annotators on {likelihood['base']}; typing "
            "habits at both ends are made equal. A multinomial logistic model with one slope and "
            f"an offset for each adapter, fitted on {likelihood['calibration_texts']} validation "
            f"texts{folds}, names the author; k texts are added up."
        )
    for judge in llm_judges:
        asked = judge["config"]
        sentences.append(
            f"LLM judge: {judge['judge']} (temperature 0, seed {asked['seed']}) saw cards with "
            f"{asked['cards']} training explanations of each annotator, in rotated order, and "
            f"named the author of {asked['k']} explanation{'s' if asked['k'] > 1 else ''} at a "
            f"time, in {judge['trials']} trials of which {judge['unread']} could not be read."
        )
    if "style" in config.families:
        sentences.append(
            "Style distance: mean over style features of the Jensen–Shannon divergence (bits) "
            f"between responses and the target's training texts, each feature cut into at most "
            f"{BINS} bins by quantiles of human training texts."
        )
    if "consistency" in config.families:
        sentences.append(
            "Label consistency: a ridge classifier of word n-grams with the input's words masked, "
            "fitted on human training responses, reads the label from an explanation; the floor "
            "is the target's own explanations shuffled over items."
        )
    if "diversity" in config.families:
        sentences.append(
            f"Distinct-1 to 3 are computed in groups of {GROUP} explanations; self-similarity is "
            "the mean cosine of two explanations of one method on different items, self-overlap "
            "their mean ROUGE-2. An explanation is a near-duplicate where its similarity (edits) "
            f"to a training explanation of the target is at least {config.duplicate:g}."
        )
    sentences.append(
        "Intervals are 95 % and over items: by the infinitesimal jackknife for averages, by a "
        f"Bayesian bootstrap of {DRAWS} draws for macro-F1, κ, α and style distance. Differences "
        "are paired by item and tested by a sign-flip permutation test by item (exact, or "
        f"{FLIPS} flips; first-order for pooled scores) or by the paired bootstrap, two-sided, "
        "Holm-corrected over all pairs of sources compared by one measure. "
        f"Seed of the evaluation: {config.seed}."
    )
    return sentences


def _some(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def statements(
    scores: pd.DataFrame,
    differences: pd.DataFrame,
    confusion: pd.DataFrame,
    caricatures: pd.DataFrame,
    human_distance: HumanDistance,
    eyes: EyeComparison | None,
    sources: Sequence[EvaluatedSource],
    config: TableConfig,
    llm_judges: Sequence[Mapping] = (),
    likelihood: Mapping[str, Any] | None = None,
    missing: Statement | None = None,
) -> tuple[Statement, ...]:
    """Return everything that can be stated, the most important first."""
    mine = scores[~scores["source"].isin([HUMAN, OTHER]) & scores["value"].notna()]
    mine = mine[mine["target"] == ALL]
    overall = differences[differences["target"] == ALL]
    found = (
        _imitation(scores, human_distance, config),
        eye_warning(eyes),
        missing,
        likelihood_statement(scores, likelihood or {}),
        _confused(confusion, config),
        *(_judged(mine, judge) for judge in llm_judges),
        _labels(mine, overall),
        _texts(mine),
        _caricatures(caricatures),
        _collapse(overall),
        _seeds(mine, config),
        _unread(sources),
    )
    return tuple(_without_nan(statement) for statement in found if statement is not None)


def _without_nan(statement: Statement) -> Statement:
    """Return the statement with None in place of NaN, which JSON cannot represent."""
    values = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in statement.values.items()
    }
    return Statement(statement.topic, statement.template, values)


def _method(source: str) -> Named:
    return Named("method", source)


def _interval(row: Any) -> str:
    return formatting.percent_interval(row.low, row.high)


def _p(value: float) -> str:
    text = formatting.p_value(value)
    return f"p {text}" if text.startswith("≤") else f"p = {text}"


def _series(template: str, rows: Iterable[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return `template` once for each row, separated by commas, and the values of all rows.

    A "#" in the template stands for the row's number, so that each has places of its own.
    """
    parts, values = [], {}
    for number, row in enumerate(rows):
        parts.append(template.replace("#", str(number)))
        values |= {f"{name}{number}": value for name, value in row.items()}
    return ", ".join(parts), values


def _ranked(mine: pd.DataFrame, name: str, k: int = 0) -> pd.DataFrame:
    rows = mine[(mine["measure"] == name) & (mine["k"] == k)]
    return rows.sort_values("value", ascending=False, kind="stable")


def _difference(differences: pd.DataFrame, row: Any, other: str) -> pd.Series | None:
    """Return the difference of the source of `row` and `other`, in either order."""
    rows = differences[(differences["measure"] == row.measure) & (differences["k"] == row.k)]
    rows = rows[
        ((rows["source"] == row.source) & (rows["against"] == other))
        | ((rows["source"] == other) & (rows["against"] == row.source))
    ]
    return rows.iloc[0] if len(rows) else None


def _imitation(scores: pd.DataFrame, away: HumanDistance, config: TableConfig) -> Statement | None:
    """Return which method is nearest to the targets' own level, and which ones are beyond it.

    At the smallest k: with many texts together everything is attributed rightly.
    """
    name = config.views[0].name
    k = next((k for k in sorted(config.pool) if len(away.nearest(name, k))), None)
    if k is None:
        return None
    ranked = away.nearest(name, k)
    best = ranked.iloc[0]
    rows = scores[(scores["measure"] == name) & (scores["k"] == k)]
    rows = rows[rows["source"] == best.source]
    row = rows[rows["target"] == ALL].iloc[0]
    # Of the annotators that it imitates, not of all there are.
    single = rows[(rows["target"] != ALL) & rows["value"].notna()]
    floor = single["floor"].mean() if len(single) else row.floor
    values = {
        "method": _method(best.source), "share": row.value, "interval": _interval(row),
        "ceiling": best.human, "floor": floor, "chance": row.chance, "n": len(ranked),
        "k": k, "gap": abs(best.gap),
    }  # fmt: skip
    what = "a single explanation is" if k == 1 else "{k} explanations together are"
    begin = (
        "Of {n:count method}, {method} is nearest to its targets: "
        if len(ranked) > 1
        else "With {method}, "
    )
    template = (
        f"{begin}{what} attributed to the target in {{share:percent}} {{interval}} of cases, "
        f"{_LEVELS[best.level]} the target's own texts ({{ceiling:percent}}; other people's "
        "{floor:percent}, chance {chance:percent})"
    )
    if len(ranked) > 1:
        second = ranked.iloc[1]
        values |= {"second": _method(second.source), "second_share": second.value}
        found = _further(away, second, best)
        if found is None:
            template += "; then {second} ({second_share:percent})"
        elif found.verdict != "undecided":
            values |= {"further": abs(found.value), "p": _p(found.p_holm)}
            template += "; {second} ({second_share:percent}) is {further:points} further away ({p})"
        else:
            template += "; {second} ({second_share:percent}) is not significantly further away"
    if row.high < row.chance:
        template += ". This is below chance: these texts are attributed to others more often"
    elif row.low <= row.chance:
        template += ". This is not significantly above chance"
    beyond = [r for r in ranked.iloc[1:].itertuples() if r.level == OVERSHOOT]
    if beyond:
        listed, more = _series(
            "{beyond#} by {above#:points}",
            ({"beyond": _method(r.source), "above": r.gap} for r in beyond),
        )
        template += f". Beyond the human's own: {listed}"
        values |= more
    return Statement("headline", template + ".", values)


_LEVELS = {
    OVERSHOOT: "{gap:points} beyond",
    UNDERSHOOT: "{gap:points} below",
    AT_LEVEL: "not significantly different from",
}


def _further(away: HumanDistance, one: Any, other: Any) -> pd.Series | None:
    """Return the contrast of two methods in their distance from the human, in either order."""
    rows = away.contrasts
    rows = rows[(rows["measure"] == one.measure) & (rows["k"] == one.k) & (rows["target"] == ALL)]
    rows = rows[rows["quantity"] == DISTANCE]
    rows = rows[
        ((rows["source"] == one.source) & (rows["against"] == other.source))
        | ((rows["source"] == other.source) & (rows["against"] == one.source))
    ]
    return rows.iloc[0] if len(rows) else None


def _confused(confusion: pd.DataFrame, config: TableConfig) -> Statement | None:
    """Return the most frequent confusion of a method, if it is frequent."""
    rows = confusion[~confusion["source"].isin([HUMAN, OTHER])]
    if len(rows):
        rows = rows[(rows["view"] == config.views[0].name) & (rows["attributed"] != rows["target"])]
        rows = rows.sort_values("share", ascending=False, kind="stable")
    if not len(rows) or rows.iloc[0].share < 0.4:
        return None
    worst = rows.iloc[0]
    return Statement(
        "confusion",
        "Most frequent confusion: {share:percent} of the explanations by {method} in the place of "
        "{target} are attributed to {attributed} (n = {n}).",
        {
            "share": worst.share,
            "method": _method(worst.source),
            "target": Named("annotator", worst.target),
            "attributed": Named("annotator", worst.attributed),
            "n": int(worst.n),
        },
    )


def _judged(mine: pd.DataFrame, judge: Mapping) -> Statement:
    """Return the accuracy of an LLM judge, and its verdict on each method if it is above chance."""
    worth = Statement.plain("judge", judge["sentence"])
    rows = _ranked(mine, judge["measure"], judge["config"]["k"])
    if not len(rows) or rows.iloc[0].ceiling <= rows.iloc[0].chance:
        return worth
    template, values = _series(
        "{method#} {share#:percent} {interval#}",
        (
            {"method": _method(row.source), "share": row.value, "interval": _interval(row)}
            for row in rows.itertuples()
        ),
    )
    verdict = f"Share of each method's texts that it attributes to the target: {template}."
    return worth.joined(Statement("judge", verdict, values))


def _labels(mine: pd.DataFrame, differences: pd.DataFrame) -> Statement | None:
    ranked = _ranked(mine, "label accuracy")
    if not len(ranked):
        return None
    best = ranked.iloc[0]
    values = {
        "method": _method(best.source), "share": best.value, "interval": _interval(best),
        "floor": best.floor, "chance": best.chance,
    }  # fmt: skip
    template = (
        "Labels: {method} gives the target's own label in {share:percent} {interval} of cases; "
        "another annotator would in {floor:percent}, and always the most frequent label in "
        "{chance:percent}"
    )
    if best.low <= best.chance:
        template += ", so no method is significantly better than that label"
    if len(ranked) > 1:
        second = ranked.iloc[1]
        found = _difference(differences, best, second.source)
        if found is None or found.verdict == "undecided":
            values |= {"second": _method(second.source), "second_share": second.value}
            template += ". The difference from {second} ({second_share:percent}) is not significant"
    return Statement("label", template + ".", values)


def _texts(mine: pd.DataFrame) -> Statement | None:
    ranked = _ranked(mine, "ROUGE-L")
    if not len(ranked) or pd.isna(ranked.iloc[0].floor):
        return None
    best = ranked.iloc[0]
    against = (
        "exceeds that"
        if best.low > best.floor
        else "is below that"
        if best.high < best.floor
        else "does not differ significantly from that"
    )
    return Statement(
        "text",
        "Lexical overlap of {method} with the target's text on the same item (ROUGE-L "
        "{value:number} {interval}) " + against + " of another annotator ({floor:number}).",
        {
            "method": _method(best.source),
            "value": best.value,
            "interval": f"[{best.low:.2f}–{best.high:.2f}]",
            "floor": best.floor,
        },
    )


def _caricatures(caricatures: pd.DataFrame) -> Statement | None:
    flagged = caricatures[caricatures["caricature"].astype(bool)]
    if not len(flagged):
        return None
    parts, values = [], {}
    for number, (source, rows) in enumerate(flagged.groupby("source", sort=False)):
        overall = rows[rows["target"] == ALL]
        row = overall.iloc[0] if len(overall) else rows.iloc[0]
        whose = "its targets" if len(overall) else f"annotator {{targets{number}}}"
        parts.append(
            f"{{method{number}}} is a caricature of {whose}: its explanations are attributed to "
            f"the target {{above{number}:points}} more often than the target's own, and their "
            f"style is further from the target's ({{style{number}:signed 3}} compared with the "
            "target's own held-out texts)"
        )
        values |= {
            f"method{number}": _method(source),
            f"targets{number}": [Named("annotator", target) for target in rows["target"]],
            f"above{number}": row.attribution_above,
            f"style{number}": row.style_above,
        }
    template = "; ".join(parts) + ". More typical than the human is not more like the human."
    return Statement("caricature", template, values)


def _collapse(differences: pd.DataFrame) -> Statement | None:
    rows = differences[
        (differences["measure"] == "self-similarity") & (differences["against"] == HUMAN)
    ]
    rows = rows[(rows["value"] > 0) & (rows["verdict"] == "worse")]
    if not len(rows):
        return None
    template, values = _series(
        "{method#} ({gain#:signed})",
        ({"method": _method(row.source), "gain": row.value} for row in rows.itertuples()),
    )
    return Statement(
        "diversity",
        "More self-similar across items than the targets (mean cosine above the human's): "
        f"{template}.",
        values,
    )


def _seeds(mine: pd.DataFrame, config: TableConfig) -> Statement | None:
    rows = _ranked(mine, config.views[0].name, min(config.pool))
    rows = rows[rows["seed_spread"].notna()]
    if not len(rows):
        return None
    template, values = _series(
        "{method#} {spread#:points 1} ({n#:count value})",
        (
            {"method": _method(row.source), "spread": row.seed_spread, "n": int(row.replicates)}
            for row in rows.itertuples()
        ),
    )
    text = "Standard deviation of attribution over runs and samples: "
    return Statement("seeds", f"{text}{template}.", values)


def _unread(sources: Sequence[EvaluatedSource]) -> Statement | None:
    rows = [s for s in sources if s.name not in (HUMAN, OTHER) and s.unread]
    if not rows:
        return None
    template, values = _series(
        "{method#} {unread#:,} of {n#:,} ({share#:percent 1})",
        (
            {
                "method": _method(source.name),
                "unread": source.unread,
                "n": source.responses,
                "share": source.unread / source.responses,
            }
            for source in rows
        ),
    )
    return Statement(
        "unread",
        f"Answers without a readable label or explanation: {template}. A missing label counts as "
        "wrong, a missing explanation as nobody's.",
        values,
    )
