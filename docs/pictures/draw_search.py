#!/usr/bin/env python
"""Draw ``search.png`` of the page of search: clips of the demo world found by a student.

The student is trained without labels on the world's training clips; the picture shows test clips:

    python tools/prepare_data.py demo
    python tools/prepare_data.py custom --source data/demo/skeletons.npz --layout ntu25 \
        --coordinates xyz --out data/demo/skeleton --left-handed \
        --train-subjects 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
    python tools/generate_prompts.py kinematic --data data/demo/skeleton
    python tools/extract_targets.py configs/teachers/minilm.py \
        --sentences data/demo/skeleton/sentences_kinematic.json \
        --out data/demo/skeleton/targets/prompts.lmdb
    python tools/train.py configs/c2vl_gru.py --data data/demo/skeleton
    python tools/publish_model.py work_dirs/c2vl_gru_skeleton c2vl_demo \
        --text-encoder minilm
    python docs/pictures/draw_search.py data/demo c2vl_demo-*.safetensors
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmact_ssl.apis import RetrievalInferencer
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.datasets.video_reader import VideoReader

# Chosen before anything was searched: two actions by a clip, two by a sentence.
QUERIES = (
    'videos/jumping_jack_s17_c7_019.mp4',
    'videos/kick_s19_c8_015.mp4',
    'the person leans forward and back again',
    'the person comes up and steps forward',
)
TOP, FRAMES, SIDE = 4, (0.25, 0.5), 112


def read_tile(path: Path) -> np.ndarray:
    """Frames of a video side by side, uint8 ``(SIDE, len(FRAMES) * SIDE, 3)``."""
    with VideoReader(path) as reader:
        numbers = [round(part * (reader.total_frames - 1)) for part in FRAMES]
        frames = reader.read(numbers)
    return np.concatenate([frames[number] for number in numbers], axis=1)


def draw(world: Path, model: str) -> Figure:
    """Draw a row for each query: the clip or sentence, and the nearest test clips."""
    root = (world / 'skeleton').resolve()
    folder = open_skeleton_folder(root, 'see docs/extend/demo_world.md')
    test = {li.split()[0] for li in (root / 'xsub_test.txt').read_text().splitlines()}
    with tempfile.TemporaryDirectory() as scratch:
        search = RetrievalInferencer(model, f'{scratch}/clips.index', show_progress=False)
        search.add(str(root))
        found = []
        for query in QUERIES:
            if query.endswith('.mp4'):
                clip = folder.read(folder.names.tolist().index(query))
                hits = search(clip, top=1000)['hits'][0]
            else:
                hits = search(text=query, top=1000)['hits'][0]
            names = [Path(hit['name']).relative_to(root).as_posix() for hit in hits]
            found.append([name for name in names if name in test and name != query][:TOP])
    figure = Figure(figsize=(12, 6.1), dpi=100, facecolor='white')
    axes = figure.subplots(len(QUERIES), TOP + 1)
    for row, query, names in zip(axes, QUERIES, found):
        for place, (axis, name) in enumerate(zip(row, [query, *names])):
            axis.set(xticks=[], yticks=[])
            if name.endswith('.mp4'):
                axis.imshow(read_tile(world / name))
            else:
                axis.text(
                    0.5,
                    0.5,
                    '\n'.join(textwrap.wrap(f'“{name}”', 20)),
                    fontsize=13,
                    ha='center',
                    va='center',
                    transform=axis.transAxes,
                )
            color, width = ('#f57c00', 3) if not place else ('#bbbbbb', 1)
            axis.spines[:].set(color=color, linewidth=width)
            title = 'search' if not place else f'{place}. {Path(name).stem.partition("_s")[0]}'
            axis.set_title(title.replace('_', ' '), fontsize=12)
    figure.tight_layout(pad=0.9, h_pad=0.9)
    return figure


if __name__ == '__main__':
    draw(Path(sys.argv[1]), sys.argv[2]).savefig(Path(__file__).with_name('search.png'))
