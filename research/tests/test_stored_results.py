"""Early versions of a measurement, also among the results of this repository; accuracies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis.card import read_card
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import mean_class_accuracy
from mmact_ssl.evaluation.protocols import PROTOCOLS, version_of
from mmact_ssl.evaluation.results import PRETEXT, RANDOM, read_results
from research.model_index import result_block
from research.tables import (
    earlier_recipes,
    input_kind,
    is_early,
    make_pretext_table,
    make_table,
)

ROOT = Path(__file__).parents[2]
RECALLS = {f'recall@{k}': 0.25 for k in (1, 5, 10, 20, 50)}


@pytest.mark.parametrize(
    ('changes', 'kind'),
    [
        (dict(), 'video'),
        (dict(dataset='demo-skeleton', backbone='stgcn'), 'ntu25'),
        (dict(dataset='nwucla', backbone='gru'), 'kinect20'),
        (dict(backbone='efficientnet_lite0_imagenet'), 'embedding'),
        (dict(backbone='every8', caches={'data/demo/every8.lmdb': '0'}), 'embedding'),
        (dict(dataset='mine'), ''),
        (dict(dataset='folder'), ''),
    ],
)
def test_the_version_of_today_is_that_of_protocol_and_inputs(make_result, changes, kind):
    """A result alone of its kind is early, too, if its inputs have changed since."""
    for protocol in set(PROTOCOLS) - {'fewshot'}:
        now = version_of(protocol, kind)
        metrics = {'top1': 0.25, **RECALLS}
        for version in range(1, now + 2):
            one = make_result(0.25, protocol=protocol, version=version, metrics=metrics, **changes)
            assert input_kind(one) == kind
            assert ('25.0†' in make_table([one], one.dataset)) == (version < now)


def test_all_stored_results_are_marked_if_and_only_if_they_are_early():
    stored = [
        result for result in read_results(ROOT / 'research/results') if result.protocol != PRETEXT
    ]
    teachers = [r for r in stored if r.method.startswith('Teacher at')]
    assert {input_kind(r) for r in teachers} == {'embedding'}
    kinds = {
        **dict.fromkeys(('arid', 'demo', 'jhmdb', 'utdmhad'), 'video'),
        **dict.fromkeys(('nwucla', 'nwucla-unseen', 'utdmhad-skeleton'), 'kinect20'),
        **dict.fromkeys(('msraction3d', 'utkinect'), 'kinect20'),
        'demo-skeleton': 'ntu25',
    }
    for one in stored:
        kind = 'embedding' if one in teachers else kinds[one.dataset]
        newest = version_of(one.protocol, kind)
        assert one.version <= newest, one.run
        assert is_early(one) == (one.version < newest), one.run


def test_the_accuracies_of_all_stored_results_are_those_of_their_confusion_matrices():
    stored = [r for r in read_results(ROOT / 'research/results') if 'confusion' in r.details]
    assert stored
    for one in stored:
        confusion = np.array(one.details['confusion'])
        top1 = np.trace(confusion) / confusion.sum()
        assert one.metrics['top1'] == pytest.approx(top1), one.run
        if 'mean_class' in one.metrics:
            mean = mean_class_accuracy(confusion)
            assert one.metrics['mean_class'] == pytest.approx(mean), one.run


def test_all_students_of_an_earlier_recipe_are_marked_in_each_table():
    stored = read_results(ROOT / 'research/results')
    known = earlier_recipes()
    published = {read_card(path).source_sha256 for path in (ROOT / 'zoo').glob('*.safetensors')}
    assert known and set(known) <= {r.checkpoint_hash for r in stored} - {RANDOM} | published
    for one in (r for r in stored if r.protocol not in ('fewshot', 'lda')):
        table = make_table if one.protocol != PRETEXT else make_pretext_table
        name = f'{one.dataset}/{one.method.replace(" ", "_")}'
        text = table([one], name)
        is_earlier = one.checkpoint_hash in known
        places = (f'{one.method}‡', f'{one.label}‡') if table is make_table else ('Value‡',)
        assert any(place in text for place in places) == is_earlier, one.run
        assert ('‡ Trained by' in text) == is_earlier
        index = result_block([one])
        assert (known.get(one.checkpoint_hash, '?') in index) == (is_earlier and index != '')


def test_students_of_two_recipes_are_never_averaged(make_result):
    early = make_result(0.5, seed=1, checkpoint_hash=next(iter(earlier_recipes())))
    for two in ([make_result(0.25), early], [early, make_result(0.25)]):
        with pytest.raises(ConfigError, match='on a student of an earlier recipe and on one of'):
            make_table(two, 'demo')


def test_every_confusion_that_is_stored_gives_the_accuracy_of_its_result():
    stored = [r for r in read_results(ROOT / 'research/results') if 'confusion' in r.details]
    assert len(stored) > 900
    for result in stored:
        counts = np.array(result.details['confusion'])
        top1 = counts.trace() / counts.sum()
        assert result.metrics['top1'] == pytest.approx(top1, abs=1e-6), result.run
