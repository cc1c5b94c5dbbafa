"""What a user imports: published models by name.

from mmact_ssl.apis import list_models, load_model
model = load_model('csvr_r3d_demo')
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmact_ssl.apis.zoo import find_model, list_models

if TYPE_CHECKING:
    from mmact_ssl.apis.model import PretrainedModel

__all__ = ['list_models', 'load_model']


def load_model(name: str | os.PathLike[str]) -> PretrainedModel:
    """Load a pre-trained backbone with its preprocessing, by name or from a published file.

    Args:
        name: One of :func:`list_models`, downloaded where it does not come with the package; or
            the path of a ``.safetensors`` file that tools/publish_model.py has written.

    Raises:
        CheckpointError: There is no such model, or the file is damaged or refused.
    """
    from mmact_ssl.apis.model import load_file  # the networks, which listing does without

    return load_file(*find_model(name))
