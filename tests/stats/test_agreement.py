"""Agreement against two libraries, by hand, and where it is not defined."""

import json

import krippendorff
import numpy as np
import pandas as pd
import pytest
from helpers.corpora import dataset
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from capo_core.dataset import Dataset
from capo_core.stats.agreement import agreement
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

E, N, C = NLI.scale.labels


pytestmark = pytest.mark.filterwarnings("error")


def labelled(table: dict[str, list], task=NLI) -> Dataset:
    """Annotator → labels by item; None = not labelled, a tuple = several labels."""
    rows = []
    for who, labels in table.items():
        for item, label in enumerate(labels):
            given = label if isinstance(label, tuple) else () if label is None else (label,)
            rows += [(f"i{item}", who, "", one) for one in given]
    return dataset(rows, task=task)


def random_table(task, seed: int, n: int = 80, missing: float = 0.3) -> dict[str, list]:
    rng = np.random.default_rng(seed)
    labels = np.array(task.scale.labels)
    truth = rng.integers(len(labels), size=n)
    table = {}
    for who in "abcd":
        noise = rng.integers(len(labels), size=n)
        given = labels[np.where(rng.random(n) < 0.5, truth, noise)]
        table[who] = [None if rng.random() < missing else str(x) for x in given]
    return table


@pytest.mark.parametrize("task", [NLI, PARAPHRASE], ids=["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_libraries_on_random_data(task, seed):
    table = random_table(task, seed)
    found = agreement(labelled(table, task), draws=50)
    place = {label: task.scale.number(label) for label in task.scale.labels}
    codes = [[np.nan if x is None else place[x] for x in row] for row in table.values()]
    expected = krippendorff.alpha(
        reliability_data=np.array(codes, dtype=float),
        level_of_measurement="ordinal" if task.scale.ordinal else "nominal",
    )
    assert found.alpha.value == pytest.approx(expected)
    assert found.alpha.low < expected < found.alpha.high
    order = [place[label] for label in task.scale.labels]
    for row in found.kappa.itertuples():
        pairs = [
            (place[x], place[y])
            for x, y in zip(table[row.annotator_a], table[row.annotator_b], strict=True)
            if x is not None and y is not None
        ]
        one, two = zip(*pairs, strict=True)
        weights = "quadratic" if task.scale.ordinal else None
        expected = cohen_kappa_score(one, two, weights=weights, labels=order)
        assert row.value == pytest.approx(expected)
        assert row.n_items == len(pairs)
        assert row.raw_agreement == pytest.approx(np.mean(np.array(one) == np.array(two)))
        # The asymptotic interval is that of statsmodels.
        counts = pd.crosstab(
            pd.Categorical(one, categories=order),
            pd.Categorical(two, categories=order),
            dropna=False,
        )
        reference = cohens_kappa(counts.to_numpy(), wt="fc" if task.scale.ordinal else None)
        assert row.low == pytest.approx(reference.kappa_low, abs=1e-9)
        assert row.high == pytest.approx(reference.kappa_upp, abs=1e-9)


def test_krippendorff_s_own_example():
    # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: 12 units, 4
    # observers, nominal alpha .743, ordinal alpha .815 (interval alpha would be .849).
    data = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    }
    text = {who: [None if x is None else str(x) for x in row] for who, row in data.items()}
    nominal = Task("five colours", LabelScale(("1", "2", "3", "4", "5")))
    assert agreement(labelled(text, nominal)).alpha.value == pytest.approx(0.743, abs=5e-4)
    found = agreement(labelled(text, PARAPHRASE))
    assert found.alpha.value == pytest.approx(0.815, abs=5e-4)
    assert found.alpha.n == 11  # the last unit has one label only


def test_two_labels_count_half_each():
    # a gives both e and n on item 1. Drawn at random, a agrees with b (e) there in 1 of 2 cases.
    data = labelled({"a": [E, (E, N), C, N], "b": [E, E, C, E]})
    found = agreement(data)
    assert found.repeated == 1 and "1 occasion" in found.notes[0]
    assert found.raw.value == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    row = found.kappa.iloc[0]
    # Marginals: a: e 1.5, n 1.5, c 1 of 4; b: e 3, c 1 of 4. By chance (4.5 + 1)/16 agree.
    chance = (1.5 * 3 + 1 * 1) / 16
    assert row["value"] == pytest.approx((0.625 - chance) / (1 - chance))
    # Expectation over draws: raw agreement is the mean over both ways of choosing a's label.
    ways = [agreement(labelled({"a": [E, x, C, N], "b": [E, E, C, E]})).raw.value for x in (E, N)]
    assert found.raw.value == pytest.approx(np.mean(ways))
    # The same label given twice changes nothing.
    twice = agreement(labelled({"a": [E, (E, E), C, N], "b": [E, E, C, E]}))
    once = agreement(labelled({"a": [E, E, C, N], "b": [E, E, C, E]}))
    assert twice.alpha == once.alpha


@pytest.mark.parametrize(
    ("table", "alpha_note", "kappa_notes"),
    [
        ({"a": [E, N, C]}, "no item was labelled by two", []),
        ({"a": [E, None], "b": [None, N]}, "no item was labelled by two", []),
        ({"a": [E] * 20, "b": [E] * 20}, "every label is the same", ["one and the same label"]),
        ({"a": [E, N] * 10, "b": [E, N] * 10}, "no disagreement at all", ["agree on every shared"]),
        ({"a": [E, N, C], "b": [E, N, N]}, "too few for an interval", ["too few for an interval"]),
        ({"a": [E], "b": [N]}, "too few", ["too few"]),
    ],
)
def test_what_is_not_defined_is_said_in_words(table, alpha_note, kappa_notes):
    found = agreement(labelled(table))
    assert alpha_note in found.alpha.note
    assert len(found.kappa) == len(kappa_notes)
    for note, expected in zip(found.kappa["note"], kappa_notes, strict=True):
        assert expected in note
    json.dumps(found.to_dict(), allow_nan=False)
    frame = found.to_frame()
    assert frame["measure"].iloc[0] == "krippendorff_alpha"
    assert frame["measure"].iloc[-1] == "raw_agreement"
    undefined = frame["low"].isna()
    assert (frame.loc[undefined, "note"] != "").all()


def test_outputs_name_the_metric():
    for task, metric, weights in (
        (NLI, "nominal metric", "unweighted"),
        (PARAPHRASE, "ordinal metric", "quadratic weights"),
    ):
        found = agreement(labelled(random_table(task, 0), task), draws=20)
        assert found.to_dict()["alpha_metric"] == metric
        assert found.to_dict()["kappa_weights"] == weights
        rows = found.to_frame()
        by_measure = rows.drop_duplicates("measure").set_index("measure")["metric"]
        assert by_measure["krippendorff_alpha"] == metric
        assert by_measure["cohen_kappa"] == weights


def test_an_annotator_of_one_label_has_no_interval():
    table = {"a": [E] * 24, "b": [N] * 24, "c": [E, N, C] * 8}
    found = agreement(labelled(table))
    kappa = found.kappa.set_index(["annotator_a", "annotator_b"])
    for pair in (("a", "b"), ("a", "c")):
        assert kappa.loc[pair, "value"] == 0
        assert np.isnan(kappa.loc[pair, ["low", "high"]].to_numpy(dtype=float)).all()
        assert "one label only" in kappa.loc[pair, "note"]
    two = agreement(labelled({"a": [E] * 24, "b": [N] * 24}))
    assert two.raw.value == 0 and np.isnan(two.raw.low)
    assert "no two annotators agree" in two.raw.note
    some = agreement(labelled({"a": [E] * 24, "c": [E, N, C] * 8})).raw
    assert some.value == pytest.approx(1 / 3) and np.isnan([some.low, some.high]).all()
    assert some.note == "one of the two gives one label only: no interval"
    # Of three annotators raw agreement is not of one pair, and has its interval.
    assert found.raw.low < found.raw.value < found.raw.high
    assert not np.isnan(agreement(labelled({"b": [N, E] * 12, "c": [E, N, C] * 8})).raw.low)


def test_many_labels_need_no_more_memory_than_those_in_use():
    scale = LabelScale(tuple(str(n) for n in range(1000)), ordinal=True)
    rng = np.random.default_rng(1)
    levels = rng.choice(1000, 6, replace=False)
    table = {who: [str(x) for x in rng.choice(levels, 60)] for who in "abc"}
    found = agreement(labelled(table, Task("points", scale)), draws=200)
    codes = np.array([[float(x) for x in row] for row in table.values()])
    expected = krippendorff.alpha(reliability_data=codes, level_of_measurement="ordinal")
    assert found.alpha.value == pytest.approx(expected)


def test_the_interval_of_alpha_covers_and_does_not_depend_on_luck():
    # 60 data sets of 150 items from one process; its alpha is that of 40,000 items. A 95 %
    # interval misses more than 9 of 60 with probability < .002 (Binomial(60, .05)).
    def draw(n: int, rng) -> dict[str, list]:
        truth = rng.integers(3, size=n)
        return {
            who: np.array([E, N, C])[
                np.where(rng.random(n) < 0.6, truth, rng.integers(3, size=n))
            ].tolist()
            for who in "abc"
        }

    true = agreement(labelled(draw(40_000, np.random.default_rng(99))), draws=2).alpha.value
    missed = 0
    for seed in range(60):
        estimate = agreement(labelled(draw(150, np.random.default_rng(seed))), draws=200).alpha
        missed += not estimate.low < true < estimate.high
    assert missed <= 9
    data = labelled(draw(50, np.random.default_rng(1)))
    assert agreement(data, seed=3).to_dict() == agreement(data, seed=3).to_dict()


def test_annotators_are_named_in_the_order_of_the_dataset():
    data = labelled({"10": [E, N], "9": [E, C], "2": [N, N]})
    assert agreement(data).kappa[["annotator_a", "annotator_b"]].to_numpy().tolist() == [
        ["2", "9"],
        ["2", "10"],
        ["9", "10"],
    ]
