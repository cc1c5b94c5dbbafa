"""Load a published file into its networks."""

from __future__ import annotations

import os

from mmact_ssl.apis.card import FIX, card_from, require_published
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.download import check_hash
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import reading
from mmact_ssl.parts import build_model, build_without_memory
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.weights import require_fit

PREFIX = 'backbone.'


def check_file(path: str, expected: str | None = None) -> str:
    """Sha256 of a published file.

    Raises:
        CheckpointError: It is missing, a training checkpoint or a folder, or another one is
            expected.
    """
    require_published(path)
    with reading(path, FIX, CheckpointError):
        return check_hash(path, path, expected or '', FIX)


def load_file(path: str | os.PathLike[str], expected: str | None = None) -> PretrainedModel:
    """Load a published file.

    Args:
        path: A ``.safetensors`` file of tools/publish_model.py.
        expected: Its sha256, compared before the file is parsed.

    Raises:
        CheckpointError: The file is missing, damaged or another one, or a part of it is refused.
    """
    path = os.fspath(path)
    sha256 = check_file(path, expected)
    saved = SavedRun.read(path)
    with reading(path, FIX, CheckpointError):
        card = card_from(saved.card)
    state = {key: value for key, value in saved.weights.items() if key.startswith(PREFIX)}
    state = {key[len(PREFIX) :]: value for key, value in state.items()}
    with reading(path, FIX, CheckpointError):
        size = os.path.getsize(path)
        # First without memory: weights that do not fit are refused before anything is allocated.
        require_fit(build_without_memory(card.backbone, 'backbone', size), state, path, FIX)
        backbone = build_model(card.backbone, 'backbone', 'backbone')
        backbone.load_state_dict(state)
        preprocessor = build_model(card.preprocessor, 'preprocessor', 'preprocessor')
        pooling = None
        if card.pooling is not None:
            pooling = build_model(card.pooling, 'pooling', 'pooling')
        model = PretrainedModel(backbone, preprocessor, pooling, card, sha256, path)
        model.transform  # noqa: B018  (build it here, where errors name the file)
    for part in (backbone, preprocessor, pooling):
        if part is not None:
            part.requires_grad_(False)
            part.eval()  # mmaction2's ResNet3d returns None
    return model
