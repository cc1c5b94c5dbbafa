"""Writer of the demo world: video, skeletons, poses, part maps, sentences, teacher data."""

from __future__ import annotations

import functools
import json
import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from rich.progress import track

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.prepared_folder import CLASS_NAMES
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.schema import read_json
from mmact_ssl.preparation.files import write_annotation, write_lines
from mmact_ssl.preparation.poses import write_poses

from .actions import CLASSES, FRAME_RATE, NUM_FRAMES
from .camera import CAMERAS
from .render import LIP_LABELS, Clothes, render, visibility
from .scene import FRAME_SIZE, draw_scene
from .sentences import describe

VERSION = 1  # of the generated files; folders of other versions are made again
CLIPS_PER_CLASS = {'default': {'train': 64, 'test': 20}, 'tiny': {'train': 2, 'test': 1}}
KEY_FRAME_INTERVAL = 12
TEACHER_FRAMES_PER_CLIP = 5
TEACHER_VAL_SUBJECTS = (1, 9)  # of the training subjects, held out to evaluate a teacher
FOLDERS = ('videos', 'parts', 'pose_frames', 'part_frames')


@dataclass(frozen=True)
class Clip:
    """Entry of a written clip in the tables of all clips."""

    name: str
    split: str
    label: int
    subject: int
    camera: int
    skeleton: np.ndarray  # float32 (T, 25, 3) camera axes, meters
    pose: np.ndarray  # float32 (T, 17, 3) fractions of the frame, score
    focal: float
    shift: np.ndarray  # float32 (T, 2)
    sentences: list[str]
    teacher_frames: list[dict]


def write_video(path: Path, frames: np.ndarray) -> None:
    """Encode frames, uint8 (T, H, W, 3) RGB, H and W even, as H.264 with regular key frames."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FRAME_RATE)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        # One thread, no scene cuts and no macroblock tree: with the tree, x264 gave other bytes for
        # the same frames one time in four.
        stream.options = {
            'crf': '23',
            'preset': 'veryfast',
            'threads': '1',
            'x264-params': f'keyint={KEY_FRAME_INTERVAL}:min-keyint={KEY_FRAME_INTERVAL}:'
            'scenecut=0:open-gop=0:mbtree=0',
        }
        for image in frames:
            planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format='yuv420p')))
        container.mux(stream.encode())


def make_clip(task: tuple[str, int], out: Path, seed: int) -> Clip:
    """Draw, render and write one clip; ``task`` is (split, index)."""
    cv2.setNumThreads(0)
    split, index = task
    scene = draw_scene(seed, split, index)
    rng = np.random.default_rng([seed, 3, 0 if split == 'train' else 1, index])
    clothes = Clothes.draw(rng)
    rendering = render(scene, clothes, rng)
    camera = scene.camera_number + (0 if split == 'train' else len(CAMERAS['train']))
    stem = f'{scene.action}_s{scene.subject.number:02d}_c{camera}_{index // len(CLASSES):03d}'
    write_video(out / 'videos' / f'{stem}.mp4', rendering.frames)
    # All frames below each other: a lossless file that any viewer opens.
    cv2.imwrite(
        str(out / 'parts' / f'{stem}.png'),
        rendering.parts.reshape(-1, FRAME_SIZE),
        [cv2.IMWRITE_PNG_COMPRESSION, 4],
    )
    pose = np.concatenate(
        [scene.camera.project(scene.coco), visibility(scene, rendering)[..., None]], -1
    ).astype(np.float32)
    chosen = sorted(rng.permutation(NUM_FRAMES)[:TEACHER_FRAMES_PER_CLIP].tolist())
    teacher_frames = []
    part = 'val' if scene.subject.number in TEACHER_VAL_SUBJECTS else 'train'
    for t in chosen if split == 'train' else ():
        name = f'{part}/{stem}_{t:02d}'
        picture = str(out / 'pose_frames' / f'{name}.jpg')
        cv2.imwrite(picture, rendering.frames[t][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        cv2.imwrite(str(out / 'part_frames' / f'{name}.png'), rendering.parts[t])
        annotation = coco_annotation(pose[t], rendering.parts[t])
        teacher_frames.append({'part': part, 'file_name': f'{name}.jpg', **annotation})
    return Clip(
        f'videos/{stem}.mp4',
        split,
        CLASSES.index(scene.action),
        scene.subject.number,
        camera,
        scene.joints.astype(np.float32),
        pose,
        scene.camera.focal,
        np.asarray(scene.camera.shift, np.float32),
        describe(scene, clothes, rng),
        teacher_frames,
    )


def coco_annotation(pose: np.ndarray, parts: np.ndarray) -> dict:
    """Describe the person of one frame in the COCO key-point format.

    Args:
        pose: float (V=17, 3) fractions of the frame, score.
        parts: uint8 (H, W) part map, 0 where there is no person.

    Returns:
        dict: ``keypoints`` (x, y in pixels with mmpose's convention, pixel i centered on i; v = 2
        visible, 1 hidden, 0 outside), ``num_keypoints``, ``bbox`` (x, y, width, height), ``area``.
    """
    height, width = parts.shape
    seen = np.select([pose[:, 2] >= 1, pose[:, 2] > 0], [2, 1], 0)
    points = np.round(pose[:, :2] * (width, height) - 0.5, 2) * (seen > 0)[:, None]
    rows, columns = np.nonzero(parts)
    left, top = columns.min(), rows.min()
    return {
        'keypoints': [
            value for point, v in zip(points.tolist(), seen.tolist()) for value in (*point, v)
        ],
        'num_keypoints': int((seen > 0).sum()),
        'bbox': [int(left), int(top), int(columns.max() + 1 - left), int(rows.max() + 1 - top)],
        'area': len(rows),
    }


def _write_teacher_lists(out: Path, clips: list[Clip]) -> None:
    """Write ``pose_train.json`` and ``pose_val.json`` in the COCO key-point format."""
    layout = LAYOUTS['coco17']
    category = {
        'id': 1,
        'name': 'person',
        'supercategory': 'person',
        'keypoints': list(layout.names),
        'skeleton': [[start + 1, end + 1] for start, end in layout.limbs],
    }
    for part in ('train', 'val'):
        people = [frame for clip in clips for frame in clip.teacher_frames if frame['part'] == part]
        images = [
            {'id': i, 'file_name': frame['file_name'], 'width': FRAME_SIZE, 'height': FRAME_SIZE}
            for i, frame in enumerate(people)
        ]
        annotations = [
            {
                'id': i,
                'image_id': i,
                'category_id': 1,
                'iscrowd': 0,
                **{key: frame[key] for key in ('keypoints', 'num_keypoints', 'bbox', 'area')},
            }
            for i, frame in enumerate(people)
        ]
        content = {
            'info': {'description': 'synthetic people of the mmact_ssl demo world'},
            'images': images,
            'annotations': annotations,
            'categories': [category],
        }
        (out / f'pose_{part}.json').write_text(json.dumps(content))


def _write_tables(out: Path, clips: list[Clip]) -> None:
    """Write lists, skeletons, poses and sentences of all clips."""
    for split in ('train', 'test'):
        write_annotation(
            out / f'{split}.txt', ((clip.name, clip.label) for clip in clips if clip.split == split)
        )
    write_lines(out / CLASS_NAMES, CLASSES)
    names = {
        split: np.array([clip.name for clip in clips if clip.split == split], np.str_)
        for split in ('train', 'test')
    }
    np.savez_compressed(
        out / 'skeletons.npz',
        layout=np.array('ntu25'),
        names=np.array([clip.name for clip in clips], np.str_),
        labels=np.array([clip.label for clip in clips]),
        classes=np.array(CLASSES),
        lengths=np.array([len(clip.skeleton) for clip in clips]),
        keypoints=np.concatenate([clip.skeleton for clip in clips]),
        subjects=np.array([clip.subject for clip in clips]),
        cameras=np.array([clip.camera for clip in clips]),
        focal=np.array([clip.focal for clip in clips], np.float32),
        shift=np.concatenate([clip.shift for clip in clips]),
        train_names=names['train'],
        test_names=names['test'],
    )
    write_poses(out / 'poses.npz', {clip.name: clip.pose for clip in clips}, layout='coco17')
    (out / 'sentences.json').write_text(
        json.dumps({clip.name: clip.sentences for clip in clips}, indent=1)
    )


def _description(seed: int, size: str) -> dict:
    """Return the content of ``world.json``."""
    return {
        'synthetic': True,
        'version': VERSION,
        'seed': seed,
        'size': size,
        'clips': {split: count * len(CLASSES) for split, count in CLIPS_PER_CLASS[size].items()},
        'frame_size': FRAME_SIZE,
        'frame_rate': FRAME_RATE,
        'frames_per_clip': NUM_FRAMES,
        'part_labels': LIP_LABELS,
    }


def _clear(out: Path) -> None:
    """Remove an older demo world; DataError if the folder contains other data."""
    marker = out / 'world.json'
    is_ours = marker.is_file() and '"part_labels"' in marker.read_text(errors='replace')
    if not is_ours and any((out / folder).exists() for folder in (*FOLDERS, marker.name)):
        raise DataError(f'{out}: contains other data than a demo world; choose another --out')
    for folder in FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
    if is_ours and (out / 'targets').exists():
        print(f'{out / "targets"}: made from the old world; remove it or make it again')


def write_demo_world(
    out: Path, seed: int = 0, size: str = 'default', workers: int = 2
) -> dict[str, int]:
    """Generate the demo world unless it exists, and return the number of clips per split.

    Args:
        out: Folder to write; docs/extend/demo_world.md lists its files.
        size: A key of CLIPS_PER_CLASS.
        workers: Number of processes; 1 makes all clips in this process.
    """
    description = _description(seed, size)
    marker = out / 'world.json'
    complete = {**description, 'complete': True}
    if marker.is_file() and read_json(marker, 'give another --out') == complete:
        return description['clips']
    _clear(out)
    frames = [f'{kind}_frames/{part}' for kind in ('pose', 'part') for part in ('train', 'val')]
    for folder in ('videos', 'parts', *frames):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_atomically(marker, json.dumps({**description, 'complete': False}))

    tasks = [
        (split, index) for split, count in description['clips'].items() for index in range(count)
    ]
    make = functools.partial(make_clip, out=out, seed=seed)
    if workers > 1:
        with multiprocessing.Pool(workers) as pool:
            results = pool.imap(make, tasks, chunksize=8)
            clips = list(track(results, 'demo world', total=len(tasks)))
            pool.close()  # a program may note SIGTERM, by which a pool would end its workers
            pool.join()
    else:
        clips = [make(task) for task in track(tasks, 'demo world')]
    _write_tables(out, clips)
    _write_teacher_lists(out, clips)
    write_atomically(marker, json.dumps(complete, indent=1))
    return description['clips']
