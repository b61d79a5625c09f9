"""Do the tests beside the scores keep what they promise? Simulated answers with a known truth.

    python benchmarks/referee.py --repetitions 2000 --out referee.json --table referee.md

Tables: (1) alternative annotator test: rejections of a true null hypothesis at its boundary, for
one annotator (the t-test, and the Wilcoxon test proposed for few items), and (2) with four
annotators who label with noise: how often a model of a given noise passes; (3) two one-sided tests:
claims of equivalence where the true difference is the margin (at most 5 % are allowed) and where
there is none; (4) the same for Krippendorff's α with one annotator replaced; (5) the smallest
detectable difference: how often a difference of exactly that size is found, which is to be 80 %,
and the same number as a report computes it from the observed errors; (6) the personal form: how
often an imitation is called better than the best other annotator where it is as good as that one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from measuring import report
from scipy.stats import wilcoxon

from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.referee.personal import _p_values
from capo_core.stats.agreement import alpha_of_items
from capo_core.stats.alternative_annotator import (
    Advantage,
    advantage,
    alternative_annotator_test,
)
from capo_core.stats.bootstrap import Score, difference, mean
from capo_core.stats.equivalence import EQUIVALENT, alpha_substitution, tost
from capo_core.stats.power import PairedDesign, detectable

MARGIN = 0.1
ORDINAL = False


def rate(hits) -> float:
    return round(float(np.mean(hits)), 4)


def boundary(repetitions: int) -> list[dict]:
    """Rejections at level .05 where mean(W^h) − mean(W^f) is exactly ε, by share of ties."""
    rows = []
    for n in (15, 25, 30, 50, 100, 300):
        for ties in (0.3, 0.6, 0.8):
            for epsilon in (0.1, 0.2):
                rng = np.random.default_rng([n, int(10 * ties), int(10 * epsilon)])
                lost = (1 - ties + epsilon) / 2
                by_t, by_ranks = [], []
                for _ in range(repetitions):
                    drawn = rng.random(n)
                    person = (drawn < lost + ties).astype(float)  # loses where the model wins
                    model = (drawn >= lost).astype(float)
                    one = Advantage(model, person)
                    by_t.append(one.p_value(epsilon) <= 0.05 if n >= 30 else np.nan)
                    by_ranks.append(
                        wilcoxon(person - model - epsilon, alternative="less").pvalue <= 0.05
                    )
                rows.append({
                    "items": n, "ties": ties, "epsilon": epsilon,
                    "t-test": rate(by_t) if n >= 30 else None, "Wilcoxon": rate(by_ranks),
                })  # fmt: skip
    return rows


def noisy(rng, truth, noise):
    return np.where(rng.random(len(truth)) < noise, rng.integers(0, 3, len(truth)), truth)


def passing(repetitions: int) -> list[dict]:
    """Share of experiments that are passed (ω ≥ .5), with four annotators of noise .3."""
    rows = []
    for items in (50, 100, 200):
        for epsilon in (0.1, 0.2):
            for noise in (0.0, 0.3, 0.5, 0.7, 1.0):
                rng = np.random.default_rng([items, int(10 * epsilon), int(10 * noise)])
                passed, won, rho = [], [], []
                for _ in range(max(1, repetitions // 4)):
                    truth = rng.integers(0, 3, items)
                    people = np.array([noisy(rng, truth, 0.3) for _ in range(4)])
                    model = noisy(rng, truth, noise)
                    compared = []
                    for j in range(4):
                        rest = np.delete(people, j, axis=0)
                        compared.append(
                            advantage((rest == model).mean(axis=0),
                                      (rest == people[j]).mean(axis=0))
                        )  # fmt: skip
                    found = alternative_annotator_test(compared, epsilon)
                    passed.append(found.passed)
                    won.append(found.winning_rate)
                    rho.append(found.probability)
                rows.append({
                    "items": items, "epsilon": epsilon, "noise of the model": noise,
                    "passed": rate(passed), "omega": rate(won), "rho": rate(rho),
                })  # fmt: skip
    return rows


def hit_scores(one: np.ndarray, other: np.ndarray) -> tuple[Score, Score]:
    """Mean over targets of hits [items, targets, seeds], as the evaluation computes it."""
    items, targets, seeds = one.shape
    place = np.arange(items)
    return tuple(
        mean([
            mean([item_mean(side[:, t, s], place, n_items=items) for s in range(seeds)],
                 repeated=True)
            for t in range(targets)
        ])
        for side in (one, other)
    )  # fmt: skip


def paired_hits(rng, repetitions, items, targets, seeds, gap, discordant, rho, rho_seed, base=0.5):
    """Hits of two methods [repetitions, items, targets, seeds]: exactly one is right in a share
    `discordant` of answers, the first more often by `gap`; differences on an item correlate by
    `rho` between targets and by `rho_seed` between seeds of one."""
    shape = (repetitions, items, targets, seeds)
    common, own = (
        rng.random((repetitions, items, 1, 1)),
        rng.random((repetitions, items, targets, 1)),
    )
    drawn = np.broadcast_to(rng.random(shape), shape).copy()
    # A difference is that of its item, of its item and target, or its own; two answers are alike
    # where both are of the same kind.
    kind = rng.random(shape)
    first = math.sqrt(rho)
    second = math.sqrt(rho_seed - rho) if rho_seed > rho and seeds > 1 else 0.0
    drawn = np.where(kind < first, common, np.where(kind < first + second, own, drawn))
    up, down = (discordant + gap) / 2, (discordant - gap) / 2
    both = rng.random(shape) < base
    one = np.where(drawn < up, 1.0, np.where(drawn < up + down, 0.0, both))
    other = np.where(drawn < up, 0.0, np.where(drawn < up + down, 1.0, both))
    return one, other


def by_item(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean differences of the items [repetitions, items], their means, and these's standard errors
    as the evaluation computes them; held equal to it for the first repetitions."""
    apart = (one - other).mean(axis=(2, 3))
    value = apart.mean(axis=1)
    error = np.sqrt(((apart - value[:, None]) ** 2).sum(axis=1)) / apart.shape[1]
    for k in range(3):
        found = difference(*hit_scores(one[k], other[k]))
        assert math.isclose(found.value, value[k], abs_tol=1e-9), (found.value, value[k])
        assert math.isclose(found.error, error[k], abs_tol=1e-9), (found.error, error[k])
    return apart, value, error


FLIPS = 4999


def sign_flips(rng, apart: np.ndarray) -> np.ndarray:
    """p-values [repetitions] of the sign-flip test, all with the same draws of signs."""
    signs = rng.choice([-1.0, 1.0], (FLIPS, apart.shape[1]))
    value = np.abs(apart.sum(axis=1))
    hits = (np.abs(signs @ apart.T) >= value - 1e-9).sum(axis=0)
    return (1 + hits) / (1 + FLIPS)


def equivalence(repetitions: int) -> list[dict]:
    """Claims of equivalence within ±.1 at a true difference of .1 and of 0."""
    rows = []
    for items in (20, 30, 50, 100, 300):
        for targets in (1, 4):
            for discordant in (0.12, 0.3, 0.5):
                for rho in (0.0, 0.3):
                    if targets == 1 and rho:
                        continue
                    cells = {}
                    for name, gap in (("at the margin", MARGIN), ("no difference", 0.0)):
                        rng = np.random.default_rng(
                            [items, targets, int(100 * discordant), int(10 * rho), int(10 * gap)]
                        )
                        _, value, error = by_item(*paired_hits(
                            rng, repetitions, items, targets, 1, gap, discordant, rho, rho, 0.6
                        ))  # fmt: skip
                        error *= math.sqrt(items / (items - 1))
                        claims = [
                            tost(v, e, MARGIN, items=items, answers=items * targets).verdict
                            == EQUIVALENT
                            for v, e in zip(value.tolist(), error.tolist(), strict=True)
                        ]
                        cells[name] = rate(claims)
                    rows.append({"items": items, "targets": targets, "discordant": discordant,
                                 "rho": rho, **cells})  # fmt: skip
    return rows


def alpha_loss(noise: float, annotators: int) -> float:
    """Change of α where one of `annotators` of noise .3 is replaced by one of `noise`."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200_000)
    people = np.stack([noisy(rng, truth, 0.3) for _ in range(annotators)], axis=1)
    replaced = people.copy()
    replaced[:, 0] = noisy(rng, truth, noise)
    ones = np.ones((1, len(truth)))
    before, after = (alpha_of_items(np.eye(3)[x], ORDINAL)(ones)[0] for x in (people, replaced))
    return float(after - before)


def alpha(repetitions: int) -> list[dict]:
    """Claims of equivalence of α within ±.1 where the true change is −.1, and none."""
    rows = []
    for annotators in (3, 4):
        low, high = 0.3, 1.0
        for _ in range(18):  # the noise at which the loss is the margin
            middle = (low + high) / 2
            low, high = (
                (middle, high) if alpha_loss(middle, annotators) > -MARGIN else (low, middle)
            )
        for items in (50, 100, 200):
            cells = {}
            for name, noise in (("at the margin", low), ("no difference", 0.3)):
                rng = np.random.default_rng([annotators, items, int(1000 * noise)])
                claims = []
                for _ in range(max(1, repetitions // 2)):
                    truth = rng.integers(0, 3, items)
                    people = np.stack([noisy(rng, truth, 0.3) for _ in range(annotators)], axis=1)
                    substitute = np.eye(3)[noisy(rng, truth, noise)]
                    found = alpha_substitution(
                        np.eye(3)[people], 0, [substitute], ORDINAL, MARGIN, draws=400
                    )
                    claims.append(found.test.verdict == EQUIVALENT)
                cells[name] = rate(claims)
            rows.append({"annotators": annotators, "items": items,
                         "noise at the margin": round(low, 3), **cells})  # fmt: skip
    return rows


def power(repetitions: int) -> list[dict]:
    """Share of experiments that find a difference of the smallest detectable size."""
    rows = []
    for items in (30, 50, 100, 300):
        for targets, seeds, rho, rho_seed in (
            (1, 1, 0.0, 0.0), (4, 1, 0.0, 0.0), (4, 1, 0.3, 0.3), (4, 3, 0.1, 0.4),
        ):  # fmt: skip
            for discordant in (0.3, 0.5):
                for comparisons in (1, 6):
                    design = PairedDesign(
                        items, targets, seeds, math.sqrt(discordant), between_targets=rho,
                        between_seeds=rho_seed,
                    )  # fmt: skip
                    gap = design.smallest_difference(comparisons=comparisons)
                    if not gap < discordant:
                        continue
                    rng = np.random.default_rng(
                        [items, targets, seeds, int(10 * rho), int(10 * discordant), comparisons]
                    )
                    one, other = paired_hits(
                        rng, repetitions, items, targets, seeds, gap, discordant, rho, rho_seed
                    )
                    apart, _, _ = by_item(one, other)
                    found = sign_flips(rng, apart) <= 0.05 / comparisons
                    reported = [
                        detectable(
                            difference(*hit_scores(one[k], other[k])), comparisons=comparisons
                        )
                        for k in range(min(20, repetitions))
                    ]
                    rows.append({
                        "items": items, "targets": targets, "seeds": seeds, "rho": rho,
                        "rho_seeds": rho_seed, "discordant": discordant,
                        "comparisons": comparisons, "smallest difference": round(gap, 4),
                        "found": rate(found), "off by": round(abs(rate(found) - 0.8), 4),
                        "as reported": round(float(np.mean(reported)), 4),
                    })  # fmt: skip
    return rows


def personal(repetitions: int) -> list[dict]:
    """Share of "better than the best other" (one-sided, .05) where the imitation is as good as the
    best other annotator, and where it is better by .15."""
    rows = []
    for items in (30, 100, 300):
        for others in ((0.6,), (0.6, 0.6, 0.6), (0.6, 0.4, 0.3)):
            cells = {}
            for name, gain in (("as good", 0.0), ("better by .15", 0.15)):
                rng = np.random.default_rng([items, len(others), int(100 * gain)])
                better = []
                for _ in range(max(1, repetitions // 2)):
                    own = item_mean((rng.random(items) < others[0] + gain).astype(float),
                                    np.arange(items), n_items=items)  # fmt: skip
                    gains = {}
                    for number, share in enumerate(others):
                        hits = (rng.random(items) < share).astype(float)
                        score = item_mean(hits, np.arange(items), n_items=items)
                        gains[str(number)] = difference(own, score)
                    better.append(_p_values(gains)[0] <= 0.05)
                cells[name] = rate(better)
            rows.append({"items": items, "others": " ".join(map(str, others)), **cells})
    return rows


PARTS = {
    "boundary": boundary,
    "passing": passing,
    "equivalence": equivalence,
    "alpha": alpha,
    "power": power,
    "personal": personal,
}


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = ["" if row[name] is None else str(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="JSON with all tables")
    parser.add_argument("--table", type=Path, help="the same as Markdown")
    options = parser.parse_args()
    results: dict = {"repetitions": options.repetitions}
    for name in options.only:
        start = time.process_time()
        results[name] = PARTS[name](options.repetitions)
        results[f"{name}_cpu_s"] = round(time.process_time() - start, 1)
        print(f"{name}\n{table(results[name])}\n", flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
        if options.table:
            parts = [f"{part}\n\n{table(results[part])}\n" for part in results if part in PARTS]
            options.table.write_text("\n".join(parts), encoding="utf-8")
    report({name: results[f"{name}_cpu_s"] for name in options.only})


if __name__ == "__main__":
    main()
