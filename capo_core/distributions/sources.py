"""Sources of label distributions: those of a dataset, and those of imitated annotators and their
teams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.judgments import (
    CROWD,
    EXPLANATIONS,
    Judgments,
    LabelDistribution,
    from_counts,
    mean_of,
)
from capo_core.errors import DataError
from capo_core.formatting import natural_key
from capo_core.provenance import kind_of
from capo_core.workspace import content_hash

HUMANS = "humans"
ANNOTATORS = "annotators"
VALID = f"{ANNOTATORS}, valid"
ANNOTATOR = "annotator "  # how the names of single annotators begin
SINGLE = "single label"
SIMULATED = "simulated data"  # how the note on data without people begins


def dataset_judgments(dataset: Dataset) -> Judgments:
    """Return crowd (if any), annotators together and one by one, single label, and uniform.

    "annotators" counts each label given, so that somebody who gave two to an item counts twice;
    "annotators, valid" leaves out what later validation refused, where there was one. "single
    label" is the most frequent one of the annotators; of equally frequent ones one is drawn,
    always the same, and how often that was so is noted.
    """
    labels, items = dataset.task.scale.labels, tuple(dataset.items["item_id"])
    given, notes, sources = dataset.annotations, [], []
    if dataset.crowd is not None and len(dataset.crowd):
        sources.append(_counted(CROWD, dataset.crowd, labels, items, "counts of many labels"))
    if len(given):
        everybody = _counted(ANNOTATORS, given, labels, items, "all labels the annotators gave")
        sources.append(everybody)
        refused = given["valid"] == "false"
        if refused.any():
            sources.append(
                _counted(
                    VALID,
                    given[~refused],
                    labels,
                    items,
                    "labels that later validation did not refuse",
                )
            )
        single, tied = single_label(everybody)
        sources.append(single)
        if tied:
            notes.append(
                f"{tied:,} of {len(single.item_ids):,} items have several most frequent labels; "
                "the single label is drawn among them"
            )
        for who in dataset.annotators:
            own = given[given["annotator_id"] == who]
            sources.append(_counted(f"{ANNOTATOR}{who}", own, labels, items, f"what {who} said"))
    if dataset.simulated:
        notes.insert(0, f"{SIMULATED}: no human judged these items")
    found = Judgments(
        dataset.name,
        dataset.task,
        dataset.items[["item_id", "text_a", "text_b"]],
        tuple(sources),
        human_explanations(given),
        tuple(notes),
        kind_of(dataset.simulated),
    )
    return found.with_uniform()


def single_label(source: LabelDistribution) -> tuple[LabelDistribution, int]:
    """Return a source with each item's most frequent label, and the number of ties."""
    top = source.shares >= source.shares.max(axis=1, keepdims=True) - 1e-12
    shares = np.zeros_like(source.shares)
    for row, item in enumerate(source.item_ids):
        best = np.flatnonzero(top[row])
        shares[row, best[int(content_hash(item)[:8], 16) % len(best)]] = 1.0
    about = f"the most frequent label of {source.name}"
    made = LabelDistribution(
        SINGLE, source.labels, source.item_ids, shares, np.ones(len(shares)), about
    )
    return made, int((top.sum(axis=1) > 1).sum())


def human_explanations(annotations: pd.DataFrame) -> pd.DataFrame:
    """Return the annotators' explanations as a table `EXPLANATIONS`, in the order of the
    annotations.
    """
    said = annotations[annotations["explanation"].str.strip() != ""]
    said = said.assign(source=HUMANS, position=said.groupby("item_id").cumcount())
    return said[EXPLANATIONS.names].reset_index(drop=True)


def _counted(name, rows: pd.DataFrame, labels, items, about: str) -> LabelDistribution:
    """Return a source from counts of labels by item; a `count` column weights the rows."""
    weight = rows["count"].astype(float) if "count" in rows else 1.0
    table = (
        rows.assign(n=weight)
        .pivot_table(index="item_id", columns="label", values="n", aggfunc="sum", fill_value=0.0)
        .reindex(columns=list(labels), fill_value=0.0)
    )
    here = [item for item in items if item in table.index]
    return from_counts(name, labels, here, table.reindex(here).to_numpy(dtype=float), about)


def output_distributions(judgments: Judgments, outputs: pd.DataFrame) -> list[LabelDistribution]:
    """Return one source per imitated annotator and method, and a team for each method.

    An annotator's distribution on an item is how often its samples give each label; the team's is
    the mean over annotators, on the items all of them answered. Answers that could not be read
    count for nothing, and an item without any readable answer is left out.

    More answers alone bring a distribution nearer to the crowd's, and a team of four has four
    times as many as each of its annotators. Where there are samples enough, a second team
    ("…, equal count") is made of so few of each annotator's that it has no more than one of them.

    Args:
        outputs: the table `schema.OUTPUTS` of one or several runs.

    Raises:
        DataError: no output belongs to an item of `judgments`, or could be read.
    """
    labels, items = judgments.task.scale.labels, list(judgments.items["item_id"])
    readable = outputs[outputs["item_id"].isin(items) & outputs["label"].isin(labels)]
    if readable.empty:
        raise DataError(
            f"none of {len(outputs)} outputs is a readable answer to an item of {judgments.name}",
            todo="use outputs on items of the same dataset",
        )
    found: list[LabelDistribution] = []
    for method, answers in readable.groupby("method", sort=False):
        parts = [
            _of_annotator(f"{method} {who}", rows, labels, items)
            for who, rows in sorted(
                answers.groupby("target_annotator_id"), key=lambda each: natural_key(each[0])
            )
        ]
        if len(parts) > 1:
            who = ", ".join(part.name.removeprefix(f"{method} ") for part in parts)
            about = f"mean of {len(parts)} imitated annotators ({who})"
            found.append(mean_of(f"{method} team", parts, about))
            found += _equal_count(str(method), answers, labels, items)
        found += parts
    return found


def output_explanations(judgments: Judgments, outputs: pd.DataFrame) -> pd.DataFrame:
    """Return the explanations of imitated annotators (`EXPLANATIONS`), one source a method: its
    team, or the one annotator that it imitates."""
    readable = outputs[
        outputs["item_id"].isin(set(judgments.items["item_id"]))
        & outputs["label"].isin(judgments.task.scale.labels)
    ]
    whom = readable.groupby("method")["target_annotator_id"].agg(lambda each: sorted(set(each)))
    named = {
        method: f"{method} {found[0]}" if len(found) == 1 else f"{method} team"
        for method, found in whom.items()
    }
    there = readable[readable["explanation"].str.strip() != ""]
    there = there.assign(
        source=[named[method] for method in there["method"]],
        position=there.groupby(["item_id", "method"], sort=False).cumcount(),
    )
    return there[EXPLANATIONS.names].reset_index(drop=True)


def unused_outputs(judgments: Judgments, outputs: pd.DataFrame) -> list[str]:
    """Return notes on the outputs that do not count, as sentences."""
    known = outputs["item_id"].isin(set(judgments.items["item_id"]))
    unread = known & ~outputs["label"].isin(judgments.task.scale.labels)
    found = []
    if unread.any():
        found.append(
            f"{int(unread.sum()):,} of {len(outputs):,} answers of the runs without a readable "
            "label; left out"
        )
    if not known.all():
        found.append(
            f"{int((~known).sum()):,} of {len(outputs):,} answers of the runs to items not in "
            f"{judgments.name}; left out"
        )
    return found


def _equal_count(
    method: str, answers: pd.DataFrame, labels: Sequence[str], items: Sequence[str]
) -> list[LabelDistribution]:
    """Return the team with as many answers per item as one annotator (median over items)."""
    who = answers["target_annotator_id"]
    samples = int(answers.groupby(["item_id", who]).size().median())
    each = samples // who.nunique()
    if each < 1:
        return []
    # Of several runs' samples the first of each run come first: no run is preferred.
    answers = answers.sort_values("sample", kind="stable")
    few = answers[answers.groupby(["item_id", who]).cumcount() < each]
    parts = [
        _of_annotator(str(name), rows, labels, items) for name, rows in few.groupby(who, sort=True)
    ]
    about = f"{each} of {samples} samples of each annotator: no more answers than one of them"
    return [mean_of(f"{method} team, equal count", parts, about)]


def _of_annotator(
    name: str, rows: pd.DataFrame, labels: Sequence[str], items: Sequence[str]
) -> LabelDistribution:
    counts = pd.crosstab(rows["item_id"], rows["label"]).reindex(columns=list(labels), fill_value=0)
    here = [item for item in items if item in counts.index]
    table = counts.loc[here].to_numpy()
    return from_counts(name, labels, here, table, f"samples of {name}, {int(table.sum())} in all")
