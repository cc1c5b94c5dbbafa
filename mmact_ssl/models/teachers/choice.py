"""Choice of the teachers of poses that this machine can run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmact_ssl.errors import ConfigError, MMActSSLError
from mmact_ssl.models.teachers import build_teacher

# In the order of preference, for videos of one person.
POSES = ('rtmpose-t_coco', 'movenet_lightning')
SEVERAL = 'rtmo-s_coco'  # for videos of several persons
SHARE = 1 / 3  # of the sampled frames that show several persons


def config_of(name: str) -> str:
    """Config of a teacher by its name in ``configs/teachers/``; a path stays as it is."""
    return name if name.endswith('.py') else f'mmact_ssl::teachers/{name}.py'


def choose_pose_teacher(sample: Callable[[], np.ndarray]) -> tuple[str, str]:
    """Name the first teacher of poses that can be built, and tell why.

    Where RTMO can be built, it counts the persons in some frames, and is taken for several.

    Args:
        sample: Gives some frames, uint8 ``(N, H, W, 3)`` RGB.

    Raises:
        ConfigError: None can be built.
    """
    reasons: dict[str, str] = {}
    for name in POSES:
        if isinstance(teacher := _built(name), str):
            reasons[name] = teacher
            continue
        several = _built(SEVERAL) if name == POSES[0] else 'MoveNet alone is installed'
        if isinstance(several, str):
            missing = [f'{other} cannot be loaded here' for other in reasons]
            return name, '; '.join([*missing, 'for one person'])
        counts = several.count_persons(torch.from_numpy(sample()).movedim(-1, 1))
        crowded = int((counts > 1).sum())
        chosen = SEVERAL if crowded > SHARE * len(counts) else name
        return chosen, f'{crowded} of {len(counts)} frames show several persons'
    raise ConfigError(
        'no teacher of poses can be built: follow one of these errors, or give another teacher by '
        f'--teacher: {"; ".join(f"{name}: {reason}" for name, reason in reasons.items())}'
    )


def _built(name: str) -> Any:
    """The teacher, or the reason why it cannot be built."""
    try:
        return build_teacher(config_of(name))
    except (MMActSSLError, OSError, ImportError) as error:
        return str(error)  # whole: it may name the file to fetch
