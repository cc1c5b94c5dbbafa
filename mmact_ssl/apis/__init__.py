"""The interface for users: published models by name, embedding and search with them.

from mmact_ssl.apis import FeatureInferencer, RetrievalInferencer, embed, list_models, load_model
model = load_model('csvr_r3d_demo')
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmact_ssl.io.zoo import list_models

if TYPE_CHECKING:
    from mmact_ssl.apis.feature_inferencer import FeatureInferencer, embed
    from mmact_ssl.apis.labeler import label
    from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
    from mmact_ssl.encoders.encoder import Encoder

__all__ = ['FeatureInferencer', 'RetrievalInferencer', 'embed', 'label']
__all__ += ['list_models', 'load_model']
# Imported on first use: these need the networks, and list_models does not.
_LATER = {
    'FeatureInferencer': 'feature_inferencer',
    'RetrievalInferencer': 'retrieval_inferencer',
    'embed': 'feature_inferencer',
    'label': 'labeler',
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_LATER[name]}'), name)


def load_model(name: str | os.PathLike[str], encoder: str | None = None) -> Encoder:
    """Load a pre-trained encoder, see :meth:`mmact_ssl.encoders.encoder.Encoder.load`.

    Args:
        name: One of :func:`list_models`, downloaded if it does not come with the package; or the
            path of a published file, of a training checkpoint or of a work dir.
        encoder: Encoder config of a file that records none, or one that is not shipped.

    Raises:
        CheckpointError: There is no such model, or the file is damaged or refused.
    """
    from mmact_ssl.encoders.encoder import Encoder

    return Encoder.load(name, encoder)
