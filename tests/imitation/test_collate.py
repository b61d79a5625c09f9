"""Which response stands against which."""

from __future__ import annotations

import pytest
import torch

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.examples import ResponseContrast, as_pairs
from capo_core.imitation.training.objective import collate


def rendered(n: int) -> Rendered:
    return Rendered((1, 2), tuple((10 + k, 2) for k in range(n)))


A = ResponseContrast(rendered(4), (0,), ((1, 2, 3),))
B = ResponseContrast(rendered(3), (0, 1), ((2,), (2,)), ((0.5,), (2.0,)))
C = ResponseContrast(rendered(2), (1,), ((),))
SUPERVISED = ResponseContrast(rendered(2), (0, 1))


def test_indices_run_through_the_batch():
    batch = collate([A, B, C])
    assert batch.n_responses == 9
    assert batch.chosen.tolist() == [0, 4, 5, 8]
    assert batch.mask.tolist() == [
        [True] * 3,
        [True, False, False],
        [True, False, False],
        [False] * 3,
    ]
    assert batch.rejected[batch.mask].tolist() == [1, 2, 3, 6, 6]
    assert batch.weights[batch.mask].tolist() == [1, 1, 1, 0.5, 2]
    assert batch.rejected.max() < 9


def test_split_takes_scores_apart():
    batch = collate([A, B])
    chosen, rejected = batch.split(torch.arange(7.0) * 10)
    assert chosen.tolist() == [0, 40, 50]
    assert rejected[batch.mask].tolist() == [10, 20, 30, 60, 60]


def test_without_weights_there_are_none():
    assert collate([A, C]).weights is None


def test_supervised_rows_have_nothing_rejected():
    batch = collate([SUPERVISED, SUPERVISED])
    assert batch.chosen.tolist() == [0, 1, 2, 3]
    assert batch.rejected.shape == batch.mask.shape == (4, 0)


def test_a_contrast_becomes_one_pair_for_each_rejected_response():
    pairs = [pair for contrast in (A, B, C) for pair in as_pairs(contrast)]
    texts = [tuple(ids[0] for ids in pair.rendered.responses) for pair in pairs]
    assert texts == [(10, 11), (10, 12), (10, 13), (10, 12), (11, 12)]
    assert [pair.weights for pair in pairs] == [(), (), (), ((0.5,),), ((2.0,),)]
    assert as_pairs(SUPERVISED) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"chosen": ()},
        {"chosen": (3,)},
        {"chosen": (-1,)},
        {"rejected": ((3,),)},
        {"rejected": ((0,),)},
        {"rejected": ((1,), (2,))},
        {"weights": ((1.0, 1.0),)},
        {"weights": ((-1.0,),)},
        {"weights": ((float("nan"),),)},
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ConfigError):
        ResponseContrast(**{"rendered": rendered(3), "chosen": (0,), "rejected": ((1,),), **wrong})
