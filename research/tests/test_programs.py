"""The command lines of run_study and make_tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from research import make_tables, run_study

ROOT = Path(__file__).parents[2]


def test_a_study_can_be_cut_down(capsys):
    study = str(ROOT / 'research/studies/csvr_demo.py')
    folders = ['--work-dir', 'nowhere', '--results', 'no']
    options = ['--seeds', '5', '0', '--variants', 'no-pose']
    run_study.main([study, '--dry-run', *options, *folders])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3  # pre-training, its tasks and the probes
    assert all('CSVR no-pose seed 0' in line for line in lines)
    # This study has the seeds 0, 1, 2; its runs without a branch have 0 alone.
    run_study.main([study, '--dry-run', '--seeds', '1', *folders])
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(' seed 1' in line and 'no-' not in line for line in lines)
    with pytest.raises(SystemExit, match='no run has --seeds 1 5, they have 0;'):
        run_study.main([study, '--dry-run', '--variants', 'no-pose', '--seeds', '1', '5'])
    capsys.readouterr()
    for option, *names in (['--methods', 'MS2L'], ['--variants'], ['--variants', 'full', 'no-pos']):
        with pytest.raises(SystemExit) as end:
            run_study.main([study, '--dry-run', option, *names])
        known = 'Random init, CSVR' if option == '--methods' else 'full, no-pose, no-context'
        assert end.value.code == 2
        line = f'error: {" ".join([option, *names[-1:]])}: there are {known}'
        assert capsys.readouterr().err.startswith(line)
    with pytest.raises(SystemExit, match=r'csvr_r3d_demo.py: not a study, it lists no `runs`'):
        run_study.main([str(ROOT / 'configs/csvr_r3d_demo.py'), '--dry-run'])


def test_options_that_a_study_does_not_read_are_refused(capsys):
    """A training's, which would change nothing."""
    study = str(ROOT / 'research/studies/rivals_nwucla.py')
    for option in ('train_cfg.max_iters=4', 'steps=4'):
        with pytest.raises(SystemExit):
            run_study.main([study, '--dry-run', '--cfg-options', option])
        line = f'--cfg-options {option[:-2]}: a study reads dataset, seeds, runs; options of a trai'
        assert line in capsys.readouterr().err
    run_study.main([study, '--dry-run', '--methods', 'Order', '--cfg-options', 'seeds=(7,)'])
    assert 'Order 240-steps seed 7: pre-training' in capsys.readouterr().out


def test_a_study_ends_with_its_rows(tmp_path, make_result, monkeypatch, capsys):
    names = dict(backbone='gru-streams', dataset='nwucla', synthetic=False)
    make_result(0.25, method='Order', variant='240-steps', **names).write(tmp_path)
    make_result(0.5, method='Random init', variant='streams', **names).write(tmp_path)
    make_result(0.75, method='Speed', variant='240-steps', **names).write(tmp_path)
    monkeypatch.setattr('research.steps.run_study', lambda *given: [])
    study = str(ROOT / 'research/studies/rivals_nwucla.py')
    run_study.main([study, '--methods', 'Order', '--results', str(tmp_path)])
    shown = capsys.readouterr().out
    assert '| Order, 240-steps | 25.0 |' in shown and '| Random init, streams | 50.0 |' in shown
    assert 'Speed' not in shown


def test_tables_are_written_and_checked(tmp_path, make_result):
    make_result(0.25).write(tmp_path / 'results')
    page = tmp_path / 'page.md'
    page.write_text('<!-- results:demo -->\n<!-- /results:demo -->\n')
    argv = [str(page), '--results', str(tmp_path / 'results')]
    with pytest.raises(SystemExit, match='do not agree'):
        make_tables.main([*argv, '--check'])
    make_tables.main(argv)
    assert '| CSVR | 25.0 |' in page.read_text()
    make_tables.main([*argv, '--check'])
