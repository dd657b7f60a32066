"""`stcn` with one more metric: the share of the true pixels that the mask has."""

import sys

import numpy as np

from jobs.scores import metrics


def pixel_recall(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None) -> tuple[float]:
    """The share of the true pixels that the mask has; 1 if there are none."""
    return (float(mask[truth].mean()) if truth.any() else 1.0,)


metrics.METRICS = (*metrics.METRICS, metrics.Metric(titles={"recalled": "R"}, compute=pixel_recall))  # the one line
metrics.TITLES = metrics.columns_of(metrics.METRICS)

if __name__ == "__main__":
    from jobs.cli.__main__ import main

    main(sys.argv[1:])
