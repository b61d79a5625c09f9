"""Tensor files: the bytes of the library, without its memory and its panics."""

import io
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load, save

from capo_core.errors import RunError
from capo_core.imitation.models.errors import memory_errors
from capo_core.imitation.models.tensor_file import write_tensors

TYPES = (
    torch.int64, torch.float64, torch.float32, torch.int32, torch.bfloat16, torch.float16,
    torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip


def written(tensors, metadata=None) -> bytes:
    file = io.BytesIO()
    write_tensors(file, tensors, metadata)
    return file.getvalue()


def test_the_bytes_are_those_of_safetensors():
    tensors = {f"b/{n}": torch.ones(2, 3).to(dtype) for n, dtype in enumerate(TYPES)}
    tensors |= {"a": torch.arange(5.0), "ä": torch.tensor(7.0), "leer": torch.zeros(0, 4)}
    assert written(tensors) == save(tensors)
    assert written(tensors, {"counters": '{"step":1}'}) == save(tensors, {"counters": '{"step":1}'})
    assert written({}) == save({})


def test_a_view_is_written_as_it_reads():
    whole = torch.arange(12.0).reshape(3, 4)
    assert torch.equal(load(written({"turned": whole.T}))["turned"], whole.T)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not enforce the limit")
def test_writing_needs_no_memory_of_the_size_of_the_file(tmp_path):
    """`safetensors.torch.save` fails here: with MemoryError, or with a panic of its library."""
    code = (
        "import resource, sys, torch\n"
        "from capo_core import memory\n"
        "from capo_core.imitation.models.tensor_file import write_tensors\n"
        "tensors = {'a': torch.zeros(40_000_000), 'b': torch.ones(3)}\n"
        "used = memory._field(memory.Path('/proc/self/status'), 'VmSize') * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000,) * 2)\n"
        "with open(sys.argv[1], 'wb') as file: write_tensors(file, tensors)\n"
    )
    path = tmp_path / "a.safetensors"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=300)
    assert path.stat().st_size > 160_000_000


def test_a_panic_for_want_of_memory_is_the_error_of_too_little_memory():
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(RunError, match="not enough memory"), memory_errors("run-1"):
        raise panic("PyObject pointer is null")
    with pytest.raises(panic), memory_errors("run-1"):
        raise panic("index out of bounds")


def test_what_onednn_says_where_memory_ends_is_no_trace():
    with pytest.raises(RunError, match="not enough memory"), memory_errors("run-1"):
        raise RuntimeError("could not create a primitive")
    with pytest.raises(RuntimeError, match="descriptor"), memory_errors("run-1"):
        raise RuntimeError("could not create a primitive descriptor for a matmul")
