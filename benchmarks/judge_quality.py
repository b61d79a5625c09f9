"""Are the estimates of a study right? Simulated judges with known attentiveness and known accuracy.

    python benchmarks/judge_quality.py --repetitions 200 --out judge_quality.json --table table.md

Tables: (1) attentiveness by EM over judges × comparisons × overlap: rank correlation with the
truth against an oracle that knows μ, the prior of attentiveness and computes posterior means;
coverage of the 95 % intervals; does the likelihood ever fall; (2) μ near one half, or nothing that
identifies; (3) exported preference pairs, filtered in five ways; (4) coverage of the intervals of
shares, differences and Bradley-Terry strengths, clustered by judge and item.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import report
from scipy.special import expit
from scipy.stats import beta, spearmanr

from capo_core.study import em_attentive
from capo_core.study.belief import Belief
from capo_core.study.bradley_terry import fit_ties
from capo_core.study.clustered import difference, share
from capo_core.study.em_errors import GRID, curves
from capo_core.study.em_votes import Votes
from capo_core.study.preference_pairs import CONFIDENT
from capo_core.study.quality import estimate_votes

JUDGES, COMPARISONS, OVERLAPS = (20, 50, 200), (20, 40, 100), (1, 3, 5)
PRIOR = (3.0, 1.5)  # of attentiveness: most attend, some hardly; the EM does not know it
MU = 0.75
CARELESS = 0.3  # share of judges in table 3 who hardly attend


def design(rng: np.random.Generator, judges: int, comparisons: int, overlap: int):
    """Who judges what: judge [n], matter [n]; `overlap` different judges a matter, near-balanced.

    Blocks of as many matters as judges: matter i goes to the judges i, i + s₂, i + s₃, … of a
    random order, with random different shifts s.
    """
    matters = judges * comparisons // overlap
    rows = []
    for start in range(0, matters, judges):
        order = rng.permutation(judges)
        shifts = np.append(0, 1 + rng.choice(judges - 1, overlap - 1, replace=False))
        block = np.arange(min(judges, matters - start))
        rows.append(order[(block[:, None] + shifts[None, :]) % judges])
    judge = np.concatenate(rows)
    return judge.ravel(), np.repeat(np.arange(matters), overlap)


def simulated(rng, eta: np.ndarray, comparisons: int, overlap: int, mu: float):
    """Votes of judges with attentiveness `eta`, and bool [matters], is the first text better?"""
    judge, matter = design(rng, len(eta), comparisons, overlap)
    size = int(matter.max()) + 1
    better = rng.random(size) < mu
    attends = rng.random(len(judge)) < eta[judge]
    first = np.where(attends, better[matter], rng.random(len(judge)) < 0.5)
    votes = Votes(
        judge, matter, first, np.zeros(size, dtype=int), np.full(size, np.nan),
        tuple(f"J{k + 1:03}" for k in range(len(eta))), tuple(map(str, range(size))),
        (("human", "sft"),), np.zeros(len(judge), dtype=bool), np.zeros(len(eta), dtype=int),
    )  # fmt: skip
    return votes, better


def oracle(votes: Votes, mu: float) -> np.ndarray:
    """[judges]: posterior mean of attentiveness with the true μ and the true prior.

    EM with both given tells how likely each text is the better one; then, judge by judge, the
    posterior of η on a grid, which is exact where no matter is shared.
    """
    fit = em_attentive.fit(votes, mu=np.array([mu]), prior=PRIOR)
    value, _told = curves(votes, fit)
    inner = (GRID > 0) & (GRID < 0.999)
    grid = GRID[inner]
    log_p = value[:, inner] + beta(*PRIOR).logpdf(grid) + np.log(np.gradient(grid))
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return (p @ grid) / p.sum(axis=1)


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
    beliefs = [Belief("human", "sft", MU)] if overlap == 1 else []
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


def silence(repetitions: int) -> list[dict]:
    """Table 2: share of judges told "cannot tell", where nothing can be told and where it can."""
    rows = []
    for words, overlap, mu, beliefs in (
        ("one judge a pair, μ unknown", 1, 0.75, []),
        ("one judge a pair, μ given as .52", 1, 0.52, [Belief("human", "sft", 0.52)]),
        ("one judge a pair, a vague belief in μ", 1, 0.6, [Belief("human", "sft", 0.6, 20)]),
        ("two judges a pair, always the same two", 2, 0.75, []),
        ("one judge a pair, μ given as .75", 1, 0.75, [Belief("human", "sft", 0.75)]),
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
        beliefs = [Belief("human", "sft", MU)] if overlap == 1 else []
        kept: dict[str, list] = {}
        for _repetition in range(repetitions):
            careless = rng.random(judges) < CARELESS
            eta = np.where(careless, rng.beta(1, 12, judges), rng.beta(6, 2, judges))
            votes, better = simulated(rng, eta, comparisons, overlap, MU)
            made = estimate_votes(votes, beliefs)
            for name, value in _filtered(rng, votes, better, made.matters).items():
                kept.setdefault(name, []).append(value)
        rows.append(
            {"judges": judges, "comparisons": comparisons, "overlap": overlap}
            | {name: round(float(np.mean(values)), 3) for name, values in kept.items()}
        )
    return rows


def _filtered(rng, votes: Votes, better: np.ndarray, matters: pd.DataFrame) -> dict[str, float]:
    right = votes.first == better[votes.matter]
    p = matters["better_a"].to_numpy()
    sure = np.maximum(p, 1 - p)
    keep = sure >= CONFIDENT
    size = int(keep.sum())
    hit = (p > 0.5) == better
    n, for_first = matters["n_votes"].to_numpy(), matters["votes_a"].to_numpy()
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


def _crossed(rng, judges: int, items: int, per_item: int, spread: tuple[float, float]):
    """Judge [n], item [n] and random effects of both, standard deviations `spread` (logits)."""
    judge, item = design(rng, judges, items * per_item // judges, per_item)
    of_judge = rng.normal(0, spread[0], judges)[judge]
    of_item = rng.normal(0, spread[1], item.max() + 1)[item]
    return judge, item, of_judge + of_item


def _true_share(level: float, spread: tuple[float, float]) -> float:
    """Mean of expit(level + random effects), by Gauss-Hermite."""
    x, w = np.polynomial.hermite_e.hermegauss(41)
    return float((w * expit(level + np.hypot(*spread) * x)).sum() / w.sum())


def shares(repetitions: int) -> list[dict]:
    """Table 4: coverage of clustered intervals of a share and of a difference of two sources."""
    rows = []
    for judges, items, per_item in ((6, 24, 3), (8, 60, 3), (12, 40, 3), (20, 60, 3), (30, 100, 3)):
        for level, spread in ((-1.0, (0.4, 0.6)), (0.3, (0.6, 0.8)), (1.5, (0.4, 0.6))):
            rng = np.random.default_rng([judges, items, int(10 * abs(level))])
            truth, second = _true_share(level, spread), _true_share(level - 0.5, spread)
            hits = {"two_way": 0, "difference": 0}
            plain = 0
            for _repetition in range(repetitions):
                judge, item, effect = _crossed(rng, judges, items, per_item, spread)
                source = rng.random(len(judge)) < 0.5
                hit = rng.random(len(judge)) < expit(level - 0.5 * source + effect)
                one = share(hit[~source], judge[~source], item[~source])
                hits["two_way"] += one.low <= truth <= one.high
                plain += one.wilson_low <= truth <= one.wilson_high
                apart = difference(
                    hit[~source], judge[~source], item[~source],
                    hit[source], judge[source], item[source],
                )  # fmt: skip
                hits["difference"] += apart.low <= truth - second <= apart.high
            rows.append(
                {"judges": judges, "items": items, "share": round(truth, 2)}
                | {f"coverage_{k}": round(v / repetitions, 3) for k, v in hits.items()}
                | {"coverage_wilson_plain": round(plain / repetitions, 3)}
            )
    return rows


def strengths(repetitions: int) -> list[dict]:
    """Table 5: coverage for Davidson's strengths, where the model holds and judges differ in nu."""
    names = ("human", "icl", "sft")
    truth = np.array([0.8, -0.5, -0.3])
    rows = []
    for judges, items in ((8, 60), (20, 60), (30, 100)):
        rng = np.random.default_rng([judges, items])
        covered = []
        for _repetition in range(repetitions):
            judge, item = design(rng, judges, items * 3 // judges, 3)
            a = rng.integers(0, 3, len(judge))
            b = (a + rng.integers(1, 3, len(judge))) % 3
            tie = np.exp(-0.5 + rng.normal(0, 0.5, judges))[judge]
            pi = np.exp(truth)
            weights = np.stack([pi[a], pi[b], tie * np.sqrt(pi[a] * pi[b])], axis=1)
            cut = rng.random(len(judge)) * weights.sum(axis=1)
            outcome = (cut[:, None] > weights.cumsum(axis=1)).sum(axis=1)
            made = fit_ties(a, b, outcome, names, judge, item)
            inside = (made.strengths["low"] <= truth) & (truth <= made.strengths["high"])
            covered.append(inside.mean())
        rows.append({"judges": judges, "items": items, "coverage": round(np.mean(covered), 3)})
    return rows


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = ["" if row[name] is None else str(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


PARTS = {
    "attentiveness": attentiveness,
    "silence": silence,
    "filters": filters,
    "shares": shares,
    "strengths": strengths,
}


TIMES = {"shares": 10, "strengths": 5}  # cheap, so that 93 and 95 % can be told apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="JSON with all tables")
    parser.add_argument("--table", type=Path, help="the same as Markdown")
    options = parser.parse_args()
    results: dict = {"repetitions": options.repetitions}
    for name in options.only:
        start = time.process_time()
        results[name] = PARTS[name](options.repetitions * TIMES.get(name, 1))
        results[f"{name}_cpu_s"] = round(time.process_time() - start, 1)
        print(f"{name}\n{table(results[name])}\n", flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if options.table:
        parts = [f"**{name}**\n\n{table(results[name])}" for name in options.only]
        options.table.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    report({name: results[f"{name}_cpu_s"] for name in options.only})


if __name__ == "__main__":
    main()
