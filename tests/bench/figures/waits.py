"""Counting waits: what it costs who waits, who does not, and everybody else.

In each round every configuration runs the same slices, in random order, and is compared with the
slices without any tracer of the same round. 'none again' is a second run without: what the machine
alone does to the figure. Peers are measured where they are installed.
"""

import contextlib
import json
import math
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figures.overhead import LockLoop, mean_log
from figures.processes import Binaries, cpu_seconds, children, memory_bytes
from figures.report import goal, goal_fact, section, table
from figures.statistics import Estimate, typical_ratio

WORKLOADS = ["handoff", "uncontended", "getppid", "epoll"]
SLICES = 3
HANDOFF_GOAL = 1.25
MEMORY_LOCKS = 100_000
MEMORY_GOAL_MB = 100

# The same answer from bpftrace: waits and their time by lock, with a histogram.
BPFTRACE = """
tracepoint:syscalls:sys_enter_futex
/ (args->op & 127) == 0 || (args->op & 127) == 6 || (args->op & 127) == 9 ||
  (args->op & 127) == 11 || (args->op & 127) == 13 /
{ @start[tid] = nsecs; @address[tid] = args->uaddr; }
tracepoint:syscalls:sys_exit_futex /@start[tid]/
{
  $took = nsecs - @start[tid];
  if (args->ret != -11) {
    @waits[pid, @address[tid]] = count();
    @total[pid, @address[tid]] = sum($took);
    @longest[pid, @address[tid]] = max($took);
    @times[pid, @address[tid]] = hist($took);
  }
  delete(@start[tid]);
  delete(@address[tid]);
}
"""


class Background:
    """A tracer that is attached once it has said so."""

    def __init__(self, command: list[str], mark: str, folder: Path):
        self._log = folder / "background.log"
        with open(self._log, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + 30
        while mark not in self._log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]}: {self._log.read_text()}")
            time.sleep(0.02)
        time.sleep(0.3)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self._log.read_text()


def contention(binaries: Binaries, *more: str) -> list[str]:
    return [str(binaries.tracer), "contention", "-d", "0", "--max-overhead", "100", *more]


def configurations(binaries: Binaries) -> dict[str, tuple[list[str], str] | None]:
    mark = "counting waits by"
    found: dict[str, tuple[list[str], str] | None] = {
        "none": None,
        "none again": None,
        "ours": (contention(binaries), mark),
    }
    if bpftrace := shutil.which("bpftrace"):
        found["bpftrace"] = ([bpftrace, "-e", BPFTRACE], "Attaching")
    return found


def slices(loop: LockLoop) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {workload: [] for workload in WORKLOADS}
    for _ in range(SLICES):
        for workload in WORKLOADS:
            rates[workload].append(loop.slice(workload))
    return rates


def costs(binaries: Binaries, rounds: int, folder: Path) -> None:
    chosen = configurations(binaries)
    order = random.Random(7)
    logs = {name: {workload: [] for workload in WORKLOADS} for name in chosen}
    typical: dict[str, list[float]] = {workload: [] for workload in WORKLOADS}
    loop = LockLoop(binaries.programs / "wait_bench")
    slices(loop)
    for _ in range(rounds):
        found = {}
        for name in order.sample(list(chosen), len(chosen)):
            configuration = chosen[name]
            tracer = Background(*configuration, folder) if configuration else None
            found[name] = slices(loop)
            if tracer:
                tracer.stop()
        for workload in WORKLOADS:
            typical[workload] += found["none"][workload]
            without = mean_log(found["none"][workload])
            for name in chosen:
                logs[name][workload].append(without - mean_log(found[name][workload]))
    loop.close()

    section(
        "counting waits: time an operation takes, by the time without",
        f"{rounds} rounds of {SLICES} slices of 250 ms; host-wide, nothing filtered; trimmed mean "
        "of the ratios [95 %]",
    )
    rows = []
    for workload in WORKLOADS:
        rate = sorted(typical[workload])[len(typical[workload]) // 2]
        rows.append([workload, f"{1e9 / rate:.0f}",
                     *[typical_ratio(logs[name][workload]).text(3)
                       for name in chosen if name != "none"]])
    table(["", "ns/operation", *[name for name in chosen if name != "none"]], rows)
    handoff = typical_ratio(logs["ours"]["handoff"])
    goal("a futex handoff", handoff, HANDOFF_GOAL, "times", 3)
    if "bpftrace" in logs:
        peer = typical_ratio(logs["bpftrace"]["handoff"])
        goal_fact(f"below bpftrace's {peer.text(3)}", handoff.high < peer.low)
    uncontended = typical_ratio(logs["ours"]["uncontended"])
    goal_fact(f"uncontended: {uncontended.text(3)} contains 1.00",
              uncontended.low <= 1 <= uncontended.high)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[list[str]]:
    """A server with pgbench's tables; yields the command of one run of its load."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    home = Path(tempfile.mkdtemp(prefix="ct-bench-pg-"))
    shutil.chown(home, "postgres")
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
             "cwd": home}
    subprocess.run([*as_user, programs / "initdb", "-D", home / "data", "-A", "trust",
                    "--no-sync"], **quiet)
    server = subprocess.Popen([*as_user, programs / "postgres", "-D", home / "data", "-k", home,
                               "-c", "listen_addresses=", "-c", "fsync=off"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)
    connect = ["-h", str(home), "-U", "postgres", "postgres"]
    try:
        for _ in range(100):
            if (home / ".s.PGSQL.5432").exists():
                break
            time.sleep(0.1)
        subprocess.run([programs / "pgbench", "-i", "-q", "-s", "2", *connect], **quiet)
        yield [str(programs / "pgbench"), "-n", "-c", "4", "-T", "3", *connect]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(home)


def rate(command: list[str], pattern: str) -> float:
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(pattern, output, re.M).group(1))


def real_loads(binaries: Binaries, pairs: int, folder: Path) -> None:
    """Throughput with counting by without, host-wide; each pair in random order."""
    order = random.Random(8)
    rows = []
    with contextlib.ExitStack() as stack:
        loads = {}
        if Path("/usr/lib/postgresql").exists():
            loads["pgbench, 4 clients"] = (stack.enter_context(postgres(folder)),
                                           r"^tps = ([0-9.]+)")
        if sysbench := shutil.which("sysbench"):
            loads["sysbench threads, 8 threads, 2 locks"] = (
                [sysbench, "threads", "--threads=8", "--thread-locks=2", "--time=3", "run"],
                r"total number of events:\s+(\d+)")
        for name, (command, pattern) in loads.items():
            logs, again = [], []
            rate(command, pattern)
            for _ in range(pairs):
                found = {}
                for on in order.sample([False, True, None], 3):
                    tracer = Background(contention(binaries), "counting waits by", folder) \
                        if on else None
                    found[on] = math.log(rate(command, pattern))
                    if tracer:
                        tracer.stop()
                logs.append(found[True] - found[False])
                again.append(found[None] - found[False])
            rows.append([name, typical_ratio(logs).text(3), typical_ratio(again).text(3)])
    section("counting waits: throughput of real loads, with by without", f"{pairs} pairs of 3 s")
    table(["", "with by without", "without by without"], rows)


def every_wait_travels(binaries: Binaries, seconds: int, folder: Path) -> None:
    """How many records a second arrive, with 8 KiB of stack each, and what is lost."""
    loop = LockLoop(binaries.programs / "wait_bench")
    tracer = Background(contention(binaries, "--min-wait", "0", "--stack-size", "8",
                                   "--ring-size", "64", "--json"), "counting waits by", folder)
    begin = time.monotonic()
    cpu = cpu_seconds(tracer.process.pid)
    operations = 0.0
    while time.monotonic() - begin < seconds:
        operations += loop.slice("handoff") * 0.25
    used = cpu_seconds(tracer.process.pid) - cpu
    took = time.monotonic() - begin
    text = tracer.stop()
    loop.close()
    snapshot = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    lost = {loss["reason"]: loss["count"] for loss in snapshot["observations"][0].get("losses", [])}
    section("every wait travels, with 8 KiB of stack",
            f"{operations / took:.0f} waits a second for {took:.0f} s; "
            f"the tracer used {100 * used / took:.0f} % of a core; not seen: {lost or 'nothing'}")


def taken_in(binaries: Binaries, rounds: int) -> None:
    """How many records a second of CPU time are received, understood and put in order."""
    rows = []
    for kib in (0, 8, 16):
        out = subprocess.run([binaries.programs / "records_bench", str(kib), str(rounds + 1)],
                             check=True, capture_output=True, text=True).stdout
        # The first finds no memory of ours that the kernel has given before.
        pairs = [tuple(map(int, line.split())) for line in out.splitlines()[1:]]
        rates = [math.log(records * 1e3 / ns) for records, ns in pairs if records]
        rows.append([f"{kib} KiB", typical_ratio(rates).text(2)])
    section("millions of records taken in, for each second of CPU time", f"{rounds} rounds")
    table(["stack", ""], rows)


def mapped_maps(pid: int) -> int:
    """Bytes of BPF maps (the ring buffer) that its PSS counts, too."""
    total, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
            inside = "bpf-map" in line
        elif inside and (found := re.match(r"^Pss:\s+(\d+) kB", line)):
            total += int(found.group(1)) * 1024
    return total


def memory(binaries: Binaries, folder: Path) -> None:
    program = binaries.programs.parent / "targets/many_locks"
    target = subprocess.Popen([program, f"--locks={MEMORY_LOCKS}"], stdout=subprocess.PIPE,
                              text=True)
    target.stdout.readline()
    tracer = Background(contention(binaries, "-p", str(target.pid), "--json"),
                        "counting waits by", folder)
    target.send_signal(signal.SIGUSR1)
    target.stdout.readline()
    time.sleep(2)
    pids = [tracer.process.pid, *children(tracer.process.pid)]
    own = [memory_bytes(pid)[1] - mapped_maps(pid) for pid in pids]
    maps = 0
    for file in Path(f"/proc/{tracer.process.pid}/fdinfo").iterdir():
        if found := re.search(r"^memlock:\s+(\d+)", file.read_text(), re.M):
            maps += int(found.group(1))
    text = tracer.stop()
    target.kill()
    target.wait()
    snapshot = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    locks = len(snapshot.get("lockContention", []))
    total = (sum(own) + maps) / 1e6
    section(f"memory with {locks} locks that were waited for",
            f"tracer {own[0] / 1e6:.1f} MB, reader {sum(own[1:]) / 1e6:.1f} MB "
            f"(PSS), BPF maps {maps / 1e6:.1f} MB")
    goal("all of it", Estimate(total, total, total), MEMORY_GOAL_MB, "MB")


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    costs(binaries, rounds, folder)
    real_loads(binaries, rounds, folder)
    every_wait_travels(binaries, 5, folder)
    taken_in(binaries, rounds)
    memory(binaries, folder)
