#!/usr/bin/env python
"""Draw ``flow.png``, what happens in a step of training, from a clip of the demo world.

Run ``python tools/prepare_data.py demo``, then ``python docs/pictures/draw_flow.py data/demo``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mmact_ssl.datasets.layouts import LAYOUTS

CLIP, FRAMES = 'jumping_jack_s21_c7_017', (4, 12, 20)
# What tools/generate_prompts.py kinematic writes about this clip.
SENTENCE = '“Someone spreads both feet and\nmeanwhile raises both hands\nabove the head.”'
HEADS = (
    ('CSVR', 'future poses · I-frames · generated frames'),
    ('DTG-Net', 'agreement with several frozen teachers'),
    ('HCPG', 'part maps · contrast by appearance, by motion'),
    # Its targets are the clip itself.
    ('MS2L', 'masked motion · segment order · contrast'),
    ('C²VL', 'sentences about skeletons, softened targets'),
)
CENTER = dict(ha='center', va='center')
BLUE, ORANGE, GREEN, GRAY = '#d6e6f7', '#fde4cc', '#d9efd9', '#eeeeee'


def read_frames(path: Path) -> np.ndarray:
    """RGB frames of a video, uint8 ``[T, H, W, 3]``."""
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.stack(frames)


def draw(data: Path) -> Figure:
    """The flow from a clip to the losses, and what leaves: left to right."""
    figure = Figure(figsize=(11, 5), dpi=110, facecolor='white')
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 110), ylim=(0, 50))
    axis.axis('off')

    def box(x, y, width, height, color, title, text):
        style = 'round,pad=0.2,rounding_size=0.8'
        axis.add_patch(
            FancyBboxPatch((x, y), width, height, boxstyle=style, fc=color, ec='#777777')
        )
        middle = x + width / 2, y + height / 2
        lines = text.count('\n') + 1
        axis.text(*middle, title + '\n' * lines, weight='bold', fontsize=10, **CENTER)
        axis.text(*middle, f'\n{text}', fontsize=8.5, **CENTER)

    def arrow(start, end, color='#444444', style='-|>', dashed=False):
        line = '--' if dashed else '-'
        axis.add_patch(
            FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=14, color=color, ls=line)
        )

    def image(left, bottom, picture):
        inset = figure.add_axes((left / 110, bottom / 50, 8.4 / 110, 8.4 / 50))
        inset.imshow(picture)
        inset.set(xticks=[], yticks=[])
        return inset

    frames = read_frames(data / 'videos' / f'{CLIP}.mp4')
    parts = cv2.imread(str(data / 'parts' / f'{CLIP}.png'), cv2.IMREAD_UNCHANGED)
    part_maps = parts.reshape(-1, parts.shape[1], parts.shape[1])
    poses = np.load(data / 'poses.npz')
    number = list(poses['names']).index(f'videos/{CLIP}.mp4')
    pose = poses['keypoints'][poses['lengths'][:number].sum() + FRAMES[1]]

    axis.text(1, 47.5, 'A video or skeleton clip, no label', weight='bold', fontsize=10)
    for place, frame in enumerate(FRAMES):
        image(1 + 9.2 * place, 37.5, frames[frame])
    axis.text(1, 34.8, 'views: clip, future, masked, shuffled, …', fontsize=8.5)

    axis.text(1, 26, 'Targets by frozen teachers, or none', weight='bold', fontsize=10)
    gray = frames[FRAMES[1]] // 2 + 120
    inset = image(1, 15.5, gray)
    for limb in LAYOUTS['coco17'].limbs:
        inset.plot(*(pose[list(limb), :2] * gray.shape[0]).T, color='#e65100', lw=1.6)
    image(10.2, 15.5, np.ma.masked_equal(part_maps[FRAMES[1]], 0)).images[0].set_cmap('tab20')
    axis.text(24.4, 19.6, '[1280]\nembedding', fontsize=8.5, **CENTER)
    axis.add_patch(FancyBboxPatch((20.2, 15.8), 8.2, 7.8, boxstyle='square,pad=0', fc=GRAY, ec='k'))
    axis.text(1, 10.2, SENTENCE, fontsize=8.5, va='center', style='italic')
    axis.text(
        1,
        4.4,
        'mmpose · mmsegmentation · timm · ONNX ·\nCLIP · sentence encoders; online or cached',
        fontsize=8.5,
    )

    box(38, 37.5, 17, 10, BLUE, 'one student', 'a backbone of mmaction2,\neach view encoded once')
    arrow((29.5, 42), (37.5, 42))
    axis.text(66, 47.3, 'pretext heads, chosen in a config', weight='bold', fontsize=10)
    for place, (name, text) in enumerate(HEADS):
        bottom = 39.3 - 6.9 * place
        box(64, bottom, 33, 5.3, ORANGE, name, text)
        arrow((55.7, 44.5 - place), (63.5, bottom + 3.4))
        if name != 'MS2L':
            arrow((29.5, 20 - place), (63.5, bottom + 1.6), color='#b0b0b0', dashed=True)
    box(101, 18, 8, 16, GRAY, 'balancer', 'weighted\nloss')
    for place in range(len(HEADS)):
        arrow((97.6, 42 - 6.9 * place), (100.6, 29 - 1.5 * place))
    box(
        38,
        1.5,
        59,
        6,
        GREEN,
        'only the backbone is exported',
        'stock mmaction2 loads it by load_from: linear probe, kNN, retrieval, fine-tuning',
    )
    arrow((46.5, 37), (46.5, 8.2), color='#2e7d32')
    return figure


if __name__ == '__main__':
    draw(Path(sys.argv[1])).savefig(Path(__file__).with_name('flow.png'))
