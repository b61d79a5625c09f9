"""Memory: available on this machine, and used by this process; without importing torch."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (  # limit and use, of cgroups version 2 and 1
    (_CGROUP / "memory.max", _CGROUP / "memory.current"),
    (_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.usage_in_bytes"),
)


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes, since its start or `forget_peak`."""
    with suppress(OSError, ValueError, IndexError, StopIteration):
        return _field(Path("/proc/self/status"), "VmHWM") * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> None:
    """Reset the peak, where the system allows it; elsewhere nothing happens."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def gpu_peak_bytes() -> int:
    """Return the peak memory of this process on its GPUs in bytes; 0 where it used none."""
    torch = sys.modules.get("torch")
    # The heartbeat may call this while another thread is importing torch.
    with suppress(AttributeError, ImportError, RuntimeError):
        if torch is not None and torch.cuda.is_initialized():
            devices = range(torch.cuda.device_count())
            return sum(torch.cuda.max_memory_allocated(device) for device in devices)
    return 0


def available_bytes() -> int:
    """Return the bytes that can be had now, within the limits of a container and of `ulimit -v`."""
    free = [_machine_free(), _limit_free()]
    for limit, use in _LIMITS:
        with suppress(OSError, ValueError):
            free.append(int(limit.read_text("ascii")) - int(use.read_text("ascii")))
    return max(0, min(free))


def _limit_free() -> int:
    """Return what is left of the limit on this process's addresses, which its children inherit."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    with suppress(OSError, ValueError, IndexError, StopIteration):
        return limit - _field(Path("/proc/self/status"), "VmSize") * 1024
    return limit


def _machine_free() -> int:
    with suppress(OSError, ValueError, IndexError, StopIteration):
        return _field(Path("/proc/meminfo"), "MemAvailable") * 1024
    # Elsewhere the free memory is not reported: assume all of it.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _field(path: Path, name: str) -> int:
    """Return the number after `name:` in a file of /proc."""
    lines = path.read_text("ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
