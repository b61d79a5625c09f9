"""Several processes as one: Accelerate connects them, here they divide the work.

    accelerate launch --multi_gpu --num_processes 4 -m capo_core train …    several GPUs
    torchrun --nproc_per_node 2 -m capo_core train …                        also without a GPU

(`accelerate launch --cpu --num_processes 2` starts two processes through MPI alone, and without
it one.)

Each process holds the whole base model and its own copy of the adapter, takes its share of a
step's items, and adds its gradient to the others' (data parallelism). The adapter is small, so
that one sum of all gradients a step is cheap; and because models are called by the scoring engines
and not by their own `forward`, no wrapper around the model could intercept the call.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import DistributedType, broadcast_object_list
from torch import Tensor

from capo_core.errors import CapoError, ConfigError
from capo_core.run_folder import RunFolder

# One process may score the whole reference, or generate, while the others wait.
PATIENCE = timedelta(hours=12)
T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes of this training; with one process everything here is trivial."""

    accelerator: Accelerator

    @classmethod
    def start(cls) -> Processes:
        """Join the processes of `accelerate launch`, or run as a single process.

        Raises:
            ConfigError: a way of dividing the model itself is configured (FSDP, DeepSpeed, …).
        """
        waiting = InitProcessGroupKwargs(timeout=PATIENCE)
        accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision="no", kwargs_handlers=[waiting]
        )
        kind = accelerator.distributed_type
        if kind not in (
            DistributedType.NO,
            DistributedType.MULTI_CPU,
            DistributedType.MULTI_GPU,
        ):
            raise ConfigError(
                f"Accelerate is configured for {kind.value}",
                expected="several processes that each hold the whole model (multi-GPU, multi-CPU)",
                todo="run `accelerate config` again, or give --multi_gpu to `accelerate launch`; "
                "a base that is too large for one GPU may fit in 4 bits (quantise)",
            )
        if accelerator.num_processes > 1:
            # Connections still open when Python ends abort the process.
            atexit.unregister(_leave_group)
            atexit.register(_leave_group)
        return cls(accelerator)

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    @property
    def main(self) -> bool:
        """Return whether this is the process that writes files."""
        return self.accelerator.is_main_process

    @property
    def index(self) -> int:
        return self.accelerator.process_index

    @property
    def count(self) -> int:
        return self.accelerator.num_processes

    def on_main(self, work: Callable[[], T]) -> T:
        """Run `work()` in the main process alone; all get its value or its `CapoError`."""
        if self.count == 1:
            return work()
        answer: list[Any] = [None, None]
        if self.main:
            try:
                answer[0] = work()
            except CapoError as error:
                answer[1] = error
        value, error = broadcast_object_list(answer)
        if error is not None:
            raise error
        return value

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over all processes."""
        return values if self.count == 1 else self.accelerator.reduce(values, reduction="sum")

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Add up the parameters' gradients over all processes, in place."""
        if self.count == 1:
            return
        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:  # a process without items in this step
                parameter.grad = torch.zeros_like(parameter)
        flat = self.sum(torch.cat([parameter.grad.reshape(-1) for parameter in parameters]))
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.grad.copy_(flat[start:end].view_as(parameter))
            start = end

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.accelerator.wait_for_everyone()

    def hold(self, folder: RunFolder):
        """Return a context that locks the run for this training; the main process holds the lock.

        Where it cannot be had, all processes get the `RunError`.
        """
        if self.count == 1:
            return folder.lock()
        lock = folder.lock()
        self.on_main(lambda: lock.__enter__())
        return _Entered(lock) if self.main else nullcontext()


@dataclass(frozen=True)
class _Entered:
    """A context that was entered already."""

    context: Any

    def __enter__(self) -> None:
        return None

    def __exit__(self, *details: Any) -> None:
        self.context.__exit__(*details)


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
