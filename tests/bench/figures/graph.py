"""What building the graph and finding everything in it costs by the number of actors."""

import json
import re
import subprocess
from pathlib import Path

from figures.processes import Binaries
from figures.report import goal_fact, section, table
from figures.statistics import median, median_ratio

# Cost per actor at 100k by that at 1k: 1k actors fit the caches and 100k do not, so linear work
# grows too. n log n would add 1.7, quadratic 100.
MAX_GROWTH = 5


def run(binaries: Binaries, repetitions: int, _: Path) -> None:
    output = subprocess.run(
        [binaries.programs / "graph_bench", "--benchmark_format=json",
         f"--benchmark_repetitions={repetitions}", "--benchmark_enable_random_interleaving=true"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    per_actor: dict[str, dict[int, list[float]]] = {}
    for entry in json.loads(output)["benchmarks"]:
        if entry["run_type"] != "iteration":
            continue
        name, actors = re.fullmatch(r"(\w+/\w+)/(\d+)\b.*", entry["name"]).groups()
        nanoseconds = entry["cpu_time"] * 1e6  # its unit is the millisecond
        per_actor.setdefault(name, {}).setdefault(int(actors), []).append(nanoseconds / int(actors))

    sizes = sorted(next(iter(per_actor.values())))
    section(
        "graph: CPU ns per actor",
        f"median [95 %] of {repetitions} interleaved repetitions; "
        f"growth: {sizes[-1]} by {sizes[0]}",
    )
    growth = {n: median_ratio(found[sizes[-1]], found[sizes[0]]) for n, found in per_actor.items()}
    rows = [
        [name, *(median(found[size]).text(0) for size in sizes), growth[name].text(2)]
        for name, found in sorted(per_actor.items())
    ]
    table(["", *(f"{size} actors" for size in sizes), "growth"], rows)
    worst = max(growth, key=lambda name: growth[name].high)
    goal_fact(f"linear but for the caches: worst growth {growth[worst].text(2)} ({worst}), "
              f"limit {MAX_GROWTH}", growth[worst].high <= MAX_GROWTH)
