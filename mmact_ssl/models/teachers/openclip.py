"""CLIP networks of open_clip: sentences and frames in one space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair
from mmact_ssl.models.teachers.sentence import strip_sentences
from mmact_ssl.models.teachers.weights import find_weights, load_by_name, read_state_dict
from mmact_ssl.registry import MODELS

# open_clip's names of how a frame becomes a square, and ours.
_RESIZES = {'shortest': 'crop', 'squash': 'stretch', 'longest': 'letterbox'}


@MODELS.register_module()
class OpenCLIPTextTeacher(BaseTeacher):
    """The text tower of a CLIP network, projected: sentences to embeddings [S, D].

    Nothing is downloaded. Sentences are cut at the network's length, 77 tokens of CLIP.

    Args:
        model: Name of the network in open_clip, e.g. ``'ViT-B-32'``, or a file with its config, as
            the ``open_clip_config.json`` beside published weights.
        checkpoint: Weights of both towers under open_clip's names, see :func:`find_weights`.
        normalize: Scale embeddings to length 1, as CLIP compares them.
        batch_size, precision: See BaseTeacher.

    Raises:
        DataError: A file is missing.
        ConfigError: open_clip is not installed or does not know the network, or the network reads
            the text with another library.
        CheckpointError: The weights are not the network's.
    """

    kind = 'text'

    def __init__(
        self,
        model: str,
        checkpoint: str,
        normalize: bool = True,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        open_clip = _import('OpenCLIPTextTeacher')
        config, _ = _read_config(model, open_clip)
        text = config['text_cfg']
        if 'hf_tokenizer_name' in text:
            raise ConfigError(
                f'OpenCLIPTextTeacher: {model} has the tokenizer {text["hf_tokenizer_name"]!r}: '
                'give the folder of the same model in transformers to SentenceTeacher'
            )
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTextTeacher')
        identity = {'model': config, 'normalize': normalize}
        super().__init__(identity, {'checkpoint': path}, batch_size, precision)
        self._normalize = normalize
        self._tokenizer: Any = open_clip.SimpleTokenizer(
            context_length=text.get('context_length', 77), **text.get('tokenizer_kwargs', {})
        )
        self._network: tuple[Any, ...] = (self.hide(_build(config, path, open_clip)),)

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences.

        Returns:
            float32 [S, D], without gradient, on the CPU; in order.

        Raises:
            DataError: There is no sentence, or one is empty.
        """
        tokens = self._tokenizer(strip_sentences(sentences, 'OpenCLIPTextTeacher'))  # (S, 77)
        return self.in_chunks(self._encode, tokens)

    def forward(self, frames: Tensor) -> Tensor:
        """Refuse frames.

        Raises:
            ConfigError: Always: a text teacher reads sentences, see :meth:`embed`.
        """
        raise ConfigError(
            'OpenCLIPTextTeacher reads sentences, not frames: use OpenCLIPTeacher for these'
        )

    def _encode(self, tokens: Tensor) -> Tensor:
        """Embed token numbers [S, L]: [S, D]."""
        embedding = self._network[0].encode_text(tokens).float()
        return F.normalize(embedding, dim=1) if self._normalize else embedding


@MODELS.register_module()
class OpenCLIPTeacher(BaseTeacher):
    """The image tower of a CLIP network, projected: frames to embeddings [N, D].

    Args:
        model, checkpoint: See OpenCLIPTextTeacher; one checkpoint serves both.
        normalize: Scale embeddings to length 1, as CLIP compares them.
        resize: To the network's own input size, see :class:`FrameInput`: ``'stretch'``, ``'crop'``
            or ``'letterbox'``; None: as the config file says, else ``'crop'``.
        mean, std: Of each channel, RGB in units of 0..255; None: as the config file says, else
            those of CLIP.
        batch_size, precision: See BaseTeacher.

    Raises:
        DataError, ConfigError, CheckpointError: As OpenCLIPTextTeacher.
    """

    kind = 'embedding'

    def __init__(
        self,
        model: str,
        checkpoint: str,
        normalize: bool = True,
        resize: str | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        open_clip = _import('OpenCLIPTeacher')
        config, published = _read_config(model, open_clip)
        path = find_weights(checkpoint, 'checkpoint of OpenCLIPTeacher')
        network = _build(config, path, open_clip)
        # open_clip's values are fractions, ours 0..255.
        mean = mean or [255 * v for v in published.get('mean', open_clip.OPENAI_DATASET_MEAN)]
        std = std or [255 * v for v in published.get('std', open_clip.OPENAI_DATASET_STD)]
        mode = published.get('resize_mode', 'shortest')
        resize = resize or _RESIZES.get(mode, mode)
        size = pair(network.visual.image_size)
        self._input = FrameInput(size, tuple(mean), tuple(std), False, resize, max(size))
        identity = {'model': config, 'normalize': normalize, 'input': self._input.identity()}
        super().__init__(identity, {'checkpoint': path}, batch_size, precision)
        self._normalize = normalize
        self._network: tuple[Any, ...] = (self.hide(network),)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 [N, 3, H, W] to float32 [N, D]."""
        embedding = self._network[0].encode_image(self._input(frames)).float()
        return F.normalize(embedding, dim=1) if self._normalize else embedding


def _import(owner: str) -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise ConfigError(f"{owner} needs open_clip: pip install 'mmact_ssl[teachers]'") from error
    return open_clip


def _read_config(model: str, open_clip: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config of a network, and of its input, empty for a name."""
    published: dict[str, Any] = {}
    if model.endswith('.json'):
        config, published = _read_file(Path(model))
    elif model in open_clip.list_models():
        config = open_clip.get_model_config(model)
    else:
        close = get_close_matches(model, open_clip.list_models())
        raise ConfigError(
            f'open_clip {open_clip.__version__} has no network {model!r}; like it: {close}; of '
            'others give the open_clip_config.json'
        )
    if 'hf_model_name' in config['text_cfg'] or 'multimodal_cfg' in config:
        raise ConfigError(
            f'{model}: text towers of transformers and CoCa are not read: choose a plain CLIP'
        )
    return config, published


def _read_file(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not file.is_file():
        raise DataError(f'no file {file} (model of an OpenCLIP teacher): correct its path')
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise DataError(f'{file} is no JSON ({error}): download it again') from error
    config = content.get('model_cfg') if isinstance(content, dict) else None
    if not isinstance(config, dict) or not {'text_cfg', 'vision_cfg'} <= set(config):
        raise DataError(
            f'{file} is no config of open_clip, which has `model_cfg` with `text_cfg` and '
            '`vision_cfg`: give the one that is published beside the weights'
        )
    return config, content.get('preprocess_cfg', {})


def _build(config: dict[str, Any], path: str, open_clip: Any) -> Any:
    """Build a network and load its weights, all of them, by name.

    Not by open_clip's factory, which takes a checkpoint of another size by resizing, and downloads.
    """
    settings = json.loads(json.dumps(config))  # the network changes its own copy
    if 'timm_model_name' in settings['vision_cfg']:
        settings['vision_cfg']['timm_model_pretrained'] = False
    custom = settings.pop('custom_text', False)
    network = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings)
    load_by_name(network, read_state_dict(path), path)
    return network
