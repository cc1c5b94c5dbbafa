"""Building a stock mmaction2 recognizer and loading the pre-trained student into it, loudly."""

from __future__ import annotations

import copy
import logging
from hashlib import sha256

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from torch import nn

from mmact_ssl.checkpoint_file import read_state_dict
from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.trained_network import check_network
from mmact_ssl.files import sha256_of_file
from mmact_ssl.weights import (
    find_weights,
    load_pretrained,
    load_strictly,
    pretrained_files,
    take_pretrained,
)

# Arguments of a backbone that name the weights which it starts from.
START_KEYS = ('checkpoint', 'pretrained')


def load_student(backbone: nn.Module, checkpoint: str, prefix: str = 'backbone.') -> None:
    """Load the student's weights, all of them or none, and log how many.

    Keys outside the prefix (pretext heads, teachers) are left out; it is '' for a bare backbone.
    """
    state = read_state_dict(checkpoint)
    student = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if not student:
        found = ', '.join(sorted({key.split('.')[0] for key in state})[:5])
        raise CheckpointError(
            f'{checkpoint}: no key begins with {prefix!r}, they begin with {found or "nothing"}; '
            'pass --prefix'
        )
    load_strictly(backbone, student, checkpoint, 'use the backbone config that it was trained with')
    print_log(f'student from {checkpoint}: {len(student)} of {len(state)} keys', logger='current')


def build_recognizer(
    cfg: Config, seed: int, checkpoint: str | None = None, prefix: str = 'backbone.'
) -> nn.Module:
    """Build the config's recognizer with mmaction2's own initialization, then load the student.

    The same seed gives the same head and the same random encoder (no checkpoint), which keeps its
    batch normalization's identity running statistics, as is usual for this baseline. Where a
    checkpoint is loaded, the weights that the config's backbone starts from need not be there.
    """
    import mmaction.models  # noqa: F401  (fills the registry)
    from mmaction.registry import MODELS

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = copy.deepcopy(cfg.model)
        if checkpoint is not None:
            backbone = model.backbone.get('backbone', model.backbone)  # of one with adapters
            for key in START_KEYS:
                backbone.pop(key, None)
        recognizer = MODELS.build(model)
        pretrained = take_pretrained(recognizer.backbone)
        # mmengine logs four lines for every parameter that it initializes.
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel(logging.WARNING)
        recognizer.init_weights()
        logger.setLevel(level)
    if checkpoint is None:
        for part, start in pretrained:
            load_pretrained(part, **start)
    else:
        if prefix.endswith('backbone.'):  # elsewhere may lie another network
            check_network(cfg, checkpoint)
        load_student(recognizer.backbone, checkpoint, prefix)
    return recognizer


def start_hash(cfg: Config) -> str:
    """Hash the weights that a downstream config's backbone starts from; '' for random ones.

    Those are its ``checkpoint`` or ``pretrained``, and what an ``init_cfg`` of type ``Pretrained``
    names: the start of a student that was not trained from scratch.
    """
    backbone = cfg.model.backbone
    start = backbone.get('backbone', backbone)  # of one with adapters
    files = [(start[key], f'model.backbone.{key}') for key in START_KEYS if start.get(key)][:1]
    files += [(file, 'model.backbone.init_cfg') for file in pretrained_files(backbone)]
    hashes = [sha256_of_file(find_weights(*file)) for file in files]
    return ''.join(hashes) if len(hashes) < 2 else sha256(' '.join(hashes).encode()).hexdigest()


def weights_hash(module: nn.Module) -> str:
    """Hash a module's names, shapes and values, sha256."""
    digest = sha256()
    for key, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous()
        digest.update(f'{key} {array.dtype} {list(array.shape)}'.encode())
        digest.update(array.view(-1).numpy().tobytes())
    return digest.hexdigest()
