"""From the start of `snapshot -p` to the printed deadlock, beside the debuggers."""

import random
import shutil
from pathlib import Path

from figures.processes import Binaries, Run, run_timed, switch_counts, target
from figures.report import goal, goal_fact, section, table
from figures.statistics import median, median_ratio

# An actor that others wait behind in a real service has frames like these.
STACKED_THREADS = 200
STACKED_DEPTH = 30

OURS = "concurrency-tracer"


def commands(binaries: Binaries, pid: int, folder: Path) -> dict[str, list[str]]:
    everyone = {
        OURS: [str(binaries.tracer), "snapshot", "-p", str(pid), "-o", str(folder / "bench.pb")],
        "gdb": ["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"],
        "eu-stack": ["eu-stack", "-p", str(pid)],
    }
    return {name: command for name, command in everyone.items() if shutil.which(command[0])}


def check_answer(run: Run) -> None:
    if run.status != 10 or not run.output.startswith("DEADLOCK"):
        raise RuntimeError(f"no deadlock named (status {run.status}): {run.output[:500]}")


def measure(title: str, program: list[str], limit_ms: float, binaries: Binaries, rounds: int,
            folder: Path) -> None:
    order = random.Random(2)
    runs: dict[str, list[Run]] = {}
    disturbed: dict[str, list[int]] = {}
    with target(program) as pid:
        tools = commands(binaries, pid, folder)
        for command in tools.values():  # the page cache is warm for all or for none
            run_timed(command, folder)
        for _ in range(rounds):
            for name in order.sample(list(tools), len(tools)):
                before = switch_counts(pid)
                run = run_timed(tools[name], folder)
                after = switch_counts(pid)
                if name == OURS:
                    check_answer(run)
                runs.setdefault(name, []).append(run)
                disturbed.setdefault(name, []).append(
                    sum(after.get(tid) != count for tid, count in before.items())
                )
        threads = len(before)

    def milliseconds(name: str, field: str) -> list[float]:
        return [1000 * getattr(run, field) for run in runs[name]]

    section(
        f"snapshot -p: {title}",
        f"{threads} threads, {rounds} rounds, order shuffled in each; ms, median [95 %]",
        "'x ours': their exit by our first line, the same round",
    )
    rows = []
    for name in tools:
        ratio = median_ratio(milliseconds(name, "exit"), milliseconds(OURS, "first_line"))
        rows.append([
            name,
            median(milliseconds(name, "first_line")).text() if name == OURS else "-",
            median(milliseconds(name, "exit")).text(),
            median(milliseconds(name, "cpu")).text(),
            "-" if name == OURS else ratio.text(2),
            f"{max(disturbed[name])}",
        ])
    table(["", "first line", "exit", "own CPU", "x ours", "threads it made run (worst)"], rows)
    goal("first line", median(milliseconds(OURS, "first_line")), limit_ms, "ms")
    goal_fact(f"no thread's switch counts changed in {rounds} snapshots", not any(disturbed[OURS]))


def run(binaries: Binaries, rounds: int, folder: Path) -> None:
    measure("the demo", [str(binaries.demo)], 80, binaries, rounds, folder)
    stacked = [
        str(binaries.programs / "blocked"),
        f"--stacked={STACKED_THREADS}",
        f"--depth={STACKED_DEPTH}",
    ]
    measure(f"{STACKED_THREADS} threads of {STACKED_DEPTH} frames behind a deadlock", stacked, 150,
            binaries, rounds, folder)
