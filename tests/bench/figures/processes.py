"""Starting, timing and watching the processes that are measured."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 120


@dataclass
class Binaries:
    tracer: Path
    demo: Path
    programs: Path  # the folder of graph_bench, sweep_bench, blocked and lock_bench


@dataclass
class Run:
    """One command from start to end."""

    first_line: float  # seconds until its first output; to the end if it has none
    exit: float
    cpu: float
    status: int
    output: str
    resident: float  # bytes, at most: of it or of the largest process that it has waited for


def run_timed(command: list[str], folder: Path) -> Run:
    """posix_spawn and no shell: what the harness adds is well under a millisecond."""
    read_end, write_end = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    environment = {**os.environ, "DEBUGINFOD_URLS": ""}  # gdb is not to ask the network
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, write_end, 1),
        (os.POSIX_SPAWN_DUP2, null, 2),
        (os.POSIX_SPAWN_CLOSE, read_end),
    ]
    before = os.getcwd()
    os.chdir(folder)
    begin = time.monotonic()
    pid = os.posix_spawnp(command[0], command, environment, file_actions=actions)
    os.close(write_end)
    os.close(null)
    first = None
    chunks = []
    while chunk := os.read(read_end, 1 << 20):
        if first is None:
            first = time.monotonic() - begin
        chunks.append(chunk)
    _, status, usage = os.wait4(pid, 0)
    end = time.monotonic() - begin
    os.close(read_end)
    os.chdir(before)
    return Run(
        first if first is not None else end,
        end,
        usage.ru_utime + usage.ru_stime,
        os.waitstatus_to_exitcode(status),
        b"".join(chunks).decode(errors="replace"),
        usage.ru_maxrss * 1024,
    )


@contextlib.contextmanager
def target(command: list[str]) -> Iterator[int]:
    """A program that prints READY once it is in its state; yields its pid."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while (line := process.stdout.readline()) and time.monotonic() < deadline:
            if line == "READY\n":
                break
        else:
            raise RuntimeError(f"{command[0]} did not become ready")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def switch_counts(pid: int) -> dict[int, int]:
    """Voluntary and involuntary switches of each of its threads."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        found = re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())
        counts[int(task.name)] = sum(map(int, found))
    return counts


def cpu_seconds(pid: int) -> float:
    """Of all its threads that live, to the nanosecond; /proc/PID/stat has ticks of 10 ms."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def memory_bytes(pid: int) -> tuple[int, int]:
    """Its peak resident size (VmHWM) and its proportional share now (PSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    peak = int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1))
    share = int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1))
    return peak * 1024, share * 1024


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Tracer:
    """The default trace of the whole host, with its reader process."""

    def __init__(self, binaries: Binaries, folder: Path):
        self._answer, self._messages = folder / "tracer.out", folder / "tracer.err"
        with open(self._answer, "w") as out, open(self._messages, "w") as err:
            self._process = subprocess.Popen(
                [str(binaries.tracer)], cwd=folder, stdout=out, stderr=err)
        time.sleep(1)
        if self._process.poll() is not None:
            raise RuntimeError(f"the tracer ended: {self._messages.read_text()}")
        self.pids = [self._process.pid, *children(self._process.pid)]

    def __enter__(self) -> "Tracer":
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def pause(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        while any(state_of(pid) != "T" for pid in self.pids):
            time.sleep(0.001)

    def resume(self) -> None:
        if self._process.poll() is None:
            for pid in self.pids:
                os.kill(pid, signal.SIGCONT)

    def messages(self) -> list[str]:
        return self._messages.read_text().splitlines()

    def answer(self) -> str:
        return self._answer.read_text()
