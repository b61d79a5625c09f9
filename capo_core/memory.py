"""Memory: available on this machine, and used by this process; without importing torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# Limit, use, and the pages of files that the system gives back when memory is needed.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes, since its start."""
    with suppress(OSError, ValueError, IndexError, StopIteration):
        return _field(Path("/proc/self/status"), "VmHWM") * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


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
    return max(0, min(_machine_free(), _limit_free(), *_cgroups_free()))


def ulimit_binds() -> bool:
    """Return whether `ulimit -v` leaves less than the machine and its containers do."""
    return _limit_free() < min(_machine_free(), *_cgroups_free())


def _cgroups_free() -> Iterator[int]:
    """Return what each cgroup of this process has left, from its own up to the root.

    A limit holds for all groups below it. Pages of files that are not in use count as free.
    """
    for folder, (limit, use, reclaimable) in _cgroup_folders():
        with suppress(OSError, ValueError):
            free = int((folder / limit).read_text("ascii"))
            free -= int((folder / use).read_text("ascii"))
            with suppress(OSError, ValueError, StopIteration, IndexError):
                free += _field(folder / "memory.stat", reclaimable, "")
            yield free


def _cgroup_folders() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Return the folders of this process's cgroups and of those above, with their files."""
    try:
        lines = _OWN_CGROUPS.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    # In a container the path may be that of the host, and only the root be there.
    paths = [("0", "", "/"), ("", "memory", "/"), *(line.split(":", 2) for line in lines)]
    seen = set()
    for number, controllers, path in (each for each in paths if len(each) == 3):
        roots = [_CGROUP, _CGROUP / "unified"] if number == "0" else [_CGROUP / "memory"]
        if number != "0" and "memory" not in controllers.split(","):
            continue
        for root in roots:
            folder = root / path.strip("/")
            for each in (folder, *folder.parents):
                if each.is_relative_to(root) and each not in seen:
                    seen.add(each)
                    yield each, _V2 if number == "0" else _V1


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


def _field(path: Path, name: str, mark: str = ":") -> int:
    """Return the number after `name:` in a file of /proc, or after `name` in one of a cgroup."""
    lines = path.read_text("ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}{mark or ' '}")).split()[1])
