"""A pair: features of a video beside those of its poses, equal to the evaluation's; refusals."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from safetensors.torch import save_file

from mmact_ssl.apis import embed, load_model
from mmact_ssl.apis import pair as pair_module
from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.clips import skeleton_sample
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.apis.onnx_export import export_onnx
from mmact_ssl.apis.publish import publish as publish_model
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.datasets import transforms
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.evaluate import check_request, evaluate
from mmact_ssl.evaluation.protocols.base import Encoder, Request
from mmact_ssl.preparation.poses import in_pixels
from mmact_ssl.saved_run import LabelsRead, SavedRun
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.values import spread
from tests.helpers.poses import MadePoses
from tests.helpers.students import write_student
from tools.evaluate import pair_features

TOLERANCE = dict(rtol=1e-5, atol=1e-6)
TEACHER = 'movenet_thunder'


@pytest.fixture
def teacher(monkeypatch) -> MadePoses:
    made = MadePoses()
    monkeypatch.setattr(pair_module, 'build_teacher', lambda config: made)
    return made


@pytest.fixture
def pair_file(teacher, video_model, common_model, tmp_path) -> Path:
    options = dict(beside=common_model.path, pose_teacher=TEACHER)
    return publish_model(SavedRun.read(video_model.path), tmp_path / 'made' / 'both', **options)


@pytest.fixture
def names(labeled_world) -> list[str]:
    return sorted(f'videos/{path.name}' for path in (labeled_world / 'videos').iterdir())


def test_features_are_those_of_both_files_and_a_cache_of_the_teacher(
    pair_file, teacher, video_model, common_model, labeled_world, names, tmp_path
):
    pair = load_model(pair_file)
    found = FeatureInferencer(pair, show_progress=False)(labeled_world / 'videos', batch_size=5)
    assert found['features'].dtype == np.float32 and found['broken'] == {}
    extract_many([ExtractionJob(teacher, tmp_path / 'pose.lmdb', every=4)], labeled_world, names)
    reader, samples = TargetReader(tmp_path / 'pose.lmdb'), []
    for name in names:
        with VideoReader(labeled_world / name) as video:
            (height, width), total = video.read([0])[0].shape[:2], video.total_frames
        clip = in_pixels(reader.get(name, spread(total, 4)), width, height)
        assert clip.any() and not clip.all()
        samples.append(common_model.transform(skeleton_sample(clip, name, 'coco17')))
    parts = [
        embed(video_model, labeled_world / 'videos'),
        common_model.features(samples).numpy(),
    ]
    lengths = [np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    expected = np.concatenate([part / length for part, length in zip(parts, lengths)], axis=1)
    np.testing.assert_allclose(found['features'], expected, **TOLERANCE)
    assert min(part.std(axis=0).max() for part in parts) > 1e-3
    one = pair.transform(
        dict(filename=str(labeled_world / names[0]), start_index=0, modality='RGB')
    )
    np.testing.assert_allclose(pair.features([one])[0], expected[0], **TOLERANCE)
    assert pair.card.feature_dim == expected.shape[1]


def test_a_video_is_opened_once_and_read_as_frames(pair_file, labeled_world, names, monkeypatch):
    pair, path = load_model(pair_file), labeled_world / names[0]
    with VideoReader(path) as reader:
        frames = np.stack(list(reader.read(range(reader.total_frames)).values()))
    opened = Mock(wraps=VideoReader)
    monkeypatch.setattr(transforms.reading, 'VideoReader', opened)
    options = dict(window=0.8, stride=0.4, return_windows=True)
    inferencer = FeatureInferencer(pair, show_progress=False)
    windows = inferencer(path, **options)
    assert opened.call_count == 1
    assert len(windows['features']) == 4 and windows['features'].std(axis=0).max() > 1e-3
    first = inferencer(frames[:8])['features']
    np.testing.assert_allclose(windows['features'][:1], first, **TOLERANCE)
    whole = inferencer([path, frames])['features']
    np.testing.assert_allclose(whole[0], whole[1], **TOLERANCE)


def test_the_teacher_sees_few_frames_of_a_long_window(pair_file):
    for total in (1, 5, 20, 62, 1000):
        part = pair_module.with_pose_frames(dict(total_frames=total, start_index=3))
        chosen = part['pose_inds']
        assert chosen[0] == 3 and chosen[-1] == total + 2 and len(chosen) <= pair_module.POSES
        assert chosen == sorted(set(chosen))
        if total < 62:
            assert chosen == (3 + spread(total, 4)).tolist()


def test_a_video_without_a_person_has_zeros_for_the_poses(pair_file, video_model):
    pair, dark = load_model(pair_file), np.zeros((9, 40, 48, 3), np.uint8)
    size = video_model.card.feature_dim
    feature, video = embed(pair, dark), embed(video_model, dark)
    np.testing.assert_allclose(feature[:size], video / np.linalg.norm(video), **TOLERANCE)
    assert not feature[size:].any()


def test_search_takes_a_pair(pair_file, labeled_world, names, tmp_path):
    search = RetrievalInferencer(str(pair_file), tmp_path / 'index', show_progress=False)
    search.add(labeled_world / 'videos')
    (hits,) = search(labeled_world / names[3], top=2)['hits']
    assert hits[0]['name'].endswith(names[3]) and hits[0]['similarity'] > 0.9999


def test_an_index_refuses_a_pair_of_other_weights(
    pair_file, video_model, publish, skeleton_config, tmp_path
):
    """The file of a pair has no weights, but the hashes of both models."""
    RetrievalInferencer(str(pair_file), tmp_path / 'index', show_progress=False)
    student = write_student(tmp_path / 'other.pth', skeleton_config, seed=8)
    beside = str(publish(skeleton_config, student, tmp_path))
    out, video = tmp_path / 'made' / 'both', SavedRun.read(video_model.path)
    other = publish_model(video, out, beside=beside, pose_teacher=TEACHER)
    first, second = (json.loads(read_card(file).to_json()) for file in (pair_file, other))
    assert {key for key in first if first[key] != second[key]} == {'parts'}
    with pytest.raises(DataError, match=r'its model is both \(\w{8}\), not both \(\w{8}\)'):
        RetrievalInferencer(str(other), tmp_path / 'index')


def test_the_evaluation_takes_a_pair(pair_file, linear_config, labeled_world):
    saved = SavedRun.read(pair_file)
    read = ['model.cls_head.num_classes=3', 'test_dataloader.dataset.ann_file=x', 'knn.k=(3,)']
    features = pair_features(str(pair_file), Namespace(device='cpu', cfg_options=read))
    encoder = Encoder(linear_config, saved)
    request = Request((encoder,), device='cpu', cache_dir=None, embed=features)
    check_request(request, ['linear', 'knn'])
    linear, knn = evaluate(request, ['linear', 'knn'])
    assert linear.checkpoint_hash == knn.checkpoint_hash == saved.sha256
    train, test = read_splits(linear_config)
    videos = [str(labeled_world / name) for name in test.names]
    np.testing.assert_allclose(features(test), embed(load_model(pair_file), videos), **TOLERANCE)
    assert features(train) is features(train) and len(features(train)) == 12
    for refused in (request, replace(request, encoders=(encoder, encoder))):
        with pytest.raises(ConfigError, match='a pair has frozen features alone'):
            check_request(refused, ['finetune'])


@pytest.mark.parametrize(
    'key',
    ['test_dataloader.dataset.pipeline.1.clip_len', 'feature_deviation', 'model.backbone.depth'],
)
def test_the_evaluation_of_a_pair_refuses_options_that_it_does_not_read(pair_file, key):
    with pytest.raises(ConfigError, match=rf'^--cfg-options {key}: .* is a pair.* leave the op'):
        pair_features(str(pair_file), Namespace(device='cpu', cfg_options=[f'{key}=4']))


def test_a_pair_reads_videos_alone(pair_file, tmp_path):
    pair = load_model(pair_file)
    skeleton = np.zeros((1, 4, 17, 2), np.float32)
    np.save(tmp_path / 'a.npy', skeleton)
    for source in (skeleton, tmp_path / 'a.npy'):
        with pytest.raises(DataError, match=r'float32 .* are not frames, uint8'):
            embed(pair, source)
    with pytest.raises(ConfigError, match='both is a pair: export each of its parts'):
        export_onnx(pair, tmp_path)


def test_the_file_names_its_parts_and_holds_no_weights(pair_file, video_model, common_model):
    card = read_card(pair_file)
    parts = [(part['name'], part['sha256']) for part in card.parts]
    assert parts == [('made', video_model.sha256), ('made', common_model.sha256)]
    assert card.pose_teacher == TEACHER and pair_file.stat().st_size < 8000
    assert card.pose_fingerprint == MadePoses().fingerprint()
    assert (card.method, card.trained_on) == ('made beside made', 'made; beside it made')


def test_labels_that_the_parts_have_read_are_on_the_card(
    teacher, video_model, common_model, tmp_path
):
    def fields(*labels) -> dict:
        paths = []
        for number, (model, read) in enumerate(zip((video_model, common_model), labels)):
            paths.append(str(tmp_path / f'{number}.safetensors'))
            card = replace(model.card, labels_read=read)
            save_file({}, paths[-1], metadata={CARD_KEY: card.to_json()})
        return pair_module.pair_fields(*paths, TEACHER)

    first, second = (dict(dataset=name, fraction=1.0, seed=0) for name in 'ab')
    for labels in ((first, None), (None, first), (first, first)):
        assert LabelsRead.parse(fields(*labels)['labels_read']) == LabelsRead.parse(first)
    assert fields(None, None)['labels_read'] is None
    both = LabelsRead.parse(fields(first, second)['labels_read'])
    assert both.records == (LabelsRead.parse(first), LabelsRead.parse(second))


@pytest.mark.parametrize(
    ('field', 'value', 'reason'),
    [
        ('pose_teacher', '../evil', "teacher of poses '../evil', refused: not one of movenet_li"),
        ('pose_teacher', 'minilm', "teacher of poses 'minilm', refused"),
        ('parts', [], 'has parts that are not a video and a skeleton model'),
        ('parts', [dict(name='../x', sha256='0' * 64)] * 2, 'has parts that are not'),
        ('parts', [dict(name='x', sha256='/etc/passwd')] * 2, 'has parts that are not'),
        ('parts', [dict(name='x', sha256='0' * 64)] * 2, "there is no model 'x'"),
        ('feature_dim', 7, 'its feature_dim is not the sum'),
        ('pose_fingerprint', '0', 'with other weights of movenet_thunder'),
    ],
)
def test_a_forged_pair_is_refused_in_one_line(pair_file, tmp_path, field, value, reason):
    values = {**json.loads(read_card(pair_file).to_json()), field: value}
    # Beside the parts, so that these are found.
    folder = pair_file.parent if field in ('feature_dim', 'pose_fingerprint') else tmp_path
    path = folder / 'a.safetensors'
    save_file({}, path, metadata={CARD_KEY: json.dumps(values)})
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_model(path)
    assert '\n' not in str(caught.value)


def test_parts_must_fit(teacher, video_model, skeleton_model, pair_file, common_model, tmp_path):
    video, out = SavedRun.read(video_model.path), tmp_path / 'made' / 'other'
    with pytest.raises(CheckpointError, match='made does not read the poses of movenet_thunder'):
        publish_model(video, out, beside=skeleton_model.path, pose_teacher=TEACHER)
    with pytest.raises(CheckpointError, match='are not a video and a skeleton model'):
        publish_model(video, out, beside=video_model.path, pose_teacher=TEACHER)
    assert not list(out.parent.glob('other*')), 'nothing stays'
    Path(common_model.path).write_bytes(Path(video_model.path).read_bytes())
    with pytest.raises(CheckpointError, match=f'{common_model.sha256} is expected'):
        load_model(pair_file)


def test_a_missing_teacher_is_named(pair_file, tmp_path, monkeypatch):
    from mmact_ssl.models.teachers import build_teacher

    monkeypatch.undo()
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path / 'empty'))
    monkeypatch.setattr(pair_module, 'build_teacher', build_teacher)
    with pytest.raises(DataError, match=r'empty/teachers/movenet_thunder.onnx.*docs/extend') as e:
        load_model(pair_file)
    assert '\n' not in str(e.value)
