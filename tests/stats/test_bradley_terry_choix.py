"""Bradley-Terry strengths without ties are those of choix, another implementation."""

import numpy as np
import pytest

from capo_core.stats.bradley_terry import fit_ties


@pytest.mark.parametrize("seed", [0, 1])
def test_strengths_without_ties_are_those_of_choix(seed):
    import choix

    rng = np.random.default_rng(seed)
    names, true = ("a", "b", "c", "d", "e"), np.array([1.0, 0.4, 0.0, -0.3, -0.8])
    a, b = np.array([rng.permutation(5)[:2] for _ in range(240)]).T
    outcome = (rng.random(240) > 1 / (1 + np.exp(true[b] - true[a]))).astype(int)
    won, lost = np.where(outcome == 0, a, b), np.where(outcome == 0, b, a)
    pairs = list(zip(won.tolist(), lost.tolist(), strict=True))
    theirs = choix.opt_pairwise(5, pairs, alpha=0, method="Newton-CG", tol=1e-10)
    trial = np.arange(240)
    ours = fit_ties(a, b, outcome, names, trial % 12, trial % 40).strengths.set_index("source")
    mine = ours.loc[list(names), "strength"].to_numpy()
    assert mine == pytest.approx(theirs - theirs.mean(), abs=1e-5)
    assert mine == pytest.approx(choix.ilsr_pairwise(5, pairs), abs=1e-5)
