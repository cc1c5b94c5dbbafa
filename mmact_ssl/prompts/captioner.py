"""Sentences from a vision-language model of transformers that looks at frames of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmact_ssl.errors import ConfigError, DataError

# No class is named, and none is asked for.
QUESTION = (
    'These pictures are frames of one clip, in order, row by row. In one sentence, say how the '
    'person moves: which parts of the body, where to, how fast and in which order.'
)


class Captioner:
    """A model that ``transformers.AutoModelForVision2Seq`` loads: BLIP, GIT, LLaVA, Qwen2-VL, ...

    Nothing is downloaded, no code of the folder is run, and weights must be safetensors.

    Args:
        folder: Network and processor as ``save_pretrained`` leaves them.
        question: What it is asked. None: :data:`QUESTION` for a model with a chat template, nothing
            for one without, which then writes a caption. Of the latter a question is what the
            caption begins with.
        max_tokens: Of a sentence.
        device: Where it runs.

    Raises:
        DataError: The folder is missing or has no network.
        ConfigError: transformers is not installed, or cannot read the folder; or what is there
            does not look at pictures and write.
    """

    def __init__(
        self,
        folder: str,
        question: str | None = None,
        max_tokens: int = 60,
        device: str = 'cpu',
    ) -> None:
        self._processor, network = _load(folder)
        self._network = network.to(device).eval()
        self._device = device
        self._max_tokens = max_tokens
        self._text = self._ask(question)

    def _ask(self, question: str | None) -> str | None:
        """The text beside a picture, in the form that the model was trained with."""
        if not self._is_chat:
            return question
        content = [{'type': 'image'}, {'type': 'text', 'text': question or QUESTION}]
        return self._processor.apply_chat_template(
            [{'role': 'user', 'content': content}], add_generation_prompt=True
        )

    @torch.no_grad()
    def describe(self, picture: np.ndarray, count: int = 8, seed: int = 0) -> list[str]:
        """Write sentences about a picture.

        Args:
            picture: uint8 ``[H, W, 3]``, RGB.
            count: Sentences to draw; equal ones are given once.
            seed: Of the words that are drawn; one picture gets the same sentences whatever
                was described before.

        Returns:
            1 to ``count`` different sentences, or none if the model said nothing.
        """
        text = {} if self._text is None else {'text': self._text}
        inputs = self._processor(images=picture, return_tensors='pt', **text).to(self._device)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            tokens = self._network.generate(
                **inputs,
                do_sample=True,
                top_p=0.9,
                num_return_sequences=count,
                max_new_tokens=self._max_tokens,
            )
        asked = inputs.get('input_ids')
        # Models of chat repeat what they were asked; a caption keeps how it was begun.
        if self._is_chat and torch.equal(
            tokens[:, : asked.shape[1]], asked.expand(len(tokens), -1)
        ):
            tokens = tokens[:, asked.shape[1] :]
        lines = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return list(dict.fromkeys(' '.join(line.split()) for line in lines if line.strip()))

    @property
    def _is_chat(self) -> bool:
        return bool(getattr(self._processor, 'chat_template', None))


def _load(folder: str) -> tuple[Any, Any]:
    """Load the processor of pictures and text, and the network."""
    if not (Path(folder) / 'config.json').is_file():
        raise DataError(
            f'no file {folder}/config.json: give a folder with a vision-language model, as '
            '`huggingface-cli download NAME --local-dir FOLDER` makes it'
        )
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "the source lmm needs transformers: pip install 'mmact_ssl[teachers]'"
        ) from error
    local: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **local)
        if type(config) not in transformers.MODEL_FOR_VISION_2_SEQ_MAPPING:
            raise ConfigError(
                f'{folder} holds a network of kind {config.model_type!r}, which is no '
                'vision-language model: give one that writes about pictures, as BLIP or LLaVA'
            )
        processor: Any = transformers.AutoProcessor.from_pretrained(folder, **local)
        network = transformers.AutoModelForVision2Seq.from_pretrained(
            folder, use_safetensors=True, **local
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f'{folder}: transformers cannot read it ({reason})') from error
    if not hasattr(processor, 'image_processor'):
        raise ConfigError(
            f'{folder}: transformers has no processor of both pictures and text for '
            f'{config.model_type!r}: give a network that has one, as BLIP or LLaVA'
        )
    return processor, network
