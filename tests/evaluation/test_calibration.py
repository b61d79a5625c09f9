"""The strength of a CAPO adapter is chosen where answers are as typical as the target's own."""

import numpy as np
import pandas as pd
import pytest
from helpers.tiny_training import MANNERS, tiny_dataset

from capo_core.errors import DataError
from capo_core.evaluation.calibration import HumanYardstick
from capo_core.evaluation.measures.attribution import View
from capo_core.imitation.prompting.prompts import write_response
from capo_core.imitation.training.samples import SampledAnswer
from capo_core.text.embeddings import Embedder

WORDS = (View("words"),)


def yardstick(dataset=None, target="A"):
    return HumanYardstick(
        dataset or tiny_dataset(train=30, validation=40), target, Embedder(), views=WORDS
    )


def answers(stick, dataset, typical: float, right: float):
    """A share of answers in the manner of A, the others in that of B, and a share of A's labels."""
    items = dataset.items.set_index("item_id")
    label = dataset.annotations[dataset.annotations["annotator_id"] == "A"].set_index("item_id")
    made = []
    for number, item_id in enumerate(stick.item_ids):
        manner = MANNERS["A" if number < typical * len(stick.item_ids) else "B"]
        subject = items.at[item_id, "text_a"].split()[1]
        own = label.at[item_id, "label"]
        if number >= right * len(stick.item_ids):
            own = {"neutral": "entailment"}.get(own, "neutral")
        made.append(SampledAnswer(item_id, "A", write_response(own, manner.format(subject))))
    return made


def mixed(dataset, share: float):
    """The dataset with A writing like B on a share of the validation items."""
    where = dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))
    rows = dataset.annotations.copy()
    own = rows[(rows["annotator_id"] == "A") & (rows["item_id"].map(where) == "validation")]
    for index in own.index[: round(share * len(own))]:
        rows.at[index, "explanation"] = MANNERS["B"].format("cat")
    return type(dataset)(dataset.name, dataset.task, dataset.items, rows)


def test_the_nearest_strength_is_chosen_not_the_highest():
    dataset = mixed(tiny_dataset(train=30, validation=40), 0.25)  # A's own level is .75
    stick = yardstick(dataset)
    found = stick.choose(
        {
            0.0: answers(stick, dataset, 0.5, 1.0),
            0.5: answers(stick, dataset, 0.7, 1.0),
            1.0: answers(stick, dataset, 1.0, 1.0),
        }
    )
    assert (found.strength, found.human, found.n) == (0.5, 0.75, 40)
    assert found.imitation == pytest.approx({0.0: 0.5, 0.5: 0.7, 1.0: 1.0})
    assert 0.5 < found.support < 1  # 40 items leave some doubt
    assert found.to_dict()["imitation"] == pytest.approx({"0": 0.5, "0.5": 0.7, "1": 1.0})


class TwoEyes(HumanYardstick):
    """Yardstick with given shares: by classifier, of each strength and last of the human."""

    shares = ((0.5, 0.6, 0.7, 0.8, 0.8), (0.7, 0.8, 0.9, 1.0, 0.6))

    def _hits(self, streams):
        n = len(self.item_ids)
        taken = [*range(len(streams) - 1), -1]
        return np.array([[np.arange(n) < eye[place] * n for place in taken]
                         for eye in self.shares], dtype=float)  # fmt: skip


def test_below_by_one_classifier_and_beyond_by_the_other_is_not_near():
    dataset = tiny_dataset(train=30, validation=40)
    stick = TwoEyes(dataset, "A", Embedder(), views=(View("words"), View("embedding")))
    same = answers(stick, dataset, 0.5, 1.0)
    # The mean share of the second, .70, is the human's; by neither classifier is it near.
    found = stick.choose({0.0: same, 0.3: same, 0.6: same, 1.0: same})
    assert found.imitation == pytest.approx({0.0: 0.6, 0.3: 0.7, 0.6: 0.8, 1.0: 0.9})
    assert found.human == pytest.approx(0.7)
    assert found.distance == pytest.approx({0.0: 0.2, 0.3: 0.2, 0.6: 0.2, 1.0: 0.2})
    assert found.strength == 0 and "no larger strength is nearer" in found.reason
    plain = found.to_dict()
    assert plain["by_classifier"]["embedding"]["human"] == pytest.approx(0.6)
    assert plain["by_classifier"]["words"]["imitation"]["0.6"] == pytest.approx(0.7)


def test_a_classifier_below_the_human_level_asks_for_larger_strengths():
    dataset = tiny_dataset(train=30, validation=40)
    stick = TwoEyes(dataset, "A", Embedder(), views=(View("words"), View("embedding")))
    same = answers(stick, dataset, 0.5, 1.0)
    # By embeddings alone .15 and .20 (half of .3 and .4) beyond: not yet farther than the .20 of
    # the nearest by five points, since words may still come near.
    assert not stick.is_enough({0.0: same, 0.3: same, 0.6: same, 1.0: same})
    stick.shares = ((0.5, 0.8, 0.9, 1.0, 0.8), (0.5, 0.6, 0.9, 1.0, 0.6))
    assert stick.is_enough({0.0: same, 0.3: same, 0.6: same, 1.0: same})


def test_a_strength_that_loses_labels_is_not_chosen():
    dataset = tiny_dataset(train=30, validation=40)
    stick = yardstick(dataset)
    found = stick.choose(
        {
            0.0: answers(stick, dataset, 0.5, 0.8),
            0.5: answers(stick, dataset, 0.7, 0.8),
            1.0: answers(stick, dataset, 1.0, 0.5),
        }
    )
    assert found.strength == 0.5
    assert found.label_accuracy == pytest.approx({0.0: 0.8, 0.5: 0.8, 1.0: 0.5})


@pytest.mark.parametrize(
    ("shares", "enough"),
    [
        ((0.5, 0.7, 0.9), False),  # one is beyond: the next may be noise
        ((0.5, 0.7, 0.9, 1.0), True),  # two in a row, farther than the nearest by 5 points
        ((0.7, 0.775, 0.8), False),  # not by 5 points
        ((0.75, 0.775, 0.8), True),  # SFT is there already
        ((1.0, 1.0, 1.0), True),  # beyond from the first: the smallest will be chosen
        ((0.9, 0.85, 0.8), False),
        ((0.2, 0.3, 0.4), False),  # below the target's own level
        ((0.75, 0.9), False),
    ],
)
def test_larger_strengths_are_not_asked_for_once_they_cannot_be_nearer(shares, enough):
    dataset = mixed(tiny_dataset(train=30, validation=40), 0.25)  # A's own level is .75
    stick = yardstick(dataset)
    found = {n / 10: answers(stick, dataset, share, 1.0) for n, share in enumerate(shares)}
    assert stick.is_enough(found) is enough


def test_sft_that_is_at_the_human_level_stays():
    dataset = mixed(tiny_dataset(train=30, validation=40), 0.25)
    stick = yardstick(dataset)
    found = stick.choose(
        {0.0: answers(stick, dataset, 0.75, 1), 1.0: answers(stick, dataset, 1, 1)}
    )
    assert found.strength == 0 and "already" in found.reason


def test_capo_that_does_not_reach_the_human_says_so():
    dataset = tiny_dataset(train=30, validation=40)
    stick = yardstick(dataset)
    found = stick.choose(
        {0.0: answers(stick, dataset, 0.2, 1), 1.0: answers(stick, dataset, 0.6, 1)}
    )
    assert found.strength == 1 and "does not reach" in found.reason


def test_an_answer_that_cannot_be_read_is_nobodys_and_wrong():
    dataset = tiny_dataset(train=30, validation=40)
    stick = yardstick(dataset)
    empty = [SampledAnswer(item_id, "A", "???") for item_id in stick.item_ids]
    found = stick.choose({0.0: answers(stick, dataset, 0.5, 0.5), 1.0: empty})
    assert found.imitation[1.0] == 0 and found.label_accuracy[1.0] == 0


def test_only_items_that_the_target_explained_count():
    dataset = tiny_dataset(train=30, validation=40)
    where = dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))
    rows = dataset.annotations
    own = (rows["annotator_id"] == "A") & (rows["item_id"].map(where) == "validation")
    some = rows[~own | (np.arange(len(rows)) % 2 == 0)]
    fewer = type(dataset)(dataset.name, dataset.task, dataset.items, some)
    assert 0 < len(yardstick(fewer).item_ids) < 40
    none = type(dataset)(dataset.name, dataset.task, dataset.items, pd.DataFrame(rows[~own]))
    with pytest.raises(DataError, match="explained no validation item"):
        yardstick(none)
