"""Building a stock mmaction2 recognizer and loading the pre-trained student into it, loudly."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, field

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from torch import nn

from mmact_ssl.engine.checkpoint import load_checkpoint_safely
from mmact_ssl.errors import CheckpointError


@dataclass
class LoadReport:
    """Which keys of a checkpoint were loaded.

    Attributes:
        matched: Keys of the backbone that were loaded.
        missing: Keys of the backbone that the checkpoint does not have.
        unexpected: Keys of the checkpoint under the prefix that the backbone does not have.
        mismatched: Keys whose shapes differ, with both shapes.
        others: Number of keys outside the prefix (pretext heads, teachers), which are not wanted.
    """

    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    others: int = 0

    @property
    def complete(self) -> bool:
        """Whether every key of the backbone was found, with its shape, and none was left over."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        parts = [f'{len(self.matched)} keys matched']
        for name in ('missing', 'unexpected', 'mismatched'):
            keys = getattr(self, name)
            shown = f' ({", ".join(keys[:3])}{", …" if len(keys) > 3 else ""})' if keys else ''
            parts.append(f'{len(keys)} {name}{shown}')
        return f'{", ".join(parts)}, {self.others} outside the prefix left out'


def load_student(backbone: nn.Module, checkpoint: str, prefix: str = 'backbone.') -> LoadReport:
    """Load the student's weights, all of them or none, and log what was loaded.

    Args:
        backbone: Receives the weights.
        checkpoint: File with a state dict, as a rule of a pre-trainer.
        prefix: What the student's keys begin with; '' for a bare backbone.

    Raises:
        CheckpointError: No such file, no key has the prefix, or a key is missing, left over or of
            another shape.
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
    report = LoadReport(others=len(state) - len(student))
    for key, value in own.items():
        if key not in student:
            report.missing.append(key)
        elif student[key].shape != value.shape:
            report.mismatched.append(f'{key} {list(student[key].shape)}≠{list(value.shape)}')
        else:
            report.matched.append(key)
    report.unexpected = [key for key in student if key not in own]
    if not report.complete:
        raise CheckpointError(
            f'{checkpoint}: does not fit the backbone: {report}; use the backbone config that it '
            'was trained with'
        )
    backbone.load_state_dict(student)
    print_log(f'student from {checkpoint}: {report}', logger='current')
    return report


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
