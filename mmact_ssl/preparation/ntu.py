"""NTU RGB+D (Shahroudy et al. 2016) and NTU RGB+D 120 (Liu et al. 2019): ``.skeleton`` files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.errors import DataError, reason_of
from mmact_ssl.io.files import read_text
from mmact_ssl.preparation.files import require, text_files
from mmact_ssl.preparation.persons import join_tracks
from mmact_ssl.preparation.skeletons import SkeletonWriter

SETS = {
    'ntu60': 'NTU RGB+D: skeletons, 60 actions',
    'ntu120': 'NTU RGB+D 120: skeletons, 120 actions',
}
OPTIONS = {'missing': dict(type=Path, help="the authors' list of samples without a whole skeleton")}
NAME = re.compile(
    r'S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<take>\d{3})A(?P<action>\d{3})'
)
NUM_PERSONS, NUM_JOINTS = 2, 25
# A body has ten numbers of tracking, the number of joints, and for each joint the position in space
# (3), in the depth and in the color image (2 + 2), the orientation (4) and the tracking state.
BODY_NUMBERS, JOINT_NUMBERS = 10, 12

# The papers' lists: cross-subject trains on these subjects, cross-view (60 actions) on cameras 2
# and 3, cross-setup (120 actions) on the even setups.
TRAIN_SUBJECTS_60 = frozenset({1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38})
TRAIN_SUBJECTS_120 = (
    TRAIN_SUBJECTS_60
    | {45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87)}
    | {89, *range(91, 96), 97, 98, 100, 103}
)
TRAIN_CAMERAS_60 = frozenset((2, 3))
LAST_SETUP_60 = 17

# Tracks of seats and tables are short or wide. These are the thresholds of CTR-GCN's public
# preparation, which published results use.
MIN_TRACK_FRAMES = 12
MAX_WIDTH_BY_HEIGHT = 0.8
MAX_WIDE_FRAMES = 0.69754  # fraction of a track's frames


# In the order of the action numbers A001 to A120, as in the authors' list.
_CLASSES = """
drink water, eat meal, brush teeth, brush hair, drop, pick up, throw, sit down, stand up, clap,
read, write, tear up paper, put on jacket, take off jacket, put on a shoe, take off a shoe, put on
glasses, take off glasses, put on a hat, take off a hat, cheer up, wave, kick something, reach
into pocket, hop, jump up, phone call, play with phone, type on a keyboard, point to something,
take a selfie, check time, rub two hands, bow, shake head, wipe face, salute, put palms together,
cross hands in front, sneeze, stagger, fall down, headache, chest pain, back pain, neck pain,
nausea, fan self, punch other person, kick other person, push other person, pat on back, point at
other person, hug, give object, touch pocket, shake hands, walk towards, walk apart, put on
headphone, take off headphone, shoot at basket, bounce ball, tennis bat swing, juggle table tennis
ball, hush, flick hair, thumb up, thumb down, make ok sign, make victory sign, staple book, count
money, cut nails, cut paper, snap fingers, open bottle, sniff, squat down, toss a coin, fold
paper, ball up paper, play magic cube, apply cream on face, apply cream on hand, put on bag, take
off bag, put object into bag, take object out of bag, open a box, move heavy objects, shake fist,
throw up cap, hands up, cross arms, arm circles, arm swings, run on the spot, butt kicks, cross
toe touch, side kick, yawn, stretch oneself, blow nose, hit with object, wield knife, knock over,
grab stuff, shoot with gun, step on foot, high-five, cheers and drink, carry object together, take
a photo, follow, whisper, exchange things, support somebody, rock-paper-scissors
"""
CLASSES = tuple(' '.join(name.split()) for name in _CLASSES.split(','))


def prepare(
    source: Path, out: Path, name: str = 'ntu60', missing: Path | None = None
) -> dict[str, int]:
    """Convert ``.skeleton`` files to a prepared folder.

    Each file gives up to two persons; the first is the one that moves most. See
    :func:`plausible_tracks` for the removal of noise and :func:`join_tracks` for bodies that the
    sensor lost and found again. CTR-GCN's third filter, by motion, is not used: CTR-GCN switches it
    off too. Coordinates stay as recorded; transforms normalize them.

    Args:
        source: Folder with ``SxxxCxxxPxxxRxxxAxxx.skeleton`` at any depth, or with the downloaded
            zip archives (both for 120). Files of other setups or actions are ignored.
        out: Prepared folder to write.
        name: ``ntu60`` (splits xsub and xview) or ``ntu120`` (xsub and xset).
        missing: The authors' list of samples with missing or incomplete skeletons, which are left
            out; lines that are not a sample's name are ignored.
    """
    num_classes = {'ntu60': 60, 'ntu120': 120}[name]
    listed = read_missing(missing) if missing else frozenset()
    fix = 'point --source at the folder of the .skeleton files or of their zip archives'
    require(source, fix)  # before the folder is made
    splits: dict[str, list[str]] = {}
    with SkeletonWriter(
        out, f'NTU RGB+D {num_classes}', 'ntu25', CLASSES[:num_classes], NUM_PERSONS
    ) as writer:
        for match, read in track(text_files(source, NAME, '.skeleton', fix), 'reading skeletons'):
            clip = match[0]
            numbers = {key: int(value) for key, value in match.groupdict().items()}
            is_later = num_classes == 60 and numbers['setup'] > LAST_SETUP_60
            if is_later or numbers['action'] > num_classes:
                continue
            if clip in listed:
                writer.left_out[clip] = 'on the list of missing skeletons'
                continue
            try:
                tracks = read_tracks(read())
            except Exception as error:  # noqa: BLE001  (a damaged file may raise almost any)
                writer.left_out[clip] = reason_of(error)
                continue
            persons = join_tracks(plausible_tracks(tracks), NUM_PERSONS)
            writer.add(clip, numbers['action'] - 1, persons)
            for split in splits_of(numbers, num_classes):
                splits.setdefault(split, []).append(clip)
        return writer.finish(splits)


def splits_of(numbers: dict[str, int], num_classes: int) -> tuple[str, str]:
    """Return a clip's list of both splits, from its ``setup``, ``camera`` and ``subject``."""
    if num_classes == 60:
        subjects, second_split = TRAIN_SUBJECTS_60, 'xview'
        is_train = numbers['camera'] in TRAIN_CAMERAS_60
    else:
        subjects, second_split = TRAIN_SUBJECTS_120, 'xset'
        is_train = numbers['setup'] % 2 == 0
    return (
        'xsub_train' if numbers['subject'] in subjects else 'xsub_test',
        f'{second_split}_train' if is_train else f'{second_split}_test',
    )


def read_tracks(text: str) -> np.ndarray:
    """Read a ``.skeleton`` file: the number of frames, and each frame's bodies after their number.

    Returns:
        np.ndarray: float32 (K, T, V=25, 3), meters: one track per body number, in the order of
        their first frames, zero where the body is not seen.

    Raises:
        ValueError: The file is cut off, has too many numbers, no body, or a body without 25 joints.
    """
    words = text.split()
    try:
        numbers = np.array(words, dtype=np.float64)
        num_frames, at = int(numbers[0]), 1
        bodies: dict[str, list[tuple[int, np.ndarray]]] = {}
        for frame in range(num_frames):
            num_bodies, at = int(numbers[at]), at + 1
            for _ in range(num_bodies):
                identity = words[at]  # a text: it has more digits than a float
                first = at + BODY_NUMBERS + 1
                if numbers[first - 1] != NUM_JOINTS:
                    raise ValueError(f'a body of {words[first - 1]} joints in frame {frame}')
                at = first + NUM_JOINTS * JOINT_NUMBERS
                if at > len(words):
                    raise IndexError
                joints = numbers[first:at].reshape(NUM_JOINTS, JOINT_NUMBERS)
                bodies.setdefault(identity, []).append((frame, joints[:, :3]))
    except IndexError:
        raise ValueError('the file is cut short') from None
    if at != len(words):
        raise ValueError(f'{len(words) - at} numbers are left over after {num_frames} frames')
    if not bodies:
        raise ValueError('no body in any frame')
    tracks = np.zeros((len(bodies), num_frames, NUM_JOINTS, 3), np.float32)
    for index, frames in enumerate(bodies.values()):
        for frame, joints in frames:
            tracks[index, frame] = joints
    return tracks


def plausible_tracks(tracks: np.ndarray) -> np.ndarray:
    """Drop tracks of noise from (K, T, V, 3), unless all tracks are noise.

    A track is noise if it has fewer than MIN_TRACK_FRAMES frames, or if it is wider than
    MAX_WIDTH_BY_HEIGHT of its height in a share of MAX_WIDE_FRAMES or more of its frames.
    """
    length = tracks.any(axis=(2, 3)).sum(axis=1)
    if (length >= MIN_TRACK_FRAMES).any():
        tracks, length = tracks[length >= MIN_TRACK_FRAMES], length[length >= MIN_TRACK_FRAMES]
    finite = np.where(np.isfinite(tracks), tracks, np.nan)  # fmax and fmin skip NaN
    extent = np.fmax.reduce(finite, 2) - np.fmin.reduce(finite, 2)  # (K, T, 3), 0 where not seen
    wide = (extent[..., 0] > MAX_WIDTH_BY_HEIGHT * extent[..., 1]).sum(axis=1)
    slim = wide < MAX_WIDE_FRAMES * length
    return tracks[slim] if slim.any() else tracks


def read_missing(path: Path) -> frozenset[str]:
    """Read the authors' list of samples with missing skeletons."""
    require(path, 'give --missing the list from the github page of NTU RGB+D, or leave it out')
    lines = read_text(path, 'check --missing').splitlines()
    if not (names := frozenset(filter(NAME.fullmatch, map(str.strip, lines)))):
        raise DataError(f'{path}: no line is a name as S001C001P001R001A001; check --missing')
    return names
