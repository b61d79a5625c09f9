"""Cohen's kappa for every pair of annotators, unweighted or with quadratic weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from capo_core.stability.cells import Cells
from capo_core.stability.intervals import Z95

COLUMNS = ("annotator_a", "annotator_b", "value", "low", "high", "raw_agreement", "n_items", "note")


def pairwise(
    given: sparse.csr_matrix, cells: Cells, distance: np.ndarray, min_items: int
) -> pd.DataFrame:
    """One row (COLUMNS) per pair of annotators who share an item.

    kappa = 1 − Σ δ_ck p_ck / Σ δ_ck p_c· p_·k (Cohen 1960; weighted, Cohen 1968; with squared
    distances δ these are the quadratic weights of Fleiss & Cohen 1973). The interval is asymptotic
    (delta method; Fleiss, Cohen & Everitt 1969), kept within −1 and 1.

    Args:
        given: [cells × labels], each row sums to 1.
        distance: δ, [labels × labels].
        min_items: below so many shared items there is no interval.
    """
    joint, a, b = _joint(given, cells, len(distance))
    n = joint.sum(axis=(1, 2))
    p = joint / n[:, None, None] if len(n) else joint
    of_a, of_b = p.sum(axis=2), p.sum(axis=1)
    observed = (p * distance).sum(axis=(1, 2))
    expected = np.einsum("pc,ck,pk->p", of_a, distance, of_b)
    defined = expected > 1e-12  # sums of shares are not exact
    scale = np.where(defined, expected, 1)
    value = np.where(defined, 1 - observed / scale, np.nan)
    # Influence of one item with labels (c, k) on kappa.
    marginal = (of_b @ distance)[:, :, None] + (of_a @ distance)[:, None, :]
    influence = -(distance - observed[:, None, None]) / scale[:, None, None]
    influence = influence + (observed / scale**2)[:, None, None] * (
        marginal - 2 * expected[:, None, None]
    )
    error = np.sqrt((p * influence**2).sum(axis=(1, 2)) / np.maximum(n, 1))
    notes = np.full(len(n), "", dtype=object)
    notes[n < min_items] = f"fewer than {min_items} shared items: too few for an interval"
    notes[observed < 1e-12] = "they agree on every shared item: no interval"
    notes[~defined] = "not defined: both give one and the same label throughout"
    without = notes != ""
    return pd.DataFrame(
        {
            "annotator_a": np.array(cells.annotator_names, dtype=object)[a],
            "annotator_b": np.array(cells.annotator_names, dtype=object)[b],
            "value": value,
            "low": np.where(without, np.nan, np.maximum(value - Z95 * error, -1)),
            "high": np.where(without, np.nan, np.minimum(value + Z95 * error, 1)),
            "raw_agreement": np.einsum("pcc->p", p),
            "n_items": np.rint(n).astype(int),
            "note": notes,
        },
        columns=list(COLUMNS),
    )


def _joint(
    given: sparse.csr_matrix, cells: Cells, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[pairs × labels × labels] counts of label pairs on shared items, and who the pairs are.

    Sparse products of [items × annotators] matrices, one per label, so that the cost goes with
    the annotations that meet on an item and not with items × annotators.
    """

    def by_annotator(weights: np.ndarray) -> sparse.csr_matrix:
        shape = (cells.n_items, cells.n_annotators)
        table = sparse.csr_matrix((weights, (cells.items, cells.annotators)), shape=shape)
        table.eliminate_zeros()
        return table

    there = by_annotator(np.ones(cells.n))
    a, b = sparse.triu(there.T @ there, k=1).nonzero()
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    dense = given.toarray()
    label = [by_annotator(dense[:, c]) for c in range(n_labels)]
    joint = np.zeros((len(a), n_labels, n_labels))
    if len(a):
        for c in range(n_labels):
            for k in range(n_labels):
                joint[:, c, k] = np.asarray((label[c].T @ label[k]).tocsr()[a, b]).ravel()
    return joint, a, b
