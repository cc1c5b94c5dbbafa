"""One table of encoders on one split: its numbers, its groups, and the features that it keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.apis.compare import compare, read_inputs, short_names
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.datasets.label_subset import draw_labels
from mmact_ssl.datasets.prepared_folder import write_groups
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.draws import paired_interval
from mmact_ssl.evaluation.protocols.linear import PENALTIES
from mmact_ssl.io.files import read_annotation
from mmact_ssl.preparation.skeletons import SkeletonWriter

START = 'gru,longest=16'


def write_folder(root: Path, subjects: int = 4, **lists: list[str]) -> Path:
    """A prepared folder of three classes that are hard to tell apart, two clips per subject."""
    rng, groups = np.random.default_rng(0), {}
    with SkeletonWriter(root, 'made', 'kinect20', ['carry', 'sit', 'wave'], 1) as writer:
        for number in range(6 * subjects):
            label, subject, name = number % 3, number // 3 % subjects, f'c{number:02d}'
            clip = rng.normal(size=(12, 1, 20, 3))
            clip[..., label] += 0.4 * np.sin(np.arange(12))[:, None, None]
            writer.add(name, label, clip.transpose(1, 0, 2, 3).astype(np.float32))
            groups[name] = f's{subject}'
        writer.finish(lists or {'all': [*groups]})
    write_groups(root, groups)
    return root


def slow_answers(features, labels, names, groups, train, test) -> dict[str, np.ndarray]:
    """Right answers of each classifier, by loops and scikit-learn."""
    x, y = features[train].astype(float), labels[train]
    queries, truth, found = features[test].astype(float), labels[test], {}
    unit, query_unit = x - x.mean(axis=0), queries - x.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    query_unit /= np.linalg.norm(query_unit, axis=1, keepdims=True)
    for count in (1, 2):
        found[str(count)] = []
        for seed in range(20):
            drawn = draw_labels(names[train], y, count, seed, groups[train])
            if count == 1:
                model = LogisticRegression(C=10, max_iter=5000, tol=1e-8)
                guess = model.fit(unit[drawn], y[drawn]).predict(query_unit)
            else:
                means = np.stack([unit[drawn][y[drawn] == k].mean(axis=0) for k in range(3)])
                shrunken = ledoit_wolf(unit[drawn] - means[y[drawn]], assume_centered=True)[0]
                weights = np.linalg.solve(shrunken, means.T)
                guess = (query_unit @ weights - (means.T * weights).sum(axis=0) / 2).argmax(axis=1)
            found[str(count)].append(guess == truth)
    folds = [*StratifiedGroupKFold(2).split(x, y, groups[train])]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, tol=1e-8))
    grid = GridSearchCV(probe, {'logisticregression__C': PENALTIES}, cv=folds)
    found['all, linear'] = [grid.fit(x, y).predict(queries) == truth]
    votes = KNeighborsClassifier(10, metric='cosine', weights=lambda d: np.exp((1 - d) / 0.07))
    found['all, kNN'] = [votes.fit(x, y).predict(queries) == truth]
    return {key: np.array(answers) for key, answers in found.items()}


def test_the_numbers_against_loops(skeleton_model: Encoder, tmp_path: Path):
    folder = write_folder(tmp_path / 'moves')
    models = {'start': START, 'student': skeleton_model.student.path}
    table, right, groups = compare(folder, models, tmp_path / 'rows', show_progress=False)
    names, labels = map(np.array, read_annotation(folder / 'all.txt', ''))
    own = np.array([f's{number // 3 % 4}' for number in range(24)])
    test = np.isin(names, read_annotation(folder / 'labeled_test.txt', '')[0])
    features = FeatureInferencer(models['student'], show_progress=False)(folder)['features']
    ways = (~test, test), (test, ~test)
    halves = [slow_answers(features, labels, names, own, *way) for way in ways]
    expected = {key: np.concatenate([h[key] for h in halves], axis=1) for key in halves[0]}
    assert right['student'].keys() == expected.keys()
    for key, answers in expected.items():
        # The minimizers, which differ by 1e-3, may part on one clip between two classes.
        assert np.sum(right['student'][key] != answers) <= 1, key
    lines = [[cell.strip() for cell in line.split('│')] for line in table.splitlines()]
    for key, answers in right['student'].items():
        (place,) = [n for n, cells in enumerate(lines) if key in cells]
        mean, half = paired_interval(right['start'][key], answers, groups)
        assert lines[place][3] == f'{100 * answers.mean():.1f}'
        assert lines[place + 1][3].rstrip('*') == f'{100 * mean:+.1f} ± {100 * half:.1f}'
    assert '24 test clips in 4 groups, after 12 training clips; chance 33.3' in table
    assert f'  start ({START}): not recorded\n  student ({models["student"]}): ' in table


def test_a_column_has_the_end_of_a_path():
    models = {
        'tsm-lite0': 'tsm-lite0',
        'big': 'hf-video,model=/long/big/',
        'small,frames=8': 'hf-video,model=/long/small,frames=8',
        'hf-video,model=here': 'hf-video,model=here',
        'a/training': '/runs/a/training',
        'b/training': '/runs/b/training',
        'training': 'training',
    }
    expected = {**models, 'b/training': '/runs/b/training/'}
    assert short_names([*models.values(), 'tsm-lite0', '/runs/b/training/']) == expected


@pytest.mark.parametrize('subjects', [2, 3, 5])
def test_no_group_is_on_both_sides_and_each_clip_is_tested_once(tmp_path: Path, subjects: int):
    folder = write_folder(tmp_path / 'moves', subjects)
    own = {f'c{number:02d}': number // 3 % subjects for number in range(6 * subjects)}
    first, second = read_inputs(folder, START)
    for inputs in (first, second):
        sides = [{own[name] for name in split.names} for split in (inputs.train, inputs.test)]
        assert all(sides) and not sides[0] & sides[1]
    assert sorted(first.test.names + second.test.names) == sorted(own)


def test_a_test_list_is_the_only_test(tmp_path: Path):
    names = [f'c{number:02d}' for number in range(24)]
    folder = write_folder(tmp_path / 'moves', train=names[:18], test=names[18:])
    (inputs,) = read_inputs(folder, START)
    assert inputs.test.names == names[18:] and inputs.train.names == names[:18]


def test_what_is_embedded_is_kept(labeled_world: Path, video_model: Encoder, tmp_path, monkeypatch):
    folder = tmp_path / 'data'
    shutil.copytree(labeled_world, folder)
    path, embedded = video_model.student.path, []
    models = {'start': 'r3d18-small,side=32', 'student': path, 'the same': path}
    features = Encoder.features
    monkeypatch.setattr(
        Encoder, 'features', lambda self, s: embedded.extend(s) or features(self, s)
    )
    lines = (folder / 'train.txt').read_text().splitlines(keepends=True)
    (folder / 'train.txt').write_text(''.join(lines[1:]))
    table, right, _ = compare(folder, models, tmp_path / 'rows', False)
    assert len(embedded) == 2 * 17, 'the clips of each network, once'
    assert all((right['student'][key] == right['the same'][key]).all() for key in right['student'])
    embedded.clear()
    again, _, _ = compare(folder, models, tmp_path / 'rows', False)
    assert again == table and not embedded, 'the random start too, and the time that it took'
    (folder / 'train.txt').write_text(''.join(lines))
    compare(folder, models, tmp_path / 'rows', False)
    assert len(embedded) == 2
    for file in (tmp_path / 'rows').rglob('cost.json'):
        file.write_text('[1.0]')
    with pytest.raises(DataError, match=r'cost\.json: it is \(1\.0,\): delete it'):
        compare(folder, models, tmp_path / 'rows', False)
