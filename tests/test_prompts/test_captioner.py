"""A vision-language model that takes questions: asked in its own form, and only its answer kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.prompts.captioner import QUESTION, Captioner

transformers = pytest.importorskip('transformers')
TEMPLATE = (
    '{% for message in messages %}USER: {% for part in message.content %}'
    "{% if part.type == 'image' %}<image> {% else %}{{ part.text }} {% endif %}{% endfor %}"
    '{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}'
)
ASKED = 'how does she wave'
SIDE, PATCH = 16, 8  # pixels of a picture and of what one token stands for
PICTURE = (np.arange(32 * 48 * 3) % 251).reshape(32, 48, 3).astype(np.uint8)


@pytest.fixture(scope='module')
def llava(tmp_path_factory) -> Path:
    """A small LLaVA with random weights, saved as transformers saves."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp('llava')
    special = ['<pad>', '<s>', '</s>', '<unk>', '<image>']
    words = f'USER: ASSISTANT: {QUESTION} {ASKED} claps slowly upward'.split()
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*special, *words]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token='<pad>',
        bos_token='<s>',
        eos_token='</s>',
        unk_token='<unk>',
        additional_special_tokens=['<image>'],
        model_input_names=['input_ids', 'attention_mask'],
    )
    images = transformers.CLIPImageProcessor(
        size={'shortest_edge': SIDE}, crop_size={'height': SIDE, 'width': SIDE}
    )
    transformers.LlavaProcessor(
        images,
        fast,
        patch_size=PATCH,
        vision_feature_select_strategy='default',
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    ids = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(image_size=SIDE, patch_size=PATCH, **size),
        text_config=transformers.LlamaConfig(vocab_size=len(vocabulary), **size, **ids),
        image_token_index=vocabulary['<image>'],
    )
    torch.manual_seed(0)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture
def generated(monkeypatch) -> list[tuple[dict, torch.Tensor]]:
    """Inputs and outputs of models, call by call."""
    calls = []
    generate = transformers.LlavaForConditionalGeneration.generate

    def spy(self, **inputs):
        calls.append((inputs, generate(self, **inputs)))
        return calls[-1][1]

    monkeypatch.setattr(transformers.LlavaForConditionalGeneration, 'generate', spy)
    return calls


@pytest.mark.parametrize('question', [None, ASKED])
def test_a_model_of_chat_is_asked_by_its_template_and_only_answers(llava, generated, question):
    captioner = Captioner(str(llava), question, max_tokens=5)
    sentences = captioner.describe(PICTURE, count=4)
    [(inputs, tokens)] = generated
    tokenizer = transformers.AutoTokenizer.from_pretrained(llava)
    picture = '<image> ' * (SIDE // PATCH) ** 2
    prompt = f'USER: {picture}{question or QUESTION} ASSISTANT:'
    assert tokenizer.decode(inputs['input_ids'][0]) == prompt
    assert inputs['pixel_values'].shape == (1, 3, SIDE, SIDE)
    length = inputs['input_ids'].shape[1]
    assert torch.equal(tokens[:, :length], inputs['input_ids'].expand(4, -1))  # it repeats them
    answers = tokenizer.batch_decode(tokens[:, length:], skip_special_tokens=True)
    assert sentences == list(dict.fromkeys(answer for answer in answers if answer))
    assert 1 <= len(sentences) <= 4
    assert all(1 <= len(sentence.split()) <= 5 for sentence in sentences)


def test_a_picture_gets_the_same_sentences_whatever_came_before(llava):
    captioner = Captioner(str(llava), max_tokens=8)
    first = captioner.describe(PICTURE, count=3, seed=1)
    state = torch.get_rng_state()
    captioner.describe(255 - PICTURE)
    assert captioner.describe(PICTURE, count=3, seed=1) == first
    assert captioner.describe(PICTURE, count=3, seed=2) != first
    assert torch.equal(torch.get_rng_state(), state)


class Code:
    def __reduce__(self):
        return print, ('executed',)


def test_a_pickle_is_not_read(llava, tmp_path, capsys):
    folder = tmp_path / 'pickled'
    shutil.copytree(llava, folder)
    (folder / 'model.safetensors').unlink()
    torch.save({'weight': Code()}, folder / 'pytorch_model.bin')
    with pytest.raises(ConfigError, match='pickled: not a model'):
        Captioner(str(folder))
    assert 'executed' not in capsys.readouterr().out
