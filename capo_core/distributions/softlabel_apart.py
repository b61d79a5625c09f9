"""A classifier that reads an item's two texts apart: a head on the sentence vectors of an encoder.

The features of a pair are [u, v, |u − v|, u · v] (by number), u and v the vectors of its texts
(Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations from Natural
Language Inference Data", section 2). The encoder stays as it is, so that its vectors are made once
for all trainings, and a few hundred items teach what they can: a thousand numbers, not millions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.distributions.encoder_files import MINILM, find_encoder
from capo_core.text.embed import DEFAULT_MODEL, Embedder
from capo_core.workspace import make_folder, write_json

Pairs = Sequence[tuple[str, str]]
_PREDICTED_AT_ONCE = 4096


def embedder_of(encoder: str, cache: Path | None) -> Embedder:
    """What gives the sentence vectors of `encoder`.

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
        """float32 [pairs, 4 · dim], or [pairs, dim] where no pair has a second text.

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
class ApartClassifier:
    """A linear head on the features of pairs; see `softlabel_model.Classifier` for its use.

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
        """Tensor [pairs, labels]."""
        import torch

        return self.model(torch.from_numpy(self.features(pairs)))

    def predict(self, pairs: Pairs) -> np.ndarray:
        """Distributions [pairs, labels], float64."""
        import torch

        with torch.inference_mode():
            parts = [
                self.logits(pairs[start : start + _PREDICTED_AT_ONCE]).double().softmax(-1).numpy()
                for start in range(0, len(pairs), _PREDICTED_AT_ONCE)
            ]
        return np.concatenate(parts)

    def lengths(self, pairs: Pairs) -> np.ndarray:
        """All alike: no pair costs more than another, [pairs]."""
        return np.ones(len(pairs), dtype=int)

    def save(self, folder: Path) -> None:
        """head.safetensors: weight [labels, features] and bias; head.json: what they belong to."""
        from safetensors.torch import save_file

        make_folder(folder)
        save_file(self.model.state_dict(), folder / "head.safetensors")
        write_json(
            folder / "head.json",
            {"encoder": self.encoder, "labels": list(self.labels),
             "features": "u, v, |u - v|, u * v of unit sentence vectors times sqrt(dim)"},
        )  # fmt: skip


def load_apart(encoder: str, labels: Sequence[str], features: PairFeatures, pairs: Pairs):
    """A head that says nothing yet: all labels alike for every item.

    It begins at zero, not at random: with more features than items a random beginning stays in the
    answers, as noise that no training item speaks against.
    """
    import torch

    head = torch.nn.Linear(features(pairs).shape[1], len(labels))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return ApartClassifier(head, features, encoder, tuple(labels))
