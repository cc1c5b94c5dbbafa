"""Choice of the teachers of poses that this machine can run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch.hub import get_dir

from mmact_ssl.configs.shipped_configs import find_config
from mmact_ssl.errors import ConfigError, MMActSSLError
from mmact_ssl.models.teachers import HF, BaseTeacher, build_teacher

IMAGE_TEACHER = 'efficientnet_lite0_imagenet'  # read by the config of videos
# In the order of preference, for videos of one person.
POSES = ('rtmpose-t_coco', 'movenet_thunder', 'movenet_lightning')
SEVERAL = 'rtmo-s_coco'  # for videos of several persons
SHARE = 1 / 3  # of the sampled frames that show several persons


def choose_teachers(
    asked: Sequence[str], read_frames: Callable[[], np.ndarray]
) -> tuple[dict[str, BaseTeacher], str]:
    """Build DTG-Net's teachers: of poses, of images and, if it is asked for, ``hf:FOLDER``.

    They come in this order, by names as those ``asked`` for; the last value tells why this one of
    poses, which :func:`choose_pose_teacher` chooses if none is asked for.
    """
    others = {name: build_teacher(name) for name in asked if name.startswith(HF)}
    poses, note = [name for name in asked if name not in others], 'as asked'
    if not poses:
        chosen, note = choose_pose_teacher(read_frames)
        poses = [chosen]
    built = {name: build_teacher(config_of(name)) for name in (*poses, IMAGE_TEACHER)} | others
    if [t.kind for t in built.values()] != ['pose', 'embedding', 'embedding'][: 2 + bool(others)]:
        more = f'and at most one {HF}FOLDER; {IMAGE_TEACHER} is always there'
        raise ConfigError(f'--teacher: give one teacher of poses, {more}')
    return built, note


def choose_pose_teacher(read_frames: Callable[[], np.ndarray]) -> tuple[str, str]:
    """Name the first teacher of poses that can be built, and tell why; those that are here first.

    Where RTMO can be built, it counts the persons in some frames, and is taken for several.

    Args:
        read_frames: Reads frames of the videos, uint8 ``(N, H, W, 3)`` RGB, if they are needed.

    Raises:
        ConfigError: None can be built; a line for each says why.
    """
    reasons: list[str] = []
    for name in sorted(POSES, key=_is_downloaded_first):
        if isinstance(teacher := _built(name), str):
            reasons.append(f'  {name}: {teacher}')
            continue
        if name != POSES[0]:
            return name, f'{POSES[0]} is not on this machine'
        if isinstance(several := _built(SEVERAL), str):
            return name, 'for one person'
        counts = several.count_persons(torch.from_numpy(read_frames()).movedim(-1, 1))
        crowded = int((counts > 1).sum())
        chosen = SEVERAL if crowded > SHARE * len(counts) else name
        return chosen, f'{crowded} of {len(counts)} frames show several persons'
    print(*reasons, sep='\n', file=sys.stderr)
    raise ConfigError('no teacher of poses can be loaded: repair one of these, or give --teacher')


def _is_downloaded_first(name: str) -> bool:
    """True if a teacher has an address, and its file is not on this machine yet."""
    address = Config.fromfile(find_config(config_of(name))).teacher.get('checkpoint', '')
    return '://' in address and not Path(get_dir(), 'checkpoints', Path(address).name).is_file()


def _built(name: str) -> Any:
    """The teacher, or the reason why it cannot be built."""
    try:
        return build_teacher(config_of(name))
    except (MMActSSLError, OSError, ImportError) as error:
        return str(error)  # whole: it may name the file to fetch


def config_of(name: str) -> str:
    """Config of a teacher by its name in ``configs/teachers/``; a path and hf: stay as they are."""
    return name if name.endswith('.py') or name.startswith(HF) else f'mmact_ssl::teachers/{name}.py'
