"""Where the tokens of a batch stand in the model's input, and where each is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from capo_core.imitation.render import Rendered


@dataclass(frozen=True)
class Layout:
    """A batch of B rows of T places, with P targets.

    Attributes:
        ids [B, T]: token ids, padded on the right.
        positions [B, T]: position of each token in its own text.
        segments [B, T]: 0 for the prompt, k for the k-th branch after it, -1 for padding.
        rows, columns [P]: the place whose output predicts each target.
        targets [P]: token ids.
        owner, place [P]: which response of the batch a target belongs to, and where in it.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    rows: Tensor
    columns: Tensor
    targets: Tensor
    owner: Tensor
    place: Tensor

    def to(self, device: torch.device) -> Layout:
        """The same on another device."""
        return Layout(*(getattr(self, field.name).to(device) for field in fields(self)))


def lay_out(rows: Sequence[Rendered], pad_id: int) -> Layout:
    """One row an entry: its prompt, then its responses as branches, each without its last token.

    The last token of a response (its end) is predicted but predicts nothing, so it is not run
    through the model. The first token of every branch is predicted at the prompt's last place.
    """
    lines = [_line(row) for row in rows]
    width = max(len(line[0]) for line in lines)
    ids = np.full((len(rows), width), pad_id)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    segments = np.full((len(rows), width), -1)
    for number, (tokens, position, segment, _) in enumerate(lines):
        ids[number, : len(tokens)] = tokens
        positions[number, : len(tokens)] = position
        segments[number, : len(tokens)] = segment
    responses = [response for row in rows for response in row.responses]
    lengths = [len(response) for response in responses]
    per_row = [len(line[3]) for line in lines]
    parts = (
        ids,
        positions,
        segments,
        np.repeat(np.arange(len(rows)), per_row),
        np.concatenate([line[3] for line in lines]),
        np.concatenate(responses),
        np.repeat(np.arange(len(responses)), lengths),
        np.concatenate([np.arange(length) for length in lengths]),
    )
    return Layout(*(torch.from_numpy(part) for part in parts))


def one_row_each(batch: Sequence[Rendered]) -> list[Rendered]:
    """Every response in a row of its own, behind its own copy of the prompt."""
    return [Rendered(item.prompt, (response,)) for item in batch for response in item.responses]


def _line(row: Rendered) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of one row: tokens [t], positions [t], segments [t], columns that predict its targets [p]."""
    start = len(row.prompt)
    branches = [len(response) - 1 for response in row.responses]
    lengths = np.array([start, *branches])
    begins = np.cumsum(lengths) - lengths
    tokens = np.concatenate([row.prompt, *(response[:-1] for response in row.responses)])
    segments = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(tokens))
    positions = places - begins[segments] + np.where(segments > 0, start, 0)
    columns = [
        np.r_[start - 1, begin : begin + length]
        for begin, length in zip(begins[1:], branches, strict=True)
    ]
    return tokens.astype(np.int64), positions, segments, np.concatenate([*columns, []]).astype(int)
