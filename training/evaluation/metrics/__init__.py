"""Metrics of samples: `measure(samples, names, options)` gives one value a sample, or says why there is none."""

from training.evaluation.metrics.column import Absent, Column, Metric, Options, Values
from training.evaluation.metrics.registry import METRICS, Measured, columns, find, measure

__all__ = ["METRICS", "Absent", "Column", "Measured", "Metric", "Options", "Values", "columns", "find", "measure"]
