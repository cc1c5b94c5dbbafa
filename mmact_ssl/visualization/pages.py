"""Pages about a user's clips: a gallery with neighbors on click, and a map of the features.

A page is a folder of plain files, which any browser opens without a server or a network.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from rich.progress import track

from mmact_ssl.apis.clips import Clip
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.io.files import write_atomically
from mmact_ssl.visualization.stick_figures import draw_skeletons

FRAMES, SIDE, MILLISECONDS = 12, 112, 150  # of a thumbnail; SIDE is the short one, in pixels
NEIGHBORS = 12  # shown of a clip
TEMPLATES = Path(__file__).with_name('page_files')


class ClipPages:
    """The clips of a page folder, with an index and thumbnails; existing ones are reused.

    Args:
        search: Adds the clips to its index of whole clips.
        inputs: Videos, folders or skeleton files, see :func:`mmact_ssl.apis.clips.find_clips`.

    Attributes:
        clips: The N clips that can be read.
        features: float32 ``(N, C)``.
    """

    def __init__(self, search: RetrievalInferencer, inputs: Sequence[str], folder: Path) -> None:
        self.search, self.folder = search, folder
        clips = search.find_clips(inputs[0] if len(inputs) == 1 else list(inputs))
        search.add(clips)
        windows, values = search.index.rows()
        rows = {window.name: row for row, window in enumerate(windows)}
        self.clips = [clip for clip in clips if clip.path in rows]
        if not self.clips:
            raise DataError(f'{inputs[0]}: none of {len(clips)} clips can be read')
        self.features = values[[rows[clip.path] for clip in self.clips]]

    def write_gallery(self, texts: Sequence[str] = ()) -> Path:
        """Write ``index.html`` and return its path."""
        places = {clip.path: place for place, clip in enumerate(self.clips)}
        unit = normalize(self.features)
        cosines, rows = nearest(unit, unit, NEIGHBORS + 1)  # one more: the clip itself
        shown = [
            [[row, round(cosine, 4)] for row, cosine in zip(*near) if row != own][:NEIGHBORS]
            for own, near in enumerate(zip(rows.tolist(), cosines.tolist()))
        ]
        by_text = (
            self.search(text=list(texts), top=len(self.search.index.versions))['hits']
            if texts
            else []
        )
        hits = [
            [[places[h['name']], h['similarity']] for h in row if h['name'] in places][:NEIGHBORS]
            for row in by_text
        ]
        sentences = [dict(text=text, hits=row) for text, row in zip(texts, hits)]
        return self._write('gallery', 'index.html', neighbors=shown, texts=sentences)

    def write_embedding(self) -> Path:
        """Write ``embedding.html``, the features in two dimensions, and return its path.

        The color of a clip is that of its folder.
        """
        groups = [Path(clip.path).parent.name for clip in self.clips]
        points = project(normalize(self.features))
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - low) / np.maximum(high - low, 1e-12)
        names = sorted(set(groups))
        extra = [
            dict(group=names.index(group), x=round(float(x), 4), y=round(float(y), 4))
            for group, (x, y) in zip(groups, points)
        ]
        return self._write('embedding', 'embedding.html', extra, groups=names)

    def _write(
        self, kind: str, page: str, extra: Sequence[Mapping[str, Any]] = (), **data: Any
    ) -> Path:
        """Write thumbnails, data and templates of a page."""
        clips = [
            {'name': clip.name, 'thumb': thumbnail(clip, self.folder)}
            for clip in track(self.clips, 'thumbnails', transient=True)
        ]
        for clip, more in zip(clips, extra):
            clip.update(more)
        title = f'{len(clips)} clips; model: {self.search.encoder.name}'
        text = json.dumps(dict(title=title, clips=clips, **data))
        write_atomically(self.folder / f'{kind}-data.js', f'const DATA = {text};\n')
        for name in (f'{kind}.js', 'clip.js', 'page.css'):
            shutil.copy(TEMPLATES / name, self.folder / name)
        return Path(shutil.copy(TEMPLATES / f'{kind}.html', self.folder / page))


def thumbnail(clip: Clip, folder: Path) -> str:
    """Path of a clip's picture below a folder, drawn if missing; '' for a broken clip."""
    state = f'{clip.path} {clip.version}'  # a file that has changed has another picture
    name = f'thumbs/{hashlib.sha256(state.encode()).hexdigest()[:16]}.webp'
    if not (folder / name).is_file():
        try:
            write_atomically(folder / name, animate(clip_frames(clip)))
        except DataError:
            return ''
    return name


def clip_frames(clip: Clip) -> list[np.ndarray]:
    """Frames spread over a clip, or drawings of a skeleton, uint8 ``(H, W, 3)`` RGB."""
    results = clip.read()
    if 'keypoint' in results:
        drawn = draw_skeletons(results['keypoint'], LAYOUTS[results['layout']], FRAMES)
        return [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in drawn]
    with VideoReader(results['filename']) as reader:
        times = spread_frames(reader.total_frames, min(FRAMES, reader.total_frames))
        frames = reader.read(times, short_side=SIDE)
    return [frames[time] for time in times]


def animate(frames: Sequence[np.ndarray]) -> bytes:
    """Encode frames as an endless WebP animation."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    content = io.BytesIO()
    first.save(content, 'WEBP', save_all=True, append_images=others, duration=MILLISECONDS, loop=0)
    return content.getvalue()


def project(features: np.ndarray) -> np.ndarray:
    """Map unit rows ``(N, C)`` to points ``(N, 2)`` by t-SNE."""
    if len(features) < 5:
        raise DataError(f'{len(features)} clips: a map needs at least 5')
    # Equal rows become one point: if all are equal, t-SNE divides by 0 and never ends.
    rows, place = np.unique(features.astype(np.float64), axis=0, return_inverse=True)
    if len(rows) < 5:
        left, spread, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        points = np.pad(left * spread, ((0, 0), (0, 2)))[:, :2]  # principal components
    else:
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(rows) - 1) / 3)
        points = TSNE(perplexity=perplexity, random_state=0).fit_transform(rows)
    return points[place.reshape(-1)]
