"""The embedding space that skeletons and sentences share after a pre-training with prompts."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.io.files import reading, shown
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.models.networks.projector import UnitProjector

# Side of the space -> fix for inputs of another size.
SIDES = {
    'skeleton': 'use the encoder of the pre-training',
    'prompt': 'use the text encoder of the pre-training',
}
# Name of the configs' head that reads sentences.
PROMPTS = 'prompts'


def projector_weights(saved: StudentFile) -> dict[str, Tensor]:
    """Read the ``skeleton_projector.*`` and ``prompt_projector.*`` of a prompt matching head.

    Args:
        saved: A pre-training with one ``PromptMatchingHead``, or one named ``prompts`` among
            several; or a file that was published with its projectors.
    """
    state = saved.weights
    parts = [key.split('.') for key in state if key.startswith('heads.')]
    tasks = sorted({part[1] for part in parts if part[2:3] == ['prompt_projector']})
    if PROMPTS in tasks:
        tasks = [PROMPTS]  # the others match something else than sentences
    if len(tasks) != 1:
        raise CheckpointError(
            f'{saved.path}: holds {len(tasks)} heads that match sentences ({tasks}), wanted '
            f'one, or {PROMPTS!r}: give a C2VL pre-training, not an exported student'
        )
    prefixes = tuple(f'heads.{tasks[0]}.{side}_projector.' for side in SIDES)
    return {k.split('.', 2)[2]: value for k, value in state.items() if k.startswith(prefixes)}


def check_encoder(saved: StudentFile, fingerprint: str, source: str) -> str:
    """Compare an encoder of sentences with the one of a pre-training.

    Args:
        saved: The pre-training, or a file that was published with its projectors.
        fingerprint, source: Those of the encoder's teacher.

    Returns:
        The fingerprint; '' if the file records no encoder.

    Raises:
        ConfigError: It is another encoder, or has other weights.
    """
    encoders = saved.sentence_encoders
    if encoders and fingerprint not in encoders:
        sources = ', '.join(map(shown, encoders.values()))
        raise ConfigError(
            f'{saved.path} learned from sentences of {sources}, another teacher or other weights '
            f'than {source}: give the config of that one'
        )
    return fingerprint if encoders else ''


class SharedSpace:
    """The two projectors of a prompt matching head, see :func:`projector_weights`."""

    def __init__(self, saved: StudentFile) -> None:
        state = projector_weights(saved)
        self.saved = saved
        with reading(saved.path, 'download or publish it again', CheckpointError):
            self.projectors = {side: _projector(state, f'{side}_projector.') for side in SIDES}

    @torch.no_grad()
    def embed(self, side: str, values: np.ndarray) -> np.ndarray:
        """Project features of skeletons or embeddings of sentences.

        Args:
            side: ``'skeleton'`` or ``'prompt'``.
            values: ``(N, C)``.

        Returns:
            float64 ``(N, E)``, rows of length 1.
        """
        projector = self.projectors[side]
        if values.shape[1] != projector.in_channels:
            raise DataError(
                f'{self.saved.path}: its {side} projector reads {projector.in_channels} values, '
                f'there are {values.shape[1]}: {SIDES[side]}'
            )
        rows = torch.as_tensor(values, dtype=torch.float64)
        if side == 'prompt':  # as the head normalizes them
            rows = F.normalize(rows, dim=1)
        embedded = F.normalize(projector(rows), dim=1)
        # NaN would rank as best or worst.
        if not embedded.isfinite().all():
            raise CheckpointError(
                f'{self.saved.path}: its encoder or {side} projector has diverged to numbers that '
                'are not finite: train again, e.g. with a smaller learning rate'
            )
        return embedded.numpy()


def _projector(state: dict[str, Tensor], prefix: str) -> UnitProjector:
    """Build a projector of the sizes in the weights."""
    weights = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    hidden, inputs = weights['0.0.weight'].shape
    with torch.device('meta'):  # without memory: the sizes come from a file
        projector = UnitProjector(inputs, hidden, len(weights['0.2.weight']))
    projector.load_state_dict(weights, assign=True)
    return projector.double().eval()
