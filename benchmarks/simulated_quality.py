"""Tables 1 to 3 of `judge_quality`: what the estimates recover of judges and of better texts."""

from __future__ import annotations

import json
import math
import sys
import time

import numpy as np
from scipy.stats import spearmanr
from simulated_judges import MU, PRIOR, oracle, simulated

from capo_core.study.analysis.attentiveness_em import Votes
from capo_core.study.analysis.judge_quality import Prior, estimate_votes, weighted_shares
from capo_core.study.analysis.pair_posterior import mu_priors, pair_posterior
from capo_core.study.analysis.preference_pairs import CONFIDENT

JUDGES, COMPARISONS, OVERLAPS = (20, 50, 200), (20, 40, 100), (1, 3, 5)
CARELESS = 0.3  # share of judges in table 3 who hardly attend


def attentiveness(repetitions: int) -> list[dict]:
    """Table 1. With overlap 1 the EM is told μ (as the paper assumes it known); else nothing."""
    rows = []
    for judges in JUDGES:
        for comparisons in COMPARISONS:
            for overlap in OVERLAPS:
                rows.append(_cell(judges, comparisons, overlap, repetitions))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _cell(judges: int, comparisons: int, overlap: int, repetitions: int) -> dict:
    rng = np.random.default_rng([judges, comparisons, overlap])
    beliefs = [Prior("human", "sft", MU)] if overlap == 1 else []
    found: dict[str, list] = {name: [] for name in ("em", "oracle", "covers", "z", "mu", "width")}
    falls, start = 0, time.process_time()
    for _repetition in range(repetitions):
        eta = rng.beta(*PRIOR, size=judges)
        votes, _better = simulated(rng, eta, comparisons, overlap, MU)
        made = estimate_votes(votes, beliefs)
        table = made.judges
        # Rounded, so that judges who differ by rounding errors only are tied in both.
        found["em"].append(spearmanr(np.round(table["weight"], 6), eta).statistic)
        found["oracle"].append(spearmanr(np.round(oracle(votes, MU), 6), eta).statistic)
        found["covers"].append(((table["low"] <= eta) & (eta <= table["high"])).mean())
        found["width"].append((table["high"] - table["low"]).mean())
        falls += int((np.diff(made.trace) < -1e-9 * abs(made.trace[-1])).sum())
        if overlap > 1:
            pair = made.preferences.iloc[0]
            found["mu"].append(pair["weighted_low"] <= MU <= pair["weighted_high"])
    mean = {name: float(np.mean(values)) if values else None for name, values in found.items()}
    return {
        "judges": judges,
        "comparisons": comparisons,
        "overlap": overlap,
        "rank_em": round(mean["em"], 3),
        "rank_oracle": round(mean["oracle"], 3),
        "of_oracle": round(mean["em"] / mean["oracle"], 3),
        "coverage": round(mean["covers"], 3),
        "width": round(mean["width"], 2),
        "coverage_mu": None if mean["mu"] is None else round(mean["mu"], 3),
        "likelihood_fell": falls,
        "cpu_s": round(time.process_time() - start, 1),
    }


def weighted(repetitions: int) -> list[dict]:
    """Coverage of the intervals of the weighted share (μ), where judges overlap; and how often it
    is not given."""
    rows = []
    for judges, comparisons in ((6, 24), (20, 20), (20, 40), (20, 100), (50, 20), (50, 40)):
        for overlap, mu in ((3, 0.75), (5, 0.75), (3, 0.9)):
            rng = np.random.default_rng([judges, comparisons, overlap, int(100 * mu)])
            inside, above, width = [], [], []
            for _repetition in range(repetitions):
                votes, _better = simulated(
                    rng, rng.beta(*PRIOR, size=judges), comparisons, overlap, mu
                )
                pair = weighted_shares(votes).iloc[0]
                if math.isnan(pair["weighted_share_a"]):
                    continue
                inside.append(pair["weighted_low"] <= mu <= pair["weighted_high"])
                above.append(pair["weighted_low"] > mu)
                width.append(pair["weighted_high"] - pair["weighted_low"])
            rows.append({
                "judges": judges, "comparisons": comparisons, "overlap": overlap, "mu": mu,
                "coverage": round(float(np.mean(inside)), 3),
                "above": round(float(np.mean(above)), 3),
                "width": round(float(np.mean(width)), 2),
                "not_given": round(1 - len(inside) / repetitions, 3),
            })  # fmt: skip
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def silence(repetitions: int) -> list[dict]:
    """Table 2: share of judges told "cannot tell", where nothing can be told and where it can."""
    rows = []
    for words, overlap, mu, beliefs in (
        ("one judge a pair, μ unknown", 1, 0.75, []),
        ("one judge a pair, μ given as .52", 1, 0.52, [Prior("human", "sft", 0.52)]),
        ("one judge a pair, a vague belief in μ", 1, 0.6, [Prior("human", "sft", 0.6, 20)]),
        ("two judges a pair, always the same two", 2, 0.75, []),
        ("one judge a pair, μ given as .75", 1, 0.75, [Prior("human", "sft", 0.75)]),
        ("three judges a pair, μ unknown and .5", 3, 0.50, []),
        ("three judges a pair, μ unknown and .75", 3, 0.75, []),
    ):
        rng = np.random.default_rng(len(rows))
        silent = []
        for _repetition in range(repetitions):
            eta = rng.beta(*PRIOR, size=20 if overlap != 2 else 2)
            votes, _better = simulated(rng, eta, 100, overlap, mu)
            table = estimate_votes(votes, beliefs).judges
            silent.append((table["verdict"] == "cannot tell").mean())
        rows.append({"case": words, "cannot_tell": round(float(np.mean(silent)), 3)})
    return rows


def filters(repetitions: int) -> list[dict]:
    """Table 3: share of pairs whose chosen text is truly the better one."""
    rows = []
    for judges, comparisons, overlap in (
        (20, 40, 1), (20, 40, 3), (50, 40, 3), (50, 40, 5), (200, 20, 3), (200, 20, 5)
    ):  # fmt: skip
        rng = np.random.default_rng([judges, comparisons, overlap, 3])
        beliefs = [Prior("human", "sft", MU)] if overlap == 1 else []
        kept: dict[str, list] = {}
        for _repetition in range(repetitions):
            careless = rng.random(judges) < CARELESS
            eta = np.where(careless, rng.beta(1, 12, judges), rng.beta(6, 2, judges))
            votes, better = simulated(rng, eta, comparisons, overlap, MU)
            made = estimate_votes(votes, beliefs)
            p = pair_posterior(votes, mu_priors(votes, made.given)).better
            for name, value in _filtered(rng, votes, better, p).items():
                kept.setdefault(name, []).append(value)
        rows.append(
            {"judges": judges, "comparisons": comparisons, "overlap": overlap}
            | {name: round(float(np.mean(values)), 3) for name, values in kept.items()}
        )
    return rows


def _filtered(rng, votes: Votes, better: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """`p`, [text_pairs]: probability that the first text is the better one."""
    right = votes.first == better[votes.text_pair]
    sure = np.maximum(p, 1 - p)
    keep = sure >= CONFIDENT
    size = int(keep.sum())
    hit = (p > 0.5) == better
    n = np.bincount(votes.text_pair)
    for_first = np.bincount(votes.text_pair, votes.first)
    lead = np.abs(2 * for_first - n)
    coin = rng.random(len(n)) < 0.5
    majority = np.where(2 * for_first == n, coin, 2 * for_first > n) == better
    firmest = np.argsort(-lead + rng.random(len(n)) * 0.5, kind="stable")[:size]
    some = rng.permutation(len(right))[: min(size, len(right))]
    return {
        "no_filter": float(right.mean()),
        "random_filter": float(right[some].mean()),
        "majority": float(majority.mean()),
        "firmest_majority_same_size": float(majority[firmest].mean()),
        "weighted_vote": float(hit.mean()),
        "quality_filter": float(hit[keep].mean()),
        "kept": float(keep.mean()),
    }
