"""Information on labels in the simulated data, and the part of it that the embedded base has.

    python benchmarks/label_information.py [--annotators 150] [--items 150]

Nats per label of a predictor that knows nothing but the spread of labels, only the annotator, only
the item, or both: the simulator's own probabilities for annotators that the embedded base was not
trained on, averaged over what is not known; `right` is how often its likeliest label is the one
given. Beside them the base's loss on labels, from its build. A few seconds.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import report

from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.embedded_base.corpus import (
    HELD_OUT,
    STREAM,
    SimulatedPopulation,
    draw_item,
)
from capo_core.imitation.embedded_base.model_card import read_about
from capo_core.shipped import EMBEDDED_BASE
from capo_core.simulation.annotate import label_shares
from capo_core.simulation.grammar import Draws
from capo_core.simulation.simulate import TASKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotators", type=int, default=150)
    parser.add_argument("--items", type=int, default=150)
    given = parser.parse_args()
    config, built = EmbeddedBaseConfig(), read_about(EMBEDDED_BASE)["validation"]
    world = SimulatedPopulation(config)
    found = {}
    for task in TASKS:
        draws = Draws([STREAM, config.seed, HELD_OUT, len(task), 3])
        writers = [
            world.writer(config.annotators + draws.index(1000)) for _ in range(given.annotators)
        ]
        items = [draw_item(task, draws) for _ in range(given.items)]
        shares = np.array(
            [[label_shares(task, item, w.spec, w.label_bias) for item in items] for w in writers]
        )
        found[task] = {
            "nothing": summary(shares, shares.mean(axis=(0, 1), keepdims=True)),
            "annotator": summary(shares, shares.mean(axis=1, keepdims=True)),
            "item": summary(shares, shares.mean(axis=0, keepdims=True)),
            "both": summary(shares, shares),
            "embedded base, nats": {
                form: round(built[form][task]["label"], 3)
                for form in built
                if "label" in built[form].get(task, {})
            },
        }
    report({"settings": vars(given), "known": found})


def summary(shares: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return nats per label and accuracy of a prediction.

    Args:
        shares: probabilities of labels [annotators, items, labels]; `predicted` broadcasts to it.
    """
    predicted = np.broadcast_to(predicted, shares.shape)
    nats = -(shares * np.log(np.clip(predicted, 1e-12, 1))).sum(axis=-1).mean()
    likeliest = predicted.argmax(axis=-1)[..., None]
    right = np.take_along_axis(shares, likeliest, axis=-1).mean()
    return {"nats": round(float(nats), 3), "right": round(float(right), 3)}


if __name__ == "__main__":
    main()
