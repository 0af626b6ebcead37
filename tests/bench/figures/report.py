"""How the figures are printed."""

from collections.abc import Sequence

from figures.statistics import Estimate


def section(title: str, *notes: str) -> None:
    print(f"\n== {title}")
    for note in notes:
        print(f"   {note}")
    print(flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("   " + "  ".join(cells))
    print(flush=True)


def goal(what: str, measured: Estimate, limit: float, unit: str, digits: int = 1) -> None:
    """Met or missed only if the whole interval says so."""
    verdict = "open"
    if measured.high <= limit:
        verdict = "met"
    elif measured.low > limit:
        verdict = "MISSED"
    print(f"   goal {verdict:<6}  {what}: {measured.text(digits)} {unit}, goal <= {limit:g} {unit}",
          flush=True)


def goal_fact(what: str, met: bool) -> None:
    print(f"   goal {'met' if met else 'MISSED':<6}  {what}", flush=True)
