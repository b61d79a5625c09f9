"""Logistic regression by maximum likelihood, with each row's influence on the coefficients.

Own code, since what is needed are the influences of the rows, which clustered variances are sums
of (`stats.clustered`): no fitted model of scikit-learn or statsmodels gives them where columns are
not identified.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

MIN_ROWS = 30  # with fewer, a model with covariates tells nothing


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Coefficients by maximum likelihood (Newton) and each row's influence on them, [n × p].

    Columns that are not identified get 0. None instead of influences where the steps do not settle
    (separation).
    """
    beta = np.zeros(x.shape[1])
    for _step in range(50):
        p = expit(x @ beta)
        bread = np.linalg.pinv((x * (p * (1 - p))[:, None]).T @ x, hermitian=True)
        step = bread @ (x.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            return beta, (x * (y - p)[:, None]) @ bread
        if np.abs(beta).max() > 50:
            break
    return beta, None
