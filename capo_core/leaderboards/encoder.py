"""Soft-label network with annotator embeddings, on the features of the soft-label encoder.

Features are those of `distributions.soft_label_models.PairFeatures` (frozen sentence vectors of
both texts; of an explanation, its own). A hidden layer that all annotators share gets each
annotator's embedding added, and the output each annotator's own offset, so that an annotator is a
point in the layer's space (as in Deng et al. 2023, "You Are What You Annotate", EMNLP Findings).
The loss is the cross-entropy of the annotator's labels, over every cell. The number of epochs is
chosen on the development part (or on a fifth of the items where there is no training part), then
both parts are learned. Probabilities are averaged over seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from capo_core.distributions.soft_label_models import PairFeatures
from capo_core.leaderboards.boards import CONTENT, SEVERAL
from capo_core.leaderboards.cells import GivenTask
from capo_core.leaderboards.systems import (
    SHRINK,
    Prediction,
    Resources,
    annotator_means,
    label_targets,
    system,
)

HIDDEN, DROPOUT, BATCH, RATE, DECAY, EPOCHS = 64, 0.3, 64, 1e-3, 0.01, 30


@system(
    "encoder",
    "Soft-label encoder, annotator embeddings",
    "A hidden layer on frozen sentence vectors (all-MiniLM-L6-v2) with an embedding and an offset "
    "for each annotator, trained on every annotator's labels; mean over seeds.",
    torch=True,
)
def encoder(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return the network's prediction of the test cells, averaged over seeds."""
    board, learn, test = task.board, task.learn, task.test
    make = PairFeatures(lambda texts: resources.embedder(list(texts), resources.progress))
    several = board.kind == SEVERAL and track == CONTENT
    if track == CONTENT:
        features = make(task.texts)
        targets, rows = label_targets(learn, board.kind), learn.item
        item, annotator = learn.item, learn.annotator
        asked, cell = test.item, np.arange(len(test))
    else:
        at = [n for n, said in enumerate(learn.explanations) for _ in said]
        cell = np.array([n for n, said in enumerate(test.explanations) for _ in said], dtype=int)
        texts = [text for said in (*learn.explanations, *test.explanations) for text in said]
        features = make([(text, "") for text in texts])
        targets = np.eye(len(board.labels))[[k for named in learn.labels for k in named]]
        rows, asked = np.arange(len(at)), np.arange(len(at), len(texts))
        item, annotator = learn.item[at], learn.annotator[at]
    means = annotator_means(learn, board.kind, len(task.annotators), SHRINK)
    held = task.development[item]
    if held.all():
        items = np.unique(item)
        fifth = np.random.default_rng(0).permutation(items)[: max(1, len(items) // 5)]
        held = np.isin(item, fifth)
    who = test.annotator[cell]
    found, epochs = [], []
    for seed in resources.seeds:
        data = (features, rows, annotator, targets)
        fitted = _train(data, ~held, held, EPOCHS, means, several, seed)
        epochs.append(1 + int(np.argmin(fitted[1])))
        everything = np.ones(len(rows), dtype=bool)
        net, _ = _train(data, everything, None, epochs[-1], means, several, seed)
        found.append(_chances(net, features[asked], who, several))
    raw = np.mean(found, axis=0)
    chances = raw if track == CONTENT else _joined(raw, cell, means[test.annotator], board.kind)
    return Prediction(
        chances, f"Epochs chosen on held-out items: {', '.join(map(str, epochs))} (by seed)."
    )


def _joined(raw: np.ndarray, cell: np.ndarray, prior: np.ndarray, kind: str) -> np.ndarray:
    """Return cells' probabilities of their explanations': a label is given unless none is for it;
    a cell without an explanation has its annotator's mean."""
    none = np.ones(prior.shape)
    np.multiply.at(none, cell, 1 - raw)
    found = np.where(np.isin(np.arange(len(prior)), cell)[:, None], 1 - none, prior)
    return found if kind == SEVERAL else found / found.sum(axis=1, keepdims=True)


def _train(
    data: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    learned: np.ndarray,
    held: np.ndarray | None,
    epochs: int,
    means: np.ndarray,
    several: bool,
    seed: int,
) -> tuple[Any, list[float]]:
    """Return the trained network and its loss on the held-out rows after each epoch."""
    import torch

    features, rows, annotator, targets = data
    torch.manual_seed(seed)
    net = _network(features.shape[1], means, several)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    x = torch.from_numpy(np.asarray(features, dtype=np.float32))
    row, who = torch.from_numpy(rows), torch.from_numpy(annotator)
    y = torch.from_numpy(targets.astype(np.float32))
    loss_of = (
        torch.nn.functional.binary_cross_entropy_with_logits
        if several
        else torch.nn.functional.cross_entropy
    )
    order, losses = torch.from_numpy(np.flatnonzero(learned)), []
    drawn = torch.Generator().manual_seed(seed)
    for _epoch in range(epochs):
        net.train()
        mixed = order[torch.randperm(len(order), generator=drawn)]
        for at in mixed.split(BATCH):
            loss = loss_of(net(x[row[at]], who[at]), y[at])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if held is not None:
            net.eval()
            there = torch.from_numpy(np.flatnonzero(held))
            with torch.inference_mode():
                losses.append(float(loss_of(net(x[row[there]], who[there]), y[there])))
    net.eval()
    return net, losses


def _network(width: int, means: np.ndarray, several: bool) -> Any:
    """Return a network whose first prediction is each annotator's own mean distribution."""
    import torch

    class AnnotatorNetwork(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Linear(width, HIDDEN)
            self.embedding = torch.nn.Embedding(len(means), HIDDEN)
            self.out = torch.nn.Linear(HIDDEN, means.shape[1], bias=False)
            self.offset = torch.nn.Embedding(len(means), means.shape[1])
            self.drop = torch.nn.Dropout(DROPOUT)
            torch.nn.init.zeros_(self.embedding.weight)
            torch.nn.init.zeros_(self.out.weight)
            clipped = np.clip(means, 1e-3, 1 - 1e-3)
            logits = np.log(clipped / (1 - clipped)) if several else np.log(clipped)
            with torch.no_grad():
                self.offset.weight.copy_(torch.from_numpy(logits.astype(np.float32)))

        def forward(self, x: Any, who: Any) -> Any:
            h = torch.relu(self.hidden(self.drop(x)) + self.embedding(who))
            return self.out(self.drop(h)) + self.offset(who)

    return AnnotatorNetwork()


def _chances(net: Any, x: np.ndarray, who: np.ndarray, several: bool) -> np.ndarray:
    """Return probabilities [rows, L], float64."""
    import torch

    with torch.inference_mode():
        logits = net(torch.from_numpy(np.asarray(x, dtype=np.float32)), torch.from_numpy(who))
        made = logits.double().sigmoid() if several else logits.double().softmax(-1)
    return made.numpy()
