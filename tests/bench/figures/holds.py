"""Following holds: what it costs who takes a lock that nobody else wants, beside probes at the
symbols as bpftrace places them; what it costs real servers within the default budget; its memory.

In each round every configuration runs the same slices, in random order, and is compared with the
slices without any tracer of the same round. 'none again' is a second run without: what the machine
alone does to the figure. The peer is measured where it is installed.
"""

import contextlib
import json
import math
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from figures.overhead import LockLoop, mean_log
from figures.processes import Binaries, children, memory_bytes
from figures.report import goal, goal_fact, section, table
from figures.statistics import Estimate, median, typical_ratio
from figures.waits import Background, mapped_maps, postgres, rate

MARK = "following acquires and releases"
SLICES = 3
PEER_GOAL = 1 / 20
BUDGET = 0.02  # the default of --max-overhead
MEMORY_LOCKS = 100_000
MEMORY_ORDERS = 10_000
MEMORY_PASSES = 30  # what came too fast is told when it comes again
MEMORY_GOAL_MB = 100
SERVER_SLICE_MS = 1_000
POOL = "server_bench:app::ConnectionPool::acquire,app::ConnectionPool::release;capacity=3"
NO_BUDGET = ["--max-overhead", "100"]


def holds(binaries: Binaries, *more: str) -> list[str]:
    return [str(binaries.tracer), "--holds", *more]


def libc_of(pid: int) -> str:
    """The path of its C library, as the process has it mapped."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if re.search(r"/libc\.so\.6$", line):
            return line.split(maxsplit=5)[5]
    raise RuntimeError(f"process {pid} has no libc.so.6")


def at_symbols(bpftrace: str, pid: int) -> list[str]:
    """What others do: a probe on the first instruction of each function, and one map update."""
    libc = libc_of(pid)
    program = "".join(f"uprobe:{libc}:{function} {{ @{function} = count(); }}\n"
                      for function in ("pthread_mutex_lock", "pthread_mutex_unlock"))
    return [bpftrace, "-p", str(pid), "-e", program]


def configurations(binaries: Binaries, pid: int) -> dict[str, tuple[list[str], str] | None]:
    found: dict[str, tuple[list[str], str] | None] = {
        "none": None,
        "none again": None,
        "ours": (holds(binaries, "-p", str(pid), *NO_BUDGET), MARK),
        "ours, 2 %": (holds(binaries, "-p", str(pid)), MARK),
    }
    if bpftrace := shutil.which("bpftrace"):
        found["at the symbols"] = (at_symbols(bpftrace, pid), "Attaching")
    return found


def pair_costs(binaries: Binaries, rounds: int, folder: Path) -> None:
    order = random.Random(11)
    loop = LockLoop(binaries.programs / "wait_bench")
    loop.slice("uncontended")
    chosen = configurations(binaries, loop.pid)
    logs: dict[str, list[float]] = {name: [] for name in chosen}
    times: dict[str, list[float]] = {name: [] for name in chosen}
    by_peer: list[float] = []
    for _ in range(rounds):
        found = {}
        for name in order.sample(list(chosen), len(chosen)):
            configuration = chosen[name]
            tracer = Background(*configuration, folder) if configuration else None
            loop.slice("uncontended")  # the budget acts in it
            found[name] = [loop.slice("uncontended") for _ in range(SLICES)]
            if tracer:
                tracer.stop()
        for name, rates in found.items():
            logs[name].append(mean_log(found["none"]) - mean_log(rates))
            times[name].append(1e9 / math.exp(mean_log(rates)))
        if "at the symbols" in found:
            by_peer.append(mean_log(found["at the symbols"]) - mean_log(found["ours"]))
    loop.close()

    section(
        "following holds: a lock and unlock that nobody else wants, by the time without",
        f"one thread; {rounds} rounds of {SLICES} slices of 250 ms; ns: median; trimmed mean of "
        "the ratios [95 %]",
    )
    table(["", "ns/pair", "by none"],
          [[name, median(times[name]).text(0), typical_ratio(logs[name]).text(2)]
           for name in chosen])
    if by_peer:
        goal("ours by probes at the symbols", typical_ratio(by_peer), PEER_GOAL, "times", 4)
    within = typical_ratio(logs["ours, 2 %"])
    goal("within the budget, the loop takes", within, 1 + BUDGET, "times", 3)


def real_loads(binaries: Binaries, pairs: int, folder: Path) -> None:
    """Throughput within the default budget by that without; each pair in random order."""
    order = random.Random(12)
    rows, goals = [], []
    with contextlib.ExitStack() as stack:
        loads = {}
        if Path("/usr/lib/postgresql").exists():
            command = stack.enter_context(postgres(folder))
            loads["pgbench, 4 clients"] = (lambda: rate(command, r"^tps = ([0-9.]+)"),
                                           ["--comm", "postgres"])
        server = LockLoop(binaries.programs / "server_bench", SERVER_SLICE_MS)
        stack.callback(server.close)
        loads["C++ server, 4 workers"] = (
            lambda: math.exp(mean_log([server.slice("serve") for _ in range(SLICES)])),
            ["-p", str(server.pid), "--pool", POOL])
        for name, (load, filters) in loads.items():
            logs, again, rates = [], [], []
            load()
            for _ in range(pairs):
                found = {}
                for on in order.sample([False, True, None], 3):
                    tracer = Background(holds(binaries, *filters), MARK, folder) if on else None
                    found[on] = load()
                    if tracer:
                        tracer.stop()
                rates.append(found[False])
                logs.append(math.log(found[True] / found[False]))
                again.append(math.log(found[None] / found[False]))
            ratio = typical_ratio(logs)
            rows.append([name, median(rates).text(0), ratio.text(3), typical_ratio(again).text(3)])
            goals.append((f"{name}: {ratio.text(3)}, budget {BUDGET:.0%}",
                          ratio.high >= 1 - BUDGET))
    section("following holds within the default budget: throughput, with by without",
            f"{pairs} pairs of 3 s")
    table(["", "a second", "with by without", "without by without"], rows)
    for what, met in goals:
        goal_fact(what, met)


def map_bytes(pid: int) -> int:
    """Of the BPF maps that a process has open, as the kernel counts them (bpftool shows the
    same)."""
    total = 0
    seen = set()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        text = file.read_text()
        number = re.search(r"^map_id:\s+(\d+)", text, re.M)
        size = re.search(r"^memlock:\s+(\d+)", text, re.M)
        if number and size and number.group(1) not in seen:
            seen.add(number.group(1))
            total += int(size.group(1))
    return total


def memory(binaries: Binaries, folder: Path) -> None:
    program = binaries.programs.parent / "targets/held_locks"
    target = subprocess.Popen(
        [program, f"--locks={MEMORY_LOCKS}", f"--orders={MEMORY_ORDERS}",
         f"--passes={MEMORY_PASSES}"],
        stdout=subprocess.PIPE, text=True)
    target.stdout.readline()
    file = folder / "holds.pb"
    tracer = Background(holds(binaries, "-p", str(target.pid), *NO_BUDGET, "-o", str(file)), MARK,
                        folder)
    before = map_bytes(tracer.process.pid)
    target.send_signal(signal.SIGUSR1)
    target.stdout.readline()
    time.sleep(3)
    pids = [tracer.process.pid, *children(tracer.process.pid)]
    own = [memory_bytes(pid)[1] - mapped_maps(pid) for pid in pids]
    maps = map_bytes(tracer.process.pid)
    tracer.stop()
    target.kill()
    target.wait()
    shown = subprocess.run([binaries.tracer, "show", "--json", file], capture_output=True,
                           text=True, check=False).stdout
    snapshot = json.loads(shown)
    orders = len(snapshot.get("lockOrders", []))
    locks = len(snapshot.get("resourceHolds", []))
    lost = {loss["reason"]: loss["count"] for loss in snapshot["observations"][0].get("losses", [])}
    total = (sum(own) + maps) / 1e6
    section(f"memory with {MEMORY_LOCKS} live locks and {MEMORY_ORDERS} orders of them",
            f"in the file: {locks} locks, {orders} orders; not seen: {lost or 'nothing'}",
            f"tracer {own[0] / 1e6:.1f} MB, reader {sum(own[1:]) / 1e6:.1f} MB (PSS), "
            f"BPF maps {maps / 1e6:.1f} MB ({before / 1e6:.1f} MB before)")
    goal("all of it", Estimate(total, total, total), MEMORY_GOAL_MB, "MB")


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    pair_costs(binaries, rounds, folder)
    real_loads(binaries, rounds, folder)
    memory(binaries, folder)
