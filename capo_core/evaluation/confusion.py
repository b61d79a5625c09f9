"""To whom each source's responses are given: the confusion matrix behind the attribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capo_core.evaluation.pooled import given_to
from capo_core.evaluation.streams import Stream

NOBODY = "nobody"  # responses without an explanation
COLUMNS = ("view", "source", "target", "attributed", "share", "n")


def confusion(
    streams: Sequence[Stream], scores: Sequence[np.ndarray], annotators: Sequence[str], view: str
) -> pd.DataFrame:
    """Long table (COLUMNS): the share of a source's responses for a target given to each annotator.

    Shares of a source and target add up to 1, with `NOBODY`; ties are shared; replicates are
    averaged and `n` counts their responses.

    Args:
        scores: [n, C] of each stream (see `attribution.Attributed`).
    """
    names = [*annotators, NOBODY]
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    counts: dict[tuple[str, str], int] = {}
    for stream, table in zip(streams, scores, strict=True):
        if not len(stream):
            continue
        given = given_to(table).mean(axis=0)
        key = (stream.source, stream.target)
        found.setdefault(key, []).append(np.append(given, 1 - given.sum()))
        counts[key] = counts.get(key, 0) + len(stream)
    rows = [
        (view, source, target, name, max(0.0, float(share)), counts[source, target])
        for (source, target), tables in found.items()
        for name, share in zip(names, np.mean(tables, axis=0), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
