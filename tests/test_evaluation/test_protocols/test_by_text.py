"""Classes and clips found by text: right where the space is right, loud where something lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import text_retrieval, zeroshot
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.processes import Process
from tests.helpers.unfixed import TEXT_LIBRARIES

CLASSES = ['carry', 'sit down', 'wave']
WIDTH = 8


def write_checkpoint(path: Path, head: PromptMatchingHead, **others) -> str:
    state = {f'heads.prompts.{key}': value for key, value in head.state_dict().items()}
    torch.save(dict(state_dict={**state, **others}), path)
    return str(path)


def write_texts(path: Path, texts: dict[str, np.ndarray], kind: str = 'text') -> str:
    with TargetWriter(path, TargetMeta(kind, '', 'f')) as writer:
        for key, values in texts.items():
            writer.put(key, values.astype(np.float32))
    return str(path)


@pytest.fixture
def classify(make_task):
    """Runs zero-shot classification of these features."""

    def run_zeroshot(features, space, texts, classes=CLASSES):
        task = make_task(features, features, classes, checkpoint=space.saved)
        return zeroshot.evaluate(task, texts)

    return run_zeroshot


@pytest.fixture
def retrieve(make_task):
    """Runs text retrieval of these features."""

    def run_retrieval(features, space, texts, names, topk=(1, 5, 10)):
        task = make_task(features, features, 1, names, checkpoint=space.saved)
        return text_retrieval.evaluate(task, texts, topk)

    return run_retrieval


@pytest.fixture
def identity(tmp_path) -> SharedSpace:
    """A space that leaves directions as they are: relu(x) - relu(-x) = x."""
    head = PromptMatchingHead(WIDTH, WIDTH, hidden_dim=2 * WIDTH, embedding_dim=WIDTH)
    eye = torch.eye(WIDTH)
    with torch.no_grad():
        for projector in (head.skeleton_projector[0], head.prompt_projector[0]):
            projector[0].weight.copy_(torch.cat([eye, -eye]))
            projector[2].weight.copy_(torch.cat([eye, -eye], 1))
            projector[0].bias.zero_()
            projector[2].bias.zero_()
    return SharedSpace(SavedRun.read(write_checkpoint(tmp_path / 'identity.pth', head)))


@pytest.mark.parametrize('streams', [1, 3])
def test_the_space_is_that_of_the_head(tmp_path, streams):
    torch.manual_seed(0)
    sizes = dict(hidden_dim=6, embedding_dim=4, streams=streams)
    head = PromptMatchingHead(5 * streams, 7, cross_consistency=True, **sizes)
    space = SharedSpace(
        SavedRun.read(write_checkpoint(tmp_path / 'c.pth', head, **{'backbone.w': torch.ones(1)}))
    )
    pooled, prompt = torch.randn(3, 5 * streams), torch.randn(3, 1, 7)
    with torch.no_grad():
        expected = [torch.nn.functional.normalize(v, dim=1) for v in head.embed(pooled, prompt)]
    found = space.embed('skeleton', pooled.numpy()), space.embed('prompt', prompt[:, 0].numpy())
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)


def test_of_several_heads_the_one_of_sentences_is_taken(tmp_path):
    prompts, frames = (PromptMatchingHead(5, 7, hidden_dim=6, embedding_dim=4) for _ in range(2))
    others = {f'heads.frames.{key}': value for key, value in frames.state_dict().items()}
    space = SharedSpace(SavedRun.read(write_checkpoint(tmp_path / 'c.pth', prompts, **others)))
    for side in ('skeleton', 'prompt'):
        expected = getattr(prompts, f'{side}_projector').state_dict()
        for key, value in space.projectors[side].state_dict().items():
            torch.testing.assert_close(value, expected[key].double())
    renamed = {key.replace('frames', 'others'): value for key, value in others.items()}
    torch.save(dict(state_dict={**others, **renamed}), tmp_path / 'two.pth')
    with pytest.raises(CheckpointError, match=r"holds 2 heads .*\['frames', 'others'\].*'prompts'"):
        SharedSpace(SavedRun.read(tmp_path / 'two.pth'))


def test_each_clip_gets_the_class_whose_sentences_are_most_similar(identity, tmp_path, classify):
    generator = np.random.default_rng(0)
    texts = {name: generator.normal(size=(3, WIDTH)) for name in CLASSES}
    cache = write_texts(tmp_path / 'classes', texts)
    labels = np.arange(12) % 3
    values = generator.normal(size=(12, WIDTH))
    expected = []
    for row in values:
        scores = []
        for name in CLASSES:
            center = sum(text / np.linalg.norm(text) for text in texts[name])
            scores.append(row @ center / np.linalg.norm(center))
        expected.append(int(np.argmax(scores)))
    found = classify(Features(values, labels), identity, cache)
    assert found.metrics['top1'] == pytest.approx(np.mean(np.array(expected) == labels))
    assert np.sum(found.details['confusion']) == 12


def test_each_sentence_searches_its_clip(identity, tmp_path, retrieve):
    generator = np.random.default_rng(0)
    values, names = generator.normal(size=(20, WIDTH)), [f'clip{i}' for i in range(20)]
    texts = {name: row + generator.normal(size=(2, WIDTH)) for name, row in zip(names[:-1], values)}
    cache = write_texts(tmp_path / 'clips', texts)
    features = Features(values, np.zeros(20, int))
    found = retrieve(features, identity, cache, names, (1, 3))
    metrics = found.metrics
    shares = {1: [], 3: []}
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    for position, name in enumerate(names[:-1]):
        for k, share in shares.items():
            hits = [position in np.argsort(-(unit @ text))[:k] for text in texts[name]]
            share.append(np.mean(hits))
    assert metrics == pytest.approx({f'recall@{k}': np.mean(v) for k, v in shares.items()})
    assert 0 < metrics['recall@1'] < metrics['recall@3'] < 1
    assert found.details == {'clips': 20, 'without_sentence': 1}


@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_sentences_of_another_encoder_are_refused(ending, identity, tmp_path, classify, retrieve):
    """They have the same size and other directions."""
    state = torch.load(identity.saved.path)['state_dict']

    def space(fingerprint: str) -> SharedSpace:
        path = f'{tmp_path}/told-{fingerprint}.{ending}'
        if ending == 'pth':
            record = {'train': {'prompt': {fingerprint: 'words'}} if fingerprint else {}}
            torch.save(dict(state_dict=state, meta=dict(target_caches=record)), path)
        else:
            card = dict(text_encoder='words', text_fingerprint=fingerprint)
            save_file(state, path, {CARD_KEY: json.dumps(card)})
        return SharedSpace(SavedRun.read(path))

    cache = write_texts(tmp_path / 'texts', {name: np.eye(WIDTH)[:2] for name in CLASSES})
    features = Features(np.eye(WIDTH)[:3], np.arange(3))
    for known in ('f', ''):  # that of the cache; a checkpoint that does not say it
        assert classify(features, space(known), cache).metrics
        assert retrieve(features, space(known), cache, CLASSES).metrics
    refusal = 'learned from sentences of words, another .* than the encoder of .*texts: extract its'
    with pytest.raises(ConfigError, match=refusal):
        classify(features, space('other'), cache)
    with pytest.raises(ConfigError, match=refusal):
        retrieve(features, space('other'), cache, CLASSES)


def test_clips_without_any_sentence_are_refused(identity, tmp_path, retrieve):
    cache = write_texts(tmp_path / 'clips', {'clip': np.ones((1, WIDTH))})
    features = Features(np.ones((20, WIDTH)), np.zeros(20, int))
    with pytest.raises(DataError, match='no sentence about any of the 20 test clips'):
        retrieve(features, identity, cache, ['x'] * 20)


def test_clips_that_share_their_sentences_are_refused(identity, tmp_path, retrieve):
    cache = write_texts(tmp_path / 'clips', {'2': np.ones((1, WIDTH))})
    features = Features(np.ones((2, WIDTH)), np.zeros(2, int))
    with pytest.raises(DataError, match="'2' is the only entry for two samples, 'jump/2.mp4' and"):
        retrieve(features, identity, cache, ['jump/2.mp4', 'run/2.mp4'])


def test_a_collapsed_space_finds_nothing(identity, tmp_path, retrieve):
    names = [f'clip{i}' for i in range(5)]
    cache = write_texts(tmp_path / 'clips', {name: np.ones((1, WIDTH)) for name in names})
    features = Features(np.ones((5, WIDTH)), np.zeros(5, int))
    assert retrieve(features, identity, cache, names).metrics['recall@1'] == 0


@pytest.mark.parametrize('broken', [float('nan'), float('inf')])
def test_a_diverged_training_is_refused(tmp_path, broken, classify, retrieve):
    head = PromptMatchingHead(WIDTH, WIDTH, hidden_dim=6, embedding_dim=4)
    features = Features(np.eye(WIDTH), np.arange(WIDTH) % 3)
    names = [f'clip{i}' for i in range(WIDTH)]
    clips = write_texts(tmp_path / 'clips', {name: np.ones((1, WIDTH)) for name in names})
    classes = write_texts(tmp_path / 'classes', {name: np.ones((1, WIDTH)) for name in CLASSES})

    space = SharedSpace(SavedRun.read(write_checkpoint(tmp_path / 'c.pth', head)))
    values = Features(np.full((WIDTH, WIDTH), broken), features.labels)
    with pytest.raises(CheckpointError, match=r'c\.pth: .*projector has diverged'):
        retrieve(values, space, clips, names)
    with pytest.raises(CheckpointError, match='diverged'):
        classify(values, space, classes)
    with torch.no_grad():
        head.skeleton_projector[0][2].bias.fill_(broken)
    with pytest.raises(CheckpointError, match=r'c\.pth: .*skeleton_projector.* is not finite'):
        SharedSpace(SavedRun.read(write_checkpoint(tmp_path / 'c.pth', head)))


def test_what_cannot_be_compared_counts_before_the_own_clip(
    identity, tmp_path, monkeypatch, retrieve
):
    rows = [(1, 'a', np.array([[0.1, 0.5, np.nan]])), (2, 'b', np.array([[0.1, 0.5, np.nan]]))]
    monkeypatch.setattr(text_retrieval, 'similarities', lambda *args: iter(rows))
    cache = write_texts(tmp_path / 'clips', {name: np.ones((1, WIDTH)) for name in 'ab'})
    features = Features(np.ones((4, WIDTH)), np.zeros(4, int))
    metrics = retrieve(features, identity, cache, ['w', 'x', 'y', 'z'], (1, 2, 3, 4)).metrics
    assert metrics == {'recall@1': 0.0, 'recall@2': 0.5, 'recall@3': 1.0}, 'all four say nothing'


def test_what_lacks_is_named(identity, tmp_path, classify, retrieve):
    features = Features(np.ones((2, WIDTH)), np.array([0, 1]))
    texts = write_texts(tmp_path / 't', {'carry': np.ones((1, WIDTH))})
    with pytest.raises(DataError, match="no sentence about 2 of 3 classes, e.g. 'sit down'"):
        classify(features, identity, texts)
    with pytest.raises(DataError, match='no sentence about any of the 2 test clips'):
        retrieve(features, identity, texts, ['a', 'b'])
    other = write_texts(tmp_path / 'o', {'carry': np.ones((1, 3))})
    with pytest.raises(DataError, match='prompt projector reads 8 .* are 3: use the text encoder'):
        classify(features, identity, other, CLASSES[:1])
    with pytest.raises(DataError, match='skeleton projector reads 8 .* are 4: use the downstream'):
        classify(Features(np.ones((2, 4)), features.labels), identity, texts, ['carry'])
    frames = write_texts(tmp_path / 'f', {'carry': np.ones((1, WIDTH))}, 'embedding')
    with pytest.raises(DataError, match="holds 'embedding', wanted sentences"):
        classify(features, identity, frames, ['carry'])
    torch.save(dict(state_dict={'backbone.w': torch.ones(1)}), tmp_path / 'student.pth')
    with pytest.raises(CheckpointError, match='holds 0 heads .*not an exported student'):
        SharedSpace(SavedRun.read(tmp_path / 'student.pth'))


@pytest.fixture
def pretrained(skeleton_config, tmp_path) -> str:
    """A checkpoint of a small encoder and a prompt matching head."""
    backbone = build_recognizer(skeleton_config, seed=3).backbone
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.manual_seed(0)
    head = PromptMatchingHead(16, 6, hidden_dim=8, embedding_dim=4)
    return write_checkpoint(tmp_path / 'epoch.pth', head, **state)


def test_both_protocols_run_beside_the_others(skeleton_config, pretrained, tmp_path, run):
    random = np.random.default_rng(0)
    about = [CLASSES, [f'a0{i}_v3_0' for i in range(3)]]
    classes, clips = (
        write_texts(tmp_path / names[0], {name: random.normal(size=(2, 6)) for name in names})
        for names in about
    )
    protocols = ['zeroshot', 'text-retrieval']
    with pytest.raises(ConfigError, match='give the text cache by --cl'):
        run(skeleton_config, protocols, pretrained)
    skeleton_config.merge_from_dict({'zeroshot.texts': classes, 'text_retrieval.texts': clips})
    results = run(skeleton_config, [*protocols, 'knn'], pretrained)
    assert [result.protocol for result in results] == [*protocols, 'knn']
    assert results[0].details['classes'] == CLASSES
    assert results[1].details == {'clips': 6, 'without_sentence': 3}
    assert [list(result.caches) for result in results] == [[classes], [clips], []]
    with TargetWriter(clips, TargetMeta('text', '', 'f')) as writer:
        writer.put('not_of_the_test_split', np.ones((1, 6), np.float32))
    with TargetWriter(classes, TargetMeta('text', '', 'f')) as writer:
        writer.put('wave', np.ones((1, 6), np.float32))
    again = run(skeleton_config, protocols, pretrained)
    assert [result.config_hash for result in again] == [r.config_hash for r in results[:2]]
    assert again[0].caches != results[0].caches, 'other sentences about a class'
    assert again[1].caches == results[1].caches, 'no test clip has others'
    with pytest.raises(ConfigError, match='zeroshot needs the projectors .* drop --random'):
        run(skeleton_config, ['zeroshot'])


BLOCKED = f"""
import sys
LIBRARIES = {TEXT_LIBRARIES}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in LIBRARIES:
            raise ModuleNotFoundError(f'{{name}} is blocked')
sys.meta_path.insert(0, Refuse())
# mmengine imports transformers where it is installed.
for name in [name for name in sys.modules if name.partition('.')[0] in LIBRARIES]:
    del sys.modules[name]
from mmengine.config import Config
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.evaluation.evaluate import evaluate
from mmact_ssl.evaluation.protocols.base import Encoder, Request
config = Config.fromfile(sys.argv[1])
config.merge_from_dict({{'zeroshot.texts': sys.argv[3]}})
request = Request((Encoder(config, SavedRun.read(sys.argv[2])),))
print([result.protocol for result in evaluate(request, ['zeroshot', 'knn'])])
"""


def test_evaluating_imports_no_text_library(skeleton_config, pretrained, tmp_path):
    """Nor does importing the package: tests/test_compat.py imports every module without them."""
    texts = write_texts(tmp_path / 'classes', {name: np.eye(6)[:1] for name in CLASSES})
    skeleton_config.dump(tmp_path / 'plain.py')
    run = Process.program('-c', BLOCKED, str(tmp_path / 'plain.py'), pretrained, texts)
    assert "['zeroshot', 'knn']" in run.wait().out
