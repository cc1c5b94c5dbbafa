"""Every kind of table marks what was measured or trained by an earlier version."""

from __future__ import annotations

import pytest

from mmact_ssl.evaluation.results import PRETEXT
from research import tables
from research.markers import MAKERS, fill

OF_CLIP = {'order/accuracy': 0.5, 'order/chance': 0.1, 'order/accuracy_other_clip': 0.1}
DRAWS = {'chance': 0.05}
# The marker's name, and what the results have that the table shows.
NAMES = dict(
    results=('jhmdb/CSVR', {}),
    gain=('jhmdb/LDA/ImageNet_start/CSVR', dict(protocol='lda')),
    paired=('jhmdb/ImageNet_start/CSVR@full', {}),
    pretext=('jhmdb/CSVR', dict(protocol=PRETEXT, metrics=OF_CLIP)),
    dependence=('jhmdb/CSVR', dict(protocol=PRETEXT, metrics=OF_CLIP)),
    fewshot=(
        'jhmdb/CSVR',
        dict(
            protocol='fewshot',
            metrics=DRAWS,
            details=dict(draws={'lda@1': [0.5, 0.6]}, drawn='same'),
        ),
    ),
)


@pytest.fixture
def results(make_result):
    """Makes a start and a student; ``seeds`` of each, except where a table shows one."""

    def make(kind, **changes):
        _, shown = NAMES[kind]
        seeds = (0,) if kind == 'fewshot' else (0, 1, 2)
        start = dict(method='ImageNet start', dataset='jhmdb', checkpoint_hash='imagenet')
        student = dict(method='CSVR', dataset='jhmdb')
        runs = [make_result(0.2 + s / 100, seed=s, **start, **shown) for s in seeds]
        runs += [
            make_result(0.3 + s / 50, seed=s, checkpoint_hash=f'c{s}', **student, **shown)
            for s in seeds
        ]
        for run in runs:
            for key, change in changes.items():
                setattr(run, key, change(getattr(run, key)))
        return runs

    return make


def test_all_kinds_are_here():
    assert NAMES.keys() == MAKERS.keys()


@pytest.mark.parametrize('kind', MAKERS)
@pytest.mark.parametrize('is_earlier', [False, True])
def test_a_student_of_an_earlier_recipe_is_marked(results, monkeypatch, kind, is_earlier):
    hashes = {f'c{seed}': 'another crop' for seed in range(3)} if is_earlier else {}
    monkeypatch.setattr(tables, 'earlier_recipes', lambda: hashes)
    marker = f'<!-- {kind}:{NAMES[kind][0]} -->\n<!-- /{kind}:{NAMES[kind][0]} -->'
    text = '\n'.join(fill(marker, results(kind)).splitlines()[1:-1])
    assert 'CSVR' in text or 'order' in text
    assert (tables.CAPTIONS['‡'] in text) == is_earlier
    assert ('‡' in text.replace(tables.CAPTIONS['‡'], '')) == is_earlier


@pytest.mark.parametrize('kind', ['results', 'pretext', 'dependence'])
def test_the_mark_is_at_the_variant_of_an_earlier_recipe_alone(results, monkeypatch, kind):
    monkeypatch.setattr(tables, 'earlier_recipes', lambda: {'old': 'another crop'})
    runs = results(kind)[3:]
    old = results(kind, variant=lambda _: 'a-old', checkpoint_hash=lambda _: 'old')[3:4]
    marker = f'<!-- {kind}:{NAMES[kind][0]} -->\n<!-- /{kind}:{NAMES[kind][0]} -->'
    table = [line for line in fill(marker, [*runs, *old]).splitlines() if line[:1] == '|']
    cells = [cell for line in table for cell in line.split('|') if '‡' in cell]
    assert cells and all('a-old' in cell for cell in cells)


@pytest.mark.parametrize('kind', sorted(MAKERS.keys() - {'pretext', 'dependence'}))
@pytest.mark.parametrize('is_earlier', [False, True])
def test_an_early_measurement_is_marked(results, kind, is_earlier):
    """Pretext tasks have one version."""
    text = f'<!-- {kind}:{NAMES[kind][0]} -->\n<!-- /{kind}:{NAMES[kind][0]} -->'
    filled = fill(text, results(kind, version=lambda version: version - is_earlier))
    assert (tables.CAPTIONS['†'] in filled) == is_earlier
