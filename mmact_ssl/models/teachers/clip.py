"""CLIP teachers of open_clip: embeddings of sentences and frames in a common space."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.checkpoint_file import read_state_dict
from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.files import read_json, reading
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair
from mmact_ssl.models.teachers.text import TextTeacher
from mmact_ssl.registry import MODELS
from mmact_ssl.weights import find_weights, load_by_name, require_file


@MODELS.register_module()
class OpenCLIPTextTeacher(TextTeacher):
    """Projected text tower of a CLIP network: sentences to embeddings ``(S, D)``.

    It downloads only the checkpoint. Sentences are cut off at the network's length, CLIP's 77
    tokens.

    Args:
        model: Name of the network in open_clip, e.g. ``'ViT-B-32'``, or a file with its config,
            such as the ``open_clip_config.json`` of published weights. A network with its own
            tokenizer (SigLIP) needs the file, and the tokenizer's files in the same folder.
        checkpoint: Weights of both towers under open_clip's names, see :func:`find_weights`.
        normalize: Scale embeddings to length 1, as CLIP compares them.
        batch_size, precision: See BaseTeacher.
    """

    def __init__(
        self,
        model: str,
        checkpoint: str,
        normalize: bool = True,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        open_clip = import_extra('open_clip', 'OpenCLIPTextTeacher')
        config, _ = _read_config(model, open_clip)
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTextTeacher')
        identity = {'model': config, 'normalize': normalize}
        files = {'checkpoint': path}
        text = config['text_cfg']
        settings = {'context_length': text.get('context_length', 77)}
        settings.update(text.get('tokenizer_kwargs', {}))
        if 'hf_tokenizer_name' in text:
            folder = Path(model).parent
            files['tokenizer'] = str(folder / 'tokenizer.json')
            require_file(files['tokenizer'], 'tokenizer beside model of OpenCLIPTextTeacher')
            for name in ('tokenizer_config.json', 'special_tokens_map.json'):
                if (folder / name).is_file():
                    files[name] = str(folder / name)
            tokenizer: Any = open_clip.tokenizer.HFTokenizer(str(folder), **settings)
        else:
            tokenizer = open_clip.SimpleTokenizer(**settings)
        super().__init__(identity, files, batch_size, precision)
        self._tokenizer = tokenizer
        self._normalize = normalize
        self.freeze_external(_build(config, path, open_clip))

    def encode(self, sentences: list[str]) -> Tensor:
        """Embed sentences: ``(S, D)``."""
        tokens = self._tokenizer(sentences).to(self.device)  # (S, 77)
        embedding = self.frozen.encode_text(tokens).float()
        return F.normalize(embedding, dim=1) if self._normalize else embedding


@MODELS.register_module()
class OpenCLIPTeacher(BaseTeacher):
    """Projected image tower of a CLIP network: frames to embeddings ``(N, D)``.

    The whole frame is stretched to the network's input size. Mean and deviation of the channels are
    those of the config file, else CLIP's.

    Args:
        model, checkpoint, normalize: See OpenCLIPTextTeacher; both can use the same checkpoint.
        batch_size, precision: See BaseTeacher.
    """

    kind = 'embedding'

    def __init__(
        self,
        model: str,
        checkpoint: str,
        normalize: bool = True,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        open_clip = import_extra('open_clip', 'OpenCLIPTeacher')
        config, published = _read_config(model, open_clip)
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTeacher')
        network = _build(config, path, open_clip)
        # open_clip's values are fractions, ours 0..255.
        mean = tuple(255 * v for v in published.get('mean', open_clip.OPENAI_DATASET_MEAN))
        std = tuple(255 * v for v in published.get('std', open_clip.OPENAI_DATASET_STD))
        size = pair(network.visual.image_size)
        frame_input = FrameInput(size, mean, std)
        # The short side stands in the fingerprints of caches that exist.
        own_input = {**frame_input.identity(), 'short_side': max(size)}
        identity = {'model': config, 'normalize': normalize, 'input': own_input}
        super().__init__(identity, {'checkpoint': path}, batch_size, precision)
        self._input = frame_input
        self._normalize = normalize
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 ``(N, 3, H, W)`` to float32 ``(N, D)``."""
        embedding = self.frozen.encode_image(self._input(frames)).float()
        return F.normalize(embedding, dim=1) if self._normalize else embedding


def _read_config(model: str, open_clip: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the config of a network, and of its input (empty for a network by name)."""
    published: dict[str, Any] = {}
    if model.endswith('.json'):
        require_file(model, 'model of an OpenCLIP teacher')
        fix = 'give the config of open_clip with `model_cfg` that is published beside the weights'
        with reading(model, fix):
            content = read_json(model, fix, dict)
            config, published = content['model_cfg'], content.get('preprocess_cfg', {})
    elif model in open_clip.list_models():
        config = open_clip.get_model_config(model)
    else:
        close = get_close_matches(model, open_clip.list_models())
        raise ConfigError(
            f'open_clip {open_clip.__version__} has no network {model!r}; did you mean {close}? Of '
            'others give the open_clip_config.json'
        )
    if 'hf_model_name' in config['text_cfg'] or 'multimodal_cfg' in config:
        raise ConfigError(
            f'{model}: text towers of transformers and CoCa are not supported: choose a plain CLIP'
        )
    return config, published


def _build(config: dict[str, Any], path: str, open_clip: Any) -> Any:
    """Build a network and load all its weights by name.

    open_clip's factory is not used, because it resizes checkpoints of another size, and downloads.
    """
    settings = json.loads(json.dumps(config))  # a copy, which the network may change
    if 'timm_model_name' in settings['vision_cfg']:
        settings['vision_cfg']['timm_model_pretrained'] = False
    custom = settings.pop('custom_text', False)
    network = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings)
    load_by_name(network, read_state_dict(path), path)
    return network
