"""Classification with few labels a class: three readouts, averaged over draws of the labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from mmengine.logging import print_log
from sklearn.covariance import ledoit_wolf_shrinkage

from mmact_ssl.datasets.label_subset import draw_labels
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import sample_groups, share_labels
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.logistic_path import fit_path

from .base import Measured, Task

# Scores (Q, K) of queries (Q, D), from labeled rows (N, D) and their classes (N,), 0 to K - 1.
Readout = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
