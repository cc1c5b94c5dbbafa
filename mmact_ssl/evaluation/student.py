"""Building a stock mmaction2 recognizer and loading the pre-trained student into it, loudly."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from torch import nn

from mmact_ssl.engine.checkpoint import load_checkpoint_safely
from mmact_ssl.errors import CheckpointError


def load_student(backbone: nn.Module, checkpoint: str, prefix: str = 'backbone.') -> None:
    """Load the student's weights, all of them or none, and log how many.

    Args:
        backbone: Receives the weights.
        checkpoint: File with a state dict, as a rule of a pre-trainer. Keys outside the prefix
            (pretext heads, teachers) are left out.
        prefix: What the student's keys begin with; '' for a bare backbone.

    Raises:
        CheckpointError: No such file, no key has the prefix, or a key is missing, unexpected or of
            another shape; names the first of each.
    """
    content = load_checkpoint_safely(checkpoint, 'cpu')
    state = content.get('state_dict', content)
    student = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if not student:
        heads = Counter(key.split('.')[0] for key in state)
        raise CheckpointError(
            f'{checkpoint}: no key begins with {prefix!r}, they begin with '
            f'{", ".join(name for name, _ in heads.most_common(5)) or "nothing"}; pass --prefix'
        )
    own = backbone.state_dict()
    differing = dict(
        missing=[key for key in own if key not in student],
        unexpected=[key for key in student if key not in own],
        mismatched=[
            f'{key} {list(value.shape)}≠{list(own[key].shape)}'
            for key, value in student.items()
            if key in own and value.shape != own[key].shape
        ],
    )
    if any(differing.values()):
        shown = ', '.join(
            f'{len(keys)} {name} ({", ".join(keys[:3])}{", …" if len(keys) > 3 else ""})'
            for name, keys in differing.items()
            if keys
        )
        raise CheckpointError(
            f'{checkpoint}: does not fit the backbone: {shown}; use the backbone config that it '
            'was trained with'
        )
    backbone.load_state_dict(student)
    print_log(f'student from {checkpoint}: {len(student)} of {len(state)} keys', logger='current')


def build_recognizer(
    cfg: Config, seed: int, checkpoint: str | None = None, prefix: str = 'backbone.'
) -> nn.Module:
    """Build the config's recognizer with mmaction2's own initialization, then load the student.

    A random encoder (no checkpoint) keeps its batch normalization's identity running statistics, as
    is usual for this baseline.

    Args:
        cfg: Downstream config with ``model``.
        seed: Of the initialization: the same seed gives the same head and the same random encoder.
        checkpoint: File of :func:`load_student`; None for random initialization.
        prefix: As in :func:`load_student`.
    """
    import mmaction.models  # noqa: F401  (fills the registry)
    from mmaction.registry import MODELS

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        recognizer = MODELS.build(cfg.model)
        # mmengine logs four lines for every parameter that it initializes.
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel(logging.WARNING)
        recognizer.init_weights()
        logger.setLevel(level)
    if checkpoint is not None:
        load_student(recognizer.backbone, checkpoint, prefix)
    return recognizer


def weights_hash(module: nn.Module) -> str:
    """Hash a module's names, shapes and values, sha256."""
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous()
        digest.update(f'{key} {array.dtype} {list(array.shape)}'.encode())
        digest.update(array.view(-1).numpy().tobytes())
    return digest.hexdigest()
