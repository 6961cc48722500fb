"""What the server's processes used: CPU seconds and memory by role."""

import contextlib
from collections.abc import Mapping

import psutil

from tests.client.processes import Processes, Role


def read_cpu_seconds(processes: Processes) -> dict[str, float]:
    """User and system time so far of the living processes, by role."""
    return {str(role): sum(map(_cpu_seconds, pids)) for role, pids in processes.by_role().items()}


def subtract(later: Mapping[str, float], earlier: Mapping[str, float]) -> dict[str, float]:
    """What each role used in between; a process that was restarted counts from its start."""
    return {role: max(0.0, later[role] - earlier[role]) for role in later}


def read_gateway_memory(processes: Processes) -> float:
    """Memory of all gateway processes in KiB; pages that processes share are counted once (PSS)."""
    return sum(map(_memory_kib, processes.pids(Role.GATEWAY)))


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return 0.0


def _memory_kib(pid: int) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        memory = psutil.Process(pid).memory_full_info()
        return float(getattr(memory, "pss", memory.uss)) / 1024
    return 0.0
