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


def write_label_page(found: Labeled, folder: Path) -> Path:
    """Write ``label.html`` and what it needs to a folder, and return its path."""
    windows = found.windows
    is_skeleton = 'keypoint' in found.clips[0].read()
    clips = track(found.clips, 'pictures', transient=True) if is_skeleton else found.clips
    videos = [
        {
            'name': clip.name,
            'src': '' if is_skeleton else quote(os.path.relpath(clip.path, folder)),
            'thumb': thumbnail(clip, folder) if is_skeleton else '',
        }
        for clip in clips
    ]
    best = found.probabilities.argmax(axis=1) if found.classes else np.full(len(windows.video), -1)
    sure = found.probabilities.max(axis=1, initial=0).round(3)
    place_in_next = np.full(len(best), -1)
    place_in_next[found.next] = np.arange(len(found.next))
    spans = windows.spans.round(3).T
    columns = [windows.video, *spans, found.given, best, sure, place_in_next]
    rows = [*zip(*(column.tolist() for column in columns))]
    data = dict(
        id=sha256_of(f'{folder} {windows.videos} {len(rows)}')[:16],
        title=f'{len(rows)} {"moments" if windows.is_cut else "clips"}',
        classes=found.classes,
        videos=videos,
        rows=rows,
        is_cut=windows.is_cut,
        labels=[label[:5] for label in found.labels],
        groups={label.video: label.group for label in found.labels if label.group},
    )
    write_atomically(folder / 'label-data.js', f'const DATA = {json.dumps(data)};\n')
    for name in ('label.js', 'label.css', 'page.css'):
        shutil.copy(TEMPLATES / name, folder / name)
    return Path(shutil.copy(TEMPLATES / 'label.html', folder / 'label.html'))
