"""CLIP teachers of open_clip: embeddings of sentences and frames in a common space."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.weights import find_weights, load_strictly
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair
from mmact_ssl.models.teachers.text import TextTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class OpenCLIPTextTeacher(TextTeacher):
    """Projected text tower of a CLIP network: sentences to embeddings ``(S, D)``, of length 1.

    It downloads only the checkpoint. Sentences are cut off at the network's length, CLIP's 77
    tokens.

    Args:
        model: Name of the network in open_clip, e.g. ``'ViT-B-32'``; not of one with its own
            tokenizer (SigLIP).
        checkpoint: Weights of both towers under open_clip's names, see :func:`find_weights`.
        batch_size: See BaseTeacher.
    """

    def __init__(self, model: str, checkpoint: str, batch_size: int = 16) -> None:
        open_clip = import_extra('open_clip', 'OpenCLIPTextTeacher')
        config = _find_config(model, open_clip)
        text = config['text_cfg']
        if 'hf_tokenizer_name' in text:
            raise ConfigError(f'{model} has its own tokenizer: choose a network with that of CLIP')
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTextTeacher')
        # The constant stands in the fingerprints of caches that exist.
        identity = {'model': config, 'normalize': True}
        super().__init__(identity, {'checkpoint': path}, batch_size)
        self._tokenizer = open_clip.SimpleTokenizer(context_length=text.get('context_length', 77))
        self.freeze_external(_build(config, path, open_clip))

    def encode(self, sentences: list[str]) -> Tensor:
        """Embed sentences: ``(S, D)``."""
        tokens = self._tokenizer(sentences).to(self.device)  # (S, 77)
        return F.normalize(self.frozen.encode_text(tokens).float(), dim=1)


@MODELS.register_module()
class OpenCLIPTeacher(BaseTeacher):
    """Projected image tower of a CLIP network: frames to embeddings ``(N, D)``, of length 1.

    The whole frame is stretched to the network's input size, and normalized as CLIP's are.

    Args:
        model, checkpoint: See OpenCLIPTextTeacher; both can use the same checkpoint.
        batch_size: See BaseTeacher.
    """

    kind = 'embedding'

    def __init__(self, model: str, checkpoint: str, batch_size: int = 16) -> None:
        open_clip = import_extra('open_clip', 'OpenCLIPTeacher')
        config = _find_config(model, open_clip)
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTeacher')
        network = _build(config, path, open_clip)
        # open_clip's values are fractions, ours 0..255.
        mean = tuple(255 * value for value in open_clip.OPENAI_DATASET_MEAN)
        std = tuple(255 * value for value in open_clip.OPENAI_DATASET_STD)
        size = pair(network.visual.image_size)
        frame_input = FrameInput(size, mean, std)
        # Short side and normalization stand in the fingerprints of caches that exist.
        own_input = {**frame_input.identity(), 'short_side': max(size)}
        identity = {'model': config, 'normalize': True, 'input': own_input}
        super().__init__(identity, {'checkpoint': path}, batch_size)
        self._input = frame_input
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 ``(N, 3, H, W)`` to float32 ``(N, D)``."""
        return F.normalize(self.frozen.encode_image(self._input(frames)).float(), dim=1)


def _find_config(model: str, open_clip: Any) -> dict[str, Any]:
    """Find the config of a network by its name."""
    if model not in open_clip.list_models():
        close = get_close_matches(model, open_clip.list_models())
        raise ConfigError(
            f'open_clip {open_clip.__version__} has no network {model!r}; did you mean {close}?'
        )
    config = open_clip.get_model_config(model)
    if 'hf_model_name' in config['text_cfg'] or 'multimodal_cfg' in config:
        raise ConfigError(
            f'{model}: text towers of transformers and CoCa are not supported: choose a plain CLIP'
        )
    return config


def _build(config: dict[str, Any], path: str, open_clip: Any) -> Any:
    """Build a network and load all its weights by name.

    open_clip's factory is not used, because it resizes checkpoints of another size, and downloads.
    """
    settings = json.loads(json.dumps(config))  # a copy, which the network may change
    if 'timm_model_name' in settings['vision_cfg']:
        settings['vision_cfg']['timm_model_pretrained'] = False
    custom = settings.pop('custom_text', False)
    network = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings)
    load_strictly(network, read_state_dict(path), path)
    return network
