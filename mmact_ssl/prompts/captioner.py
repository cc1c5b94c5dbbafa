"""Sentences about the frames of a clip by a vision-language model of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmact_ssl.errors import ConfigError, DataError, import_extra, reason_of

# The question contains no class and does not ask for one.
QUESTION = (
    'These pictures are frames of one clip, in order, row by row. In one sentence, say how the '
    'person moves: which parts of the body, where to, how fast and in which order.'
)


class Captioner:
    """Model for transformers' image-text-to-text pipeline: BLIP, GIT, LLaVA, Qwen2-VL, ...

    It downloads nothing and runs no code of the folder; weights must be safetensors.

    Args:
        folder: Folder with network and processor, written by ``save_pretrained``.
        question: Question for a model with a chat template (None: :data:`QUESTION`); for another
            model the beginning of the caption.
        max_tokens: Largest number of tokens in a sentence.
    """

    def __init__(
        self,
        folder: str,
        question: str | None = None,
        max_tokens: int = 60,
        device: str = 'cpu',
    ) -> None:
        self._processor, self._network = _load(folder, device)
        self._is_chat = bool(getattr(self._processor, 'chat_template', None))
        self._question = (question or QUESTION) if self._is_chat else (question or '')
        self._max_tokens = max_tokens

    def describe(self, picture: np.ndarray, count: int = 8, seed: int = 0) -> list[str]:
        """Write up to ``count`` different sentences about a picture, uint8 ``(H, W, 3)``, RGB.

        The same ``seed`` always gives the same sentences.
        """
        prompt = self._question
        if self._is_chat:
            content = [{'type': 'image'}, {'type': 'text', 'text': prompt}]
            messages = [{'role': 'user', 'content': content}]
            prompt = self._processor.apply_chat_template(messages, add_generation_prompt=True)
        words = {'text': prompt} if prompt else {}
        inputs = self._processor(images=Image.fromarray(picture), **words, return_tensors='pt')
        options = dict(do_sample=True, top_p=0.9, max_new_tokens=self._max_tokens)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            tokens = self._network.generate(
                **inputs.to(self._network.device), num_return_sequences=count, **options
            )
        texts = self._processor.batch_decode(tokens, skip_special_tokens=True)
        if prompt:
            # Models may repeat the prompt. It stays as the beginning of a caption only.
            decode = self._processor.batch_decode
            [repeated] = decode(inputs['input_ids'], skip_special_tokens=True)
            beginning = '' if self._is_chat else f'{self._question} '
            texts = [beginning + text.removeprefix(repeated) for text in texts]
        lines = [' '.join(text.split()) for text in texts]
        return list(dict.fromkeys(line for line in lines if line))


def _load(folder: str, device: str) -> tuple[Any, Any]:
    """Load a processor and a network from a folder, offline and without running its code."""
    if not (Path(folder) / 'config.json').is_file():
        raise DataError(
            f'no file {folder}/config.json: `huggingface-cli download NAME --local-dir FOLDER`'
        )
    transformers = import_extra('transformers', 'Captioner')
    local: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, **local)
        network = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, use_safetensors=True, **local
        )
        return processor, network.to(device).eval()
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise ConfigError(
            f'{folder}: not a model that describes pictures, such as BLIP or LLaVA '
            f'({reason_of(error)})'
        ) from error
