"""Classifiers of label distributions: models, training and prediction.

`Classifier` fine-tunes an encoder on both texts as one sequence. `TwoTextClassifier` trains a
linear head on [u, v, |u − v|, u · v] (element-wise), u and v the sentence vectors of the two texts
(Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations from Natural
Language Inference Data", section 2); the encoder is frozen, so that its vectors are computed once
for all trainings, and a few hundred items fit about a thousand weights, not millions.

torch is imported inside the functions, so that reading results does not need it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.distributions.soft_label_data import (
    APART,
    KL,
    LAST,
    MINILM,
    SoftLabelConfig,
    SoftSet,
    find_encoder,
    scores,
)
from capo_core.errors import BackendUnavailable, ConfigError, RunError
from capo_core.text.embeddings import DEFAULT_MODEL, Embedder
from capo_core.workspace import make_folder, write_json

Pairs = Sequence[tuple[str, str]]
_EMBEDDED_AT_ONCE = 4096


def embedder_of(encoder: str, cache: Path | None) -> Embedder:
    """Return the sentence embedder of `encoder`.

    A folder's vectors are not kept on disk: its files may change under the same name.

    Raises:
        ConfigError: there is no such folder. BackendUnavailable: the encoder is not here.
    """
    place = find_encoder(encoder)
    if encoder == MINILM:
        return Embedder(cache, DEFAULT_MODEL)
    return Embedder(None if Path(place).is_dir() else cache, place)


@dataclass
class PairFeatures:
    """Features of pairs; each text is embedded once.

    Attributes:
        embed: unit vectors of texts, [texts, dim].
    """

    embed: Callable[[Sequence[str]], np.ndarray]
    known: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __call__(self, pairs: Pairs) -> np.ndarray:
        """Return features, float32 [pairs, 4 · dim], or [pairs, dim] where no pair has a second
        text.

        Vectors are scaled so that their numbers are about 1 each: products of unit vectors would
        be too small to be learned from at one rate with the vectors themselves.
        """
        u = self._vectors([first for first, _ in pairs])
        if not any(second for _, second in pairs):
            return u
        v = self._vectors([second for _, second in pairs])
        return np.hstack([u, v, np.abs(u - v), u * v])

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            vectors = np.asarray(self.embed(new), dtype=np.float32)
            self.known.update(zip(new, vectors * np.float32(vectors.shape[1] ** 0.5), strict=True))
        return np.stack([self.known[text] for text in texts])


@dataclass
class TwoTextClassifier:
    """Linear head on the features of pairs; has the interface of `Classifier`.

    Attributes:
        model: torch.nn.Linear, [features] → [labels].
        cut: None: the encoder cuts texts by itself and does not say which.
    """

    model: Any
    features: PairFeatures
    encoder: str
    labels: tuple[str, ...]
    cut: None = None

    def logits(self, pairs: Pairs) -> Any:
        """Return logits, a tensor [pairs, labels]."""
        import torch

        return self.model(torch.from_numpy(self.features(pairs)))

    def predict(self, pairs: Pairs) -> np.ndarray:
        """Return distributions [pairs, labels], float64."""
        import torch

        with torch.inference_mode():
            parts = [
                self.logits(pairs[start : start + _EMBEDDED_AT_ONCE]).double().softmax(-1).numpy()
                for start in range(0, len(pairs), _EMBEDDED_AT_ONCE)
            ]
        return np.concatenate(parts)

    def lengths(self, pairs: Pairs) -> np.ndarray:
        """Return equal lengths [pairs]: all pairs cost the same."""
        return np.ones(len(pairs), dtype=int)

    def save(self, folder: Path) -> None:
        """Write head.safetensors (weight [labels, features], bias) and head.json (metadata)."""
        from safetensors.torch import save_file

        make_folder(folder)
        save_file(self.model.state_dict(), folder / "head.safetensors")
        write_json(
            folder / "head.json",
            {"encoder": self.encoder, "labels": list(self.labels),
             "features": "u, v, |u - v|, u * v of unit sentence vectors times sqrt(dim)"},
        )  # fmt: skip


def load_two_text_classifier(
    encoder: str, labels: Sequence[str], features: PairFeatures, pairs: Pairs
):
    """Return a zero-initialised head: a uniform prediction for every item.

    With more features than items, a random initialisation would stay in the predictions as
    noise.
    """
    import torch

    head = torch.nn.Linear(features(pairs).shape[1], len(labels))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return TwoTextClassifier(head, features, encoder, tuple(labels))


# Called after every epoch with its number, mean training loss and scores on the development set
# (none where the last epoch is kept anyway); may raise `Stopped`.
Told = Callable[[int, float, dict[str, float]], None]
# Called before every step with the share done; may raise `Stopped`.
Step = Callable[[float], None]
_PREDICTED_AT_ONCE = 64


@dataclass
class Classifier:
    """Sequence classifier that reads both texts together, and its tokenizer.

    Attributes:
        cut: training items that were longer than `max_length` tokens.
    """

    model: Any
    tokenizer: Any
    max_length: int
    cut: int = 0

    def predict(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return distributions [pairs, labels], float64."""
        import torch

        self.model.eval()
        # Neighbours in length share a batch, so that little is padded.
        order = sorted(range(len(pairs)), key=lambda k: -len(pairs[k][0]) - len(pairs[k][1]))
        found = np.empty((len(pairs), self.model.config.num_labels))
        with torch.inference_mode():
            for start in range(0, len(order), _PREDICTED_AT_ONCE):
                rows = order[start : start + _PREDICTED_AT_ONCE]
                logits = self.logits([pairs[row] for row in rows])
                found[rows] = logits.double().softmax(-1).cpu().numpy()
        return found

    def logits(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return logits, a tensor [pairs, labels]."""
        return self.model(**self.encode(pairs)).logits

    def encode(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Return a batch of token ids on the model's device."""
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        made = self.tokenizer(
            first, second if any(second) else None, truncation="longest_first", padding=True,
            max_length=self.max_length, return_tensors="pt",
        )  # fmt: skip
        return {name: each.to(self.model.device) for name, each in made.items()}

    def lengths(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the number of tokens of each pair before truncation, [pairs]."""
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        made = self.tokenizer(first, second if any(second) else None)["input_ids"]
        return np.array([len(ids) for ids in made])

    def save(self, folder: Path) -> None:
        """Write the model in the layout of transformers, weights as safetensors."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def load_classifier(config: SoftLabelConfig, labels: Sequence[str], seed: int) -> Classifier:
    """Return the encoder with a new head, initialised by `seed`; code that comes with a model is
    never run.

    Raises:
        ConfigError: the files are no encoder that can be used.
        BackendUnavailable: it is not here, and the hub does not give it.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # that the head is new is what is wanted
    place = find_encoder(config.encoder)
    torch.manual_seed(seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            place, num_labels=len(labels), trust_remote_code=False, use_safetensors=True,
            ignore_mismatched_sizes=True, dtype=torch.float32,
            id2label=dict(enumerate(labels)),
            label2id={label: k for k, label in enumerate(labels)},
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        kind = ConfigError if Path(place).is_dir() else BackendUnavailable
        raise kind(
            f"the encoder {config.encoder!r} cannot be loaded ({first})",
            expected="a model for sequence classification with weights in safetensors",
            todo="check the name and the connection, or use 'minilm', which ships along",
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and config.max_length > longest:
        raise ConfigError(
            f"max length is {config.max_length}, but {config.encoder} reads {longest} tokens",
            todo="lower the maximum length (--max-length)",
        )
    return Classifier(model.to(device), tokenizer, config.max_length)


def train_classifier(
    config: SoftLabelConfig,
    train: SoftSet,
    development: SoftSet,
    seed: int,
    *,
    features: PairFeatures | None = None,
    told: Told = lambda epoch, loss, found: None,
    step: Step = lambda share: None,
) -> tuple[Classifier | TwoTextClassifier, int]:
    """Train a classifier on the distributions of `train`; return it with its selected epoch.

    The loss is the cross-entropy of the predicted distribution under the true one, averaged over a
    batch: for a single label the usual one. The epoch that is best on `development` is kept, as
    `SoftLabelConfig.select` says.

    Args:
        features: reading apart: of pairs of texts; those of several trainings are made once where
            all are given the same object.

    Raises:
        RunError: the loss is NaN.
        Stopped: raised by `told` or `step`.
    """
    import torch
    from transformers import get_linear_schedule_with_warmup

    if config.reading == APART:
        features = features or PairFeatures(embedder_of(config.encoder, None))
        made = load_two_text_classifier(config.encoder, train.labels, features, train.pairs)
        lengths = made.lengths(train.pairs)
    else:
        made = load_classifier(config, train.labels, seed)
        lengths = made.lengths(train.pairs)
        made.cut = int((lengths > config.max_length).sum())
    model = made.model
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    per_epoch = math.ceil(len(train) / config.batch_size)
    steps = per_epoch * config.epochs
    schedule = get_linear_schedule_with_warmup(optimiser, round(config.warmup * steps), steps)
    targets = torch.tensor(
        train.shares, dtype=torch.float32, device=next(model.parameters()).device
    )
    drawn = np.random.default_rng(seed)
    best: tuple[float, int, dict[str, Any]] | None = None
    done = 0
    for epoch in range(1, config.epochs + 1):
        total = 0.0
        for rows in batches_of(lengths, config.batch_size, drawn):
            step(done / steps)
            model.train()
            logits = made.logits([train.pairs[row] for row in rows])
            loss = torch.nn.functional.cross_entropy(logits, targets[rows])
            if not torch.isfinite(loss):
                raise RunError(
                    f"the loss is not a number in epoch {epoch}",
                    todo="lower the learning rate (--learning-rate)",
                )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
            done += 1
        # Where the last epoch is kept anyway, the development set need not be gone through.
        found = {}
        if config.select != LAST:
            found = scores(development.shares, made.predict(development.pairs))
        told(epoch, total / len(train), found)
        worth = _worth(found, config.select, epoch)
        if best is None or worth > best[0]:
            kept = {
                name: value.detach().cpu().clone() for name, value in model.state_dict().items()
            }
            best = (worth, epoch, kept)
    model.load_state_dict(best[2])
    return made, best[1]


def batches_of(lengths: np.ndarray, size: int, rng: np.random.Generator) -> list[list[int]]:
    """Yield all rows once, in random batches of `size` (the last may be smaller), in random order.

    Of every eight batches' rows those of like length come together, so that little is padded.
    """
    order, batches = rng.permutation(len(lengths)), []
    for start in range(0, len(order), 8 * size):
        group = order[start : start + 8 * size]
        group = group[np.argsort(lengths[group], kind="stable")]
        batches += [group[at : at + size].tolist() for at in range(0, len(group), size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def _worth(found: dict[str, float], select: str, epoch: int) -> float:
    """Return the selection score of an epoch; higher is better."""
    if select == LAST:
        return float(epoch)
    return -found[KL] if select == KL else found[select]
