"""Pictures of the confusion matrix and of the accuracy of every class, over seeds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import class_accuracy
from mmact_ssl.evaluation.results import Result

# Above this many classes the cells of a confusion matrix are too small for numbers.
MOST_NUMBERED = 30


def write_pictures(results: Iterable[Result], folder: str | os.PathLike) -> list[Path]:
    """Draw results together that differ only in their seeds.

    Results without a confusion matrix (retrieval) have no picture.

    Returns:
        ``<folder>/<name of the result without its seed>_confusion.png`` and ``…_classes.png``.
    """
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if 'confusion' in result.details:
            groups[result.run.rpartition('_seed')[0]].append(result)
    if not groups:
        raise ConfigError(
            'pictures: no result has a confusion matrix; run linear, lda, knn or finetune'
        )
    written = []
    Path(folder).mkdir(parents=True, exist_ok=True)
    for stem, group in groups.items():
        confusions = np.array([result.details['confusion'] for result in group])  # (S, K, K)
        classes = group[0].details.get('classes') or [str(k) for k in range(len(confusions[0]))]
        for kind, figure in (
            ('confusion', draw_confusion(confusions, classes)),
            ('classes', draw_classes(confusions, classes)),
        ):
            written.append(Path(folder) / f'{stem}_{kind}.png')
            figure.suptitle(_title(group), fontsize=9)
            figure.savefig(written[-1], dpi=120)
    return written


def draw_confusion(confusions: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix in % of each true class.

    Args:
        confusions: Counts ``(S, K, K)`` of S seeds, summed here; a row per true class.
        classes: K names.
    """
    numbered = len(classes) <= MOST_NUMBERED
    counts = np.asarray(confusions).sum(axis=0)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.6 + (0.36 if numbered else 0.16) * len(classes)
    figure = Figure(figsize=(size + 0.8, size), layout='constrained')
    axis = figure.subplots()
    ConfusionMatrixDisplay(share, display_labels=classes).plot(
        include_values=numbered,
        cmap='Blues',
        xticks_rotation='vertical',
        values_format='.0f',
        ax=axis,
        im_kw=dict(vmin=0, vmax=100),
        text_kw=dict(fontsize=7),
    )
    for text in axis.texts:
        text.set_visible(text.get_text() != '0')
    axis.tick_params(labelsize=8 if numbered else 5)
    axis.set(xlabel='predicted class', ylabel='true class')
    figure.axes[-1].set_ylabel('% of the true class')  # of the color bar
    return figure


def draw_classes(confusions: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the accuracy of every class as a bar, best first, and the mean over classes as a line.

    A whisker is the sample deviation over seeds. A class without samples has no bar. Arguments are
    those of :func:`draw_confusion`.
    """
    accuracy = 100 * np.array([class_accuracy(confusion) for confusion in confusions])  # (S, K)
    present = np.flatnonzero(~np.isnan(accuracy).any(axis=0))
    mean = accuracy.mean(axis=0)
    order = present[np.argsort(-mean[present], kind='stable')]
    deviation = accuracy[:, order].std(axis=0, ddof=1) if len(accuracy) > 1 else None
    figure = Figure(figsize=(6.4, 1.4 + 0.22 * len(order)), layout='constrained')
    axis = figure.subplots()
    axis.barh(range(len(order)), mean[order], xerr=deviation, color='#4878a8', ecolor='#303030')
    overall = mean[present].mean()
    axis.axvline(overall, color='#c44e52', linewidth=1, label=f'mean over classes {overall:.1f} %')
    axis.set_yticks(range(len(order)), [classes[k] for k in order], fontsize=8)
    axis.invert_yaxis()
    axis.set(xlim=(0, 100), xlabel='accuracy in %')
    axis.margins(y=0.01)
    axis.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside lower right', fontsize=8, frameon=False)
    return figure


def _title(group: Sequence[Result]) -> str:
    first = group[0]
    part = '' if first.label_fraction == 1 else f', {100 * first.label_fraction:g} % of the labels'
    data = f'{first.dataset} (synthetic)' if first.synthetic else first.dataset
    seeds = ', '.join(str(seed) for seed in sorted(result.seed for result in group))
    plural = 's' if len(group) > 1 else ''
    return f'{first.label}\n{first.protocol} on {data}{part}, seed{plural} {seeds}'
