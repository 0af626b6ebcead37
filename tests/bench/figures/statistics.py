"""Medians with 95 % bootstrap intervals. Medians, because a shared machine has outliers."""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESAMPLES = 2000


@dataclass
class Estimate:
    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Estimate":
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def text(self, digits: int = 1) -> str:
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def bootstrap(samples: Sequence, estimator: Callable[[Sequence], float]) -> Estimate:
    """The percentile bootstrap; the seed is fixed, so that equal samples give equal intervals."""
    generator = random.Random(1)
    estimates = sorted(
        estimator(generator.choices(samples, k=len(samples))) for _ in range(RESAMPLES)
    )
    return Estimate(
        estimator(samples),
        estimates[int(0.025 * RESAMPLES)],
        estimates[int(0.975 * RESAMPLES) - 1],
    )


def median(samples: Sequence[float]) -> Estimate:
    return bootstrap(samples, statistics.median)


def mean(samples: Sequence[float]) -> Estimate:
    return bootstrap(samples, statistics.fmean)


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Of runs that were neighbours in time."""
    return median([a / b for a, b in zip(numerators, denominators, strict=True)])


def trimmed_mean(samples: Sequence[float]) -> float:
    """Without the lowest and the highest fifth: nearly as sharp as the mean, without outliers."""
    cut = len(samples) // 5
    return statistics.fmean(sorted(samples)[cut : len(samples) - cut])


def typical_ratio(logarithms: Sequence[float]) -> Estimate:
    """The trimmed mean of paired log ratios, as a ratio."""
    estimate = bootstrap(logarithms, trimmed_mean)
    return Estimate(math.exp(estimate.value), math.exp(estimate.low), math.exp(estimate.high))


def slope(points: Sequence[tuple[float, float]]) -> Estimate:
    """Theil-Sen: the median of the slopes between points of different x."""

    def of(sample: Sequence[tuple[float, float]]) -> float:
        by_x: dict[float, list[float]] = {}
        for x, y in sample:
            by_x.setdefault(x, []).append(y)
        middle = sorted((x, statistics.median(ys)) for x, ys in by_x.items())
        slopes = [
            (middle[j][1] - middle[i][1]) / (middle[j][0] - middle[i][0])
            for i in range(len(middle))
            for j in range(i + 1, len(middle))
        ]
        return statistics.median(slopes) if slopes else math.nan

    return bootstrap(points, of)
