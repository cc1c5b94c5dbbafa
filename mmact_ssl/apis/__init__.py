"""The interface for users: published models by name, embedding and search with them.

from mmact_ssl.apis import FeatureInferencer, RetrievalInferencer, embed, list_models, load_model
model = load_model('csvr_r3d_demo')
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmact_ssl.apis.zoo import find_model, list_models

if TYPE_CHECKING:
    from mmact_ssl.apis.card import Card
    from mmact_ssl.apis.feature_inferencer import FeatureInferencer, embed
    from mmact_ssl.apis.model import PretrainedModel
    from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer

__all__ = ['FeatureInferencer', 'RetrievalInferencer', 'embed', 'list_models', 'load_model']
# Imported on first use: these need the networks, and list_models does not.
_LATER = {
    'FeatureInferencer': 'feature_inferencer',
    'RetrievalInferencer': 'retrieval_inferencer',
    'embed': 'feature_inferencer',
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_LATER[name]}'), name)


def load_model(name: str | os.PathLike[str]) -> PretrainedModel:
    """Load a pre-trained backbone with its preprocessing, by name or from a published file.

    Args:
        name: One of :func:`list_models`, downloaded if it does not come with the package; or the
            path of a ``.safetensors`` file of tools/publish_model.py.

    Raises:
        CheckpointError: There is no such model, or the file is damaged or refused.
    """
    from mmact_ssl.apis.load import load_file

    return load_file(find_model(name))


def read_identity(model: str | os.PathLike[str] | PretrainedModel) -> tuple[Card, str]:
    """Card of a model and sha256 of its file, which builds no network."""
    from mmact_ssl.apis.card import read_card
    from mmact_ssl.apis.load import check_file
    from mmact_ssl.apis.model import PretrainedModel

    if isinstance(model, PretrainedModel):
        return model.card, model.sha256
    path = find_model(model)
    sha256 = check_file(path)
    return read_card(path), sha256
