"""Page on which a user labels clips and moments of recordings; any browser opens it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
from rich.progress import track

from mmact_ssl.apis.labeler import Labeled
from mmact_ssl.io.files import sha256_of, write_atomically
from mmact_ssl.visualization.pages import TEMPLATES, thumbnail

COLUMNS = 'video', 'start', 'stop', 'from', 'to', 'given', 'best', 'probability'


def write_label_page(found: Labeled, folder: Path) -> Path:
    """Write ``label.html`` and what it needs to a folder, and return its path."""
    windows, spans = found.windows, found.windows.spans
    if is_skeleton := 'keypoint' in found.clips[0].read():
        clips = track(found.clips, 'pictures', transient=True)
        sources = [thumbnail(clip, folder) for clip in clips]
    else:
        sources = [quote(os.path.relpath(clip.path, folder)) for clip in found.clips]
    # Labels of neighbors overlap nowhere, and one of a clip is for all of it.
    moments = windows.moments().clip(spans[:, :1], spans[:, 1:])
    moments = moments if windows.is_cut else np.full_like(spans, [0, np.inf])
    names, sure = np.array([*found.classes, '']), found.probabilities.max(axis=1, initial=0)
    best = found.probabilities.argmax(axis=1) if found.classes else found.given
    columns = [windows.video, *spans.T, *moments.T, names[found.given], names[best], sure]
    rows = [dict(zip(COLUMNS, row)) for row in zip(*(column.tolist() for column in columns))]
    data = dict(
        id=sha256_of(f'{folder} {windows.videos} {len(rows)}')[:16],
        title=f'{len(rows)} {"moments" if windows.is_cut else "clips"}',
        classes=found.classes,
        player='img' if is_skeleton else 'video',
        videos=[dict(name=name, src=src) for name, src in zip(windows.videos, sources)],
        rows=rows,
        next=found.next.tolist(),
        is_cut=windows.is_cut,
        labels=[label[:5] for label in found.labels],
        groups={label.video: label.group for label in found.labels if label.group},
    )
    write_atomically(folder / 'label-data.js', f'const DATA = {json.dumps(data)};\n')
    for name in ('label.js', 'label.css', 'page.css', 'label.html'):
        shutil.copy(TEMPLATES / name, folder / name)
    return folder / 'label.html'
