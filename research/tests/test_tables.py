"""Tables between markers: content, order, rounding, and what must not be mixed."""

from __future__ import annotations

import re

import pytest

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.results import read_results
from research.headings import format_cell
from research.markers import fill, update_files
from research.tables import make_dependence_table, make_table

RECALLS = {f'recall@{k}': 0.25 for k in (1, 5, 10, 20, 50)}


@pytest.fixture
def result(make_result):
    """Makes a result, the method first."""

    def make(method='CSVR', value=0.5, **changes):
        return make_result(value, method=method, **changes)

    return make


@pytest.fixture
def results(result) -> list:
    return [
        result('Random init', 0.1),
        result('Random init', 0.2, protocol='finetune', label_fraction=0.1),
        result(value=0.4, variant='no-pose'),
        result(value=0.50),
        result(value=0.53, seed=1),
        result(value=0.3, protocol='knn'),
        result('MS2L', 0.35),
        result(value=0.9, dataset='jhmdb', synthetic=False),
    ]


def test_the_table_of_a_data_set(results):
    assert make_table(results, 'demo') == (
        'Top-1 accuracy in %, demo (synthetic data), r3d18-small, '
        'mean ± deviation over 1 to 2 seeds.\n'
        '\n'
        '| Method | Linear | kNN |\n'
        '| --- | ---: | ---: |\n'
        '| Random init | 10.0 | - |\n'
        '| CSVR | 51.5 ± 2.1 | 30.0 |\n'
        '| CSVR, no-pose | 40.0 | - |\n'
        '| MS2L | 35.0 | - |\n'
    )

    assert make_table(results[::-1], 'demo') == make_table(results, 'demo')


def test_data_sets_joined_in_a_marker_share_a_table_in_its_order(results):
    table = make_table(results, 'jhmdb/CSVR;demo/CSVR@full;demo/MS2L?linear')
    assert table == (
        'Top-1 accuracy in %, demo (synthetic data), jhmdb (real data), r3d18-small, '
        'mean ± deviation over 1 to 2 seeds.\n'
        '\n'
        '| Data | Method | Linear | kNN |\n'
        '| --- | --- | ---: | ---: |\n'
        '| jhmdb | CSVR | 90.0 | - |\n'
        '| demo | Random init | 10.0 | - |\n'
        '| demo | CSVR | 51.5 ± 2.1 | 30.0 |\n'
        '| demo | MS2L | 35.0 | - |\n'
    )


def test_a_method_keeps_the_baseline_of_its_backbone(results, result):
    gru = result('Random init', 0.3, variant='streams', backbone='gru', config_hash='g')
    assert 'streams' in make_table([*results, gru], 'demo/Random_init')
    table = make_table([*results, gru], 'demo/CSVR')
    assert '| Random init |' in table
    assert 'streams' not in table and 'MS2L' not in table


def test_rounding_is_fixed():
    assert format_cell([]) == '-'
    assert format_cell([12.345]) == '12.3'
    assert format_cell([10.0, 20.0, 30.0]) == '20.0 ± 10.0'
    assert format_cell([50.0, 50.0]) == '50.0 ± 0.0'


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(method='CSVR', config_hash='other', seed=1), 'by different settings'),
        (dict(backbone='r3d18', data_version='other'), 'on different data'),
        (dict(data_version='other'), 'on different data'),
    ],
)
def test_results_that_cannot_be_compared_are_not_mixed(changes, reason, result):
    one, other = result(), {'method': 'DTG-Net', **changes}
    with pytest.raises(ConfigError, match=rf"column 'Linear': csvr.* and .* measured {reason}"):
        make_table([one, result(**other)], 'demo')


def test_another_backbone_is_named_and_has_its_own_settings(result):
    other = dict(backbone='stgcn', config_hash='clip_b')
    lines = make_table([result(value=0.5), result('MS2L', value=0.75, **other)], 'demo').split('\n')
    assert ', backbone in brackets, ' in lines[0]
    assert lines[4:6] == ['| CSVR (r3d18-small) | 50.0 |', '| MS2L (stgcn) | 75.0 |']


def test_every_protocol_and_share_of_labels_has_a_column(result):
    shares = (0.01, 0.05, 0.1, 0.2, 0.4, 1.0)
    rows = [
        result(protocol=protocol, label_fraction=share, config_hash=f'{protocol}{share}')
        for protocol in ('linear', 'lda', 'finetune')
        for share in shares
    ]
    rows.append(result(protocol='knn'))
    rows.append(result(protocol='retrieval', metrics=RECALLS))
    part = [f'{100 * share:g} %' for share in shares[:-1]]
    heading = ['Method', 'Linear', *(f'Linear, {share}' for share in part)]
    heading += ['LDA', *(f'LDA, {share}' for share in part), 'kNN']
    heading += [f'R@{k}' for k in (1, 5, 10, 20, 50)]
    heading += [*(f'Fine-tuned, {share}' for share in part), 'Fine-tuned']
    assert make_table(rows, 'demo').splitlines()[2] == f'| {" | ".join(heading)} |'
    some = make_table(rows, 'demo/CSVR?linear,knn').splitlines()[2]
    assert some.startswith('| Method | Linear |') and some.endswith('| Linear, 40 % | kNN |')
    assert make_table(rows, 'demo').startswith('Top-1 accuracy and recall in %')
    assert make_table(rows, 'demo/CSVR?retrieval').startswith('Recall in %')


def test_a_marker_may_pick_variants(result):
    rows = [
        result(variant=variant, method=method)
        for method in ('CSVR', 'Random init')
        for variant in ('full', 'no-pose', 'streams')
    ]
    lines = make_table(rows, 'demo/CSVR@full,streams?linear').splitlines()[4:]
    names = [line.split('|')[1].strip() for line in lines]
    assert names[:3] == ['Random init', 'Random init, no-pose', 'Random init, streams']
    assert names[3:] == ['CSVR', 'CSVR, streams']


def test_one_pretraining_is_not_passed_off_as_several(result):
    def caption(*hashes):
        rows = [
            result(seed=seed, checkpoint_hash=name, protocol='finetune')
            for seed, name in enumerate(hashes)
        ]
        return make_table(rows, 'demo').splitlines()[0]

    assert caption('a', 'a').endswith(
        ' One pre-training, so ± leaves out variation between pre-trainings: CSVR (all columns).'
    )
    for hashes in (['a', 'b'], ['random', 'random'], ['a']):
        assert 'One pre-training' not in caption(*hashes)
        assert 'more than one' not in caption(*hashes), 'of one seed'
    rows = [
        result(method, seed=seed, checkpoint_hash=name, protocol=protocol, label_fraction=fraction)
        for method in ('HCPG', 'CSVR', 'DTG-Net')
        for protocol, fraction, names in (
            ('linear', 1.0, 'ab'),
            ('finetune', 0.1, 'cd' if method == 'DTG-Net' else 'cc'),
            ('finetune', 1.0, 'cc'),
        )
        for seed, name in enumerate(names)
    ]
    assert (
        ': CSVR and HCPG (columns *Fine-tuned, 10 %* and *Fine-tuned*); '
        'DTG-Net (column *Fine-tuned*). The columns of one seed come from more than one '
        'checkpoint: CSVR; DTG-Net; HCPG.'
    ) in make_table(rows, 'demo').splitlines()[0]


def test_what_no_seed_changes_counts_once(result):
    def rows(*hashes, **changes):
        return [result(seed=k, checkpoint_hash=name, **changes) for k, name in enumerate(hashes)]

    table = make_table([*rows('a', 'a'), *rows('a', 'a', protocol='finetune')], 'demo')
    assert '| CSVR | 50.0 | 50.0 ± 0.0 |' in table
    assert 'CSVR (all columns)' in table, 'the only column that has a deviation'
    assert '| CSVR | 50.0 |' in make_table(rows('a', 'a'), 'demo')
    assert 'mean over 1 seed.' in make_table(rows('a', 'a'), 'demo')
    for several in (
        rows('a', 'b'),
        rows('random', 'random'),
        rows('a', 'a', label_fraction=0.1),
        rows('a', 'a', protocol='finetune'),
    ):
        assert '| CSVR | 50.0 ± 0.0 |' in make_table(several, 'demo')
    other = result(value=0.7, seed=1, checkpoint_hash='a')
    assert '60.0 ± 14.1' in make_table([*rows('a'), other], 'demo'), 'of other random adapters'


def test_files_are_renewed_once_and_the_rest_is_kept(tmp_path, results):
    for entry in results:
        entry.write(tmp_path / 'results')
    page = tmp_path / 'page.md'
    page.write_text(
        '# Title\n\n<!-- results:demo -->\nold\n<!-- /results:demo -->\n\nBetween.\n'
        '<!-- results:none -->\n<!-- /results:none -->\nEnd.\n'
    )
    results = read_results(tmp_path / 'results')
    before = page.read_text()
    assert update_files([page], results, write=False) == [page]
    assert page.read_text() == before
    assert update_files([page], results) == [page]
    text = page.read_text()
    assert make_table(results, 'demo') in text
    assert '*No results yet.*' in text
    assert text.startswith('# Title\n\n<!-- results:demo -->\nTop-1')
    assert text.endswith('<!-- /results:none -->\nEnd.\n') and 'old' not in text
    assert update_files([page], results, write=False) == []
    page.write_text(re.sub(r'51\.5', '61.5', text))
    assert update_files([page], results, write=False) == [page], 'an edited number is noticed'
    with pytest.raises(DataError, match=r'none\.md: no such file'):
        update_files([tmp_path / 'none.md'], [])


@pytest.mark.parametrize(
    'text',
    [
        '<!-- results:demo -->\nx\n',
        'x\n<!-- /results:demo -->\n',
        '<!-- results:demo -->\n<!-- /results:other -->\n',
        '<!-- results:demo -->\n<!-- /dependence:demo -->\n',
    ],
)
def test_a_marker_without_partner_is_refused(text, results):
    with pytest.raises(ConfigError, match=r'page\.md: <!-- /?results:demo --> has no partner'):
        fill(text, results, 'page.md')


@pytest.fixture
def pretext(result):
    """Makes a result of pretext tasks."""

    def make(seed=0, **metrics):
        return result(protocol='pretext', seed=seed, metrics=metrics, config_hash='p')

    return make


def test_a_mean_tells_that_seeds_are_missing_from_it(pretext):
    known = [pretext(seed, **{'x/l1': 0.1 + seed, 'x/l1_other_clip': 1.0}) for seed in (0, 2)]
    missing = pretext(1, **{'x/l1': float('nan'), 'x/l1_other_clip': 1.0})
    table = make_dependence_table([*known, missing], 'demo/CSVR')
    assert ', 3 seeds.' in table
    assert '| x | l1 | 1.1000 ± 1.4142 (2 of 3 seeds) |' in table


def test_the_table_of_dependence_sets_another_clip_beside(result, pretext):
    both = {'x/accuracy': 0.5, 'x/accuracy_other_clip': 0.125, 'x/chance': 0.25}
    results = [
        pretext(0, **both, **{'x/confidence': 0.9}),
        pretext(1, **both, **{'x/confidence': 0.9}),
        result(dataset='jhmdb', protocol='pretext', metrics={'y/l1': 0.5, 'y/l1_other_clip': 0.75}),
        result(dataset='jhmdb', protocol='pretext', method='HCPG', metrics={'y/l1': 0.1}),
        result(protocol='linear'),
    ]
    table = make_dependence_table(results, 'demo/CSVR;jhmdb/CSVR,HCPG')
    assert table == (
        'Metrics on test clips with the features of the clip and of another one, 1 to 2 seeds.\n'
        '\n'
        '| Data | Task | Metric | Own clip | Another clip | Trivial answer |\n'
        '| --- | --- | --- | ---: | ---: | ---: |\n'
        '| demo | x | accuracy | 0.5000 ± 0.0000 | 0.1250 ± 0.0000 | 0.2500 ± 0.0000 |\n'
        '| jhmdb | y | l1 | 0.5000 | 0.7500 | - |\n'
    )
    text = '<!-- dependence:jhmdb/HCPG -->\nold\n<!-- /dependence:jhmdb/HCPG -->'
    assert fill(text, results) == text.replace('old\n', ''), 'nothing was measured yet'
    other = result(protocol='pretext', seed=2, metrics=both, config_hash='clip_b')
    with pytest.raises(ConfigError, match='measured by different settings'):
        make_dependence_table([*results, other], 'demo/CSVR')


def test_pretext_rows_of_two_backbones_are_told_apart(result):
    metrics = {'x/l1': 0.5, 'x/l1_other_clip': 0.75}
    own = dict(protocol='pretext', metrics=metrics)
    wide = dict(own, backbone='tsm', metrics={**metrics, 'x/l1': 0.25})
    found = [result(**own), result(**wide)]
    table = make_dependence_table(found, 'demo/CSVR')
    assert '| demo, CSVR, full (r3d18-small) | x | l1 | 0.5000 | 0.7500 | - |' in table
    assert '| demo, CSVR, full (tsm) | x | l1 | 0.2500 | 0.7500 | - |' in table


def test_every_protocol_has_a_column(result):
    metrics = {'top1': 0.25, **RECALLS}
    for protocol in sorted(set(PROTOCOLS) - {'fewshot'}):  # it has a table of its own
        table = make_table([result(protocol=protocol, metrics=metrics)], 'demo')
        assert '25.0' in table, protocol
