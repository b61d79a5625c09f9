"""Files in the format safetensors, written tensor by tensor.

`safetensors.torch.save` holds the whole file in memory twice, and where memory ends its library
panics with an error that is no `Exception`. What is written here has the same bytes, and needs no
memory beyond one tensor that is not on the CPU or not contiguous.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO

import torch
from torch import Tensor

# The names of number types in a file, in the order in which its tensors come.
_TYPES: Mapping[torch.dtype, str] = MappingProxyType({
    torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
})  # fmt: skip
_ORDER = tuple(_TYPES)


def write_tensors(
    file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write `tensors` and `metadata` to `file` in the format safetensors.

    Raises:
        ValueError: a tensor is of a number type that is not in `_TYPES`.
    """
    names = sorted(tensors, key=lambda name: (_ORDER.index(tensors[name].dtype), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in names:
        tensor, begin = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in names:
        data = tensors[name].detach().cpu().contiguous().reshape(-1)
        if data.numel():
            file.write(memoryview(data.view(torch.uint8).numpy()))
