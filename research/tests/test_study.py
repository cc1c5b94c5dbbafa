"""Studies: what is planned, skipped, resumed, and reported when it fails."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from research.steps import run_study
from research.study import _Run, plan_study
from research.tests.study_tools import EVALUATE, FINE_TUNE, TRAIN


@pytest.fixture
def workshop(tmp_path):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(TRAIN)
    (tmp_path / 'tools/evaluate.py').write_text(EVALUATE)
    (tmp_path / 'pretrain.py').touch()
    return tmp_path


def study(**changes) -> Config:
    evaluations = [
        dict(protocols='linear,knn', encoder='stt'),
        dict(protocols='finetune', encoder='gru', label_fraction=0.1),
    ]
    runs = [
        dict(method='Random init', evaluations=evaluations),
        dict(
            method='CSVR',
            variant='no-pose',
            pretrain='pretrain.py',
            cfg_options=['model.heads.pose=None'],
            evaluations=evaluations,
        ),
    ]
    return Config({**dict(dataset='demo', seeds=(0, 1), runs=runs), **changes})


def plan(workshop, config=None):
    return plan_study(
        config or study(), str(workshop / 'work'), str(workshop / 'results'), str(workshop)
    )


def run(workshop, chains, jobs=2):
    lines = []
    failed = run_study(chains, jobs, str(workshop), lines.append)
    return failed, lines


def written(workshop, method=None):
    """The runs that have a result."""
    files = (workshop / 'results').glob(f'*/{method or "*"}.jsonl')
    return sorted(json.loads(line)['run'] for file in files for line in file.open())


def forget(workshop, text):
    """Delete the results of the runs whose names hold a text."""
    for file in (workshop / 'results').glob('*/*.jsonl'):
        lines = [line for line in file.read_text().splitlines() if text not in line]
        file.write_text(''.join(f'{line}\n' for line in lines))


def calls(workshop):
    file = workshop / 'calls.txt'
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_data_set_and_seed_are_filled_in(workshop):
    (workshop / 'pretrain_stt.py').touch()
    options = ['a={dataset}', 'b={seed}']
    evaluations = [dict(protocols='linear', encoder='{dataset}', cfg_options=options)]
    one = dict(method='CSVR', pretrain='pretrain_{dataset}.py', evaluations=evaluations)
    one['cfg_options'] = options
    (chain,) = plan(workshop, study(dataset='stt', seeds=(2,), runs=[one]))
    training, evaluation = chain.steps
    training.log.parent.mkdir(parents=True)
    (training.log.parent / 'last_checkpoint').write_text('epoch_1.pth')
    assert training.command()[1] == 'pretrain_stt.py'
    command = evaluation.command()
    assert command[command.index('--encoder') + 1] == 'stt'
    for step in chain.steps:
        assert step.command()[-3:] == ['--cfg-options', 'a=stt', 'b=2']


def test_a_study_runs_everything_once(workshop):
    chains = plan(workshop)
    assert [chain.name for chain in chains] == [
        'Random init full seed 0',
        'CSVR no-pose seed 0',
        'Random init full seed 1',
        'CSVR no-pose seed 1',
    ]
    failed, lines = run(workshop, chains)
    assert not failed, lines
    assert len(set(written(workshop))) == len(written(workshop)) == 2 * 2 * 3
    made = calls(workshop)
    trained = [call for call in made if call[0] == 'train']
    assert len(made) == 10
    assert len(trained) == 2
    for call in trained:
        assert call[1] == 'pretrain.py'
        assert call[-2:] == ['--cfg-options', 'model.heads.pose=None']
        assert '--resume' not in call
    for call in made:
        if call[0] == 'evaluate':
            random = 'Random init' in call
            assert (call[2] == '--random') == random
            assert random or call[2].endswith('epoch_1.pth')
    assert 'left' in lines[-1]
    # A second time there is nothing to do.
    assert not run(workshop, plan(workshop))[0]
    assert len(calls(workshop)) == 10


def test_pretext_tasks_are_tested_with_the_pretraining_config(workshop):
    (workshop / 'research').mkdir(exist_ok=True)
    (workshop / 'research/pretext_tasks.py').write_text(
        EVALUATE.replace("'evaluate'", "'test'").replace("args[0].split(',')", "['pretext']")
    )
    one = dict(
        method='C2VL',
        pretrain='pretrain.py',
        cfg_options=['model.heads.motion=None'],
        evaluations=[
            dict(protocols='knn', encoder='stt'),
            dict(protocols='pretext', config='pretrain.py', cfg_options=['seed={seed}']),
        ],
    )
    failed, lines = run(workshop, plan(workshop, study(seeds=(3,), runs=[one])))
    assert not failed, lines
    training, knn, tested = calls(workshop)
    assert tested[:2] == ['test', 'pretrain.py'] and tested[2].endswith('epoch_1.pth')
    assert training[-2:] == ['--cfg-options', 'model.heads.motion=None']
    assert '--cfg-options' not in knn
    assert tested[-3:] == ['--cfg-options', 'model.heads.motion=None', 'seed=3']
    assert written(workshop) == ['c2vl_full_demo_knn_seed3', 'c2vl_full_demo_pretext_seed3']


def test_a_lost_checkpoint_is_made_again_only_for_a_result_that_is_missing(workshop):
    assert not run(workshop, plan(workshop))[0]
    forget(workshop, 'csvr_no-pose_demo_knn_seed1')
    assert not run(workshop, plan(workshop))[0]
    before = len(calls(workshop))
    assert before == 11 and calls(workshop)[-1][:2] == ['evaluate', 'linear,knn']
    shutil.rmtree(workshop / 'work')
    assert not [step for chain in plan(workshop) for step in chain.todo]
    assert not run(workshop, plan(workshop))[0]
    assert len(calls(workshop)) == before
    for protocol in ('linear', 'knn', 'finetune-10pct'):
        forget(workshop, f'csvr_no-pose_demo_{protocol}_seed1')
    assert not run(workshop, plan(workshop))[0]
    assert [call[0] for call in calls(workshop)[before:]].count('train') == 1


def test_an_interrupted_pretraining_is_resumed(workshop):
    (workshop / 'fail').touch()
    failed, lines = run(workshop, plan(workshop))
    assert [chain.name for chain in failed] == ['CSVR no-pose seed 0', 'CSVR no-pose seed 1']
    told = [line for line in lines if 'FAILED' in line]
    assert 'pretraining.txt' in told[0] and told[0].endswith('\n       interrupted')
    assert len(written(workshop, 'random-init')) == 6, 'the others went on'
    assert not written(workshop, 'csvr')
    (workshop / 'fail').unlink()
    assert not run(workshop, plan(workshop))[0]
    resumed = [call for call in calls(workshop) if call[0] == 'train'][-2:]
    assert all('--resume' in call for call in resumed)


def test_transfer_is_evaluated_beside_the_own_data_set(workshop):
    config = study(seeds=(0,))
    del config.runs[0]
    config.runs[0].evaluations = [
        dict(protocols='linear', encoder='stt'),
        dict(protocols='linear', encoder='gru', dataset='other'),
    ]
    failed, lines = run(workshop, plan(workshop, config))
    assert not failed, lines
    made = calls(workshop)
    assert [call[0] for call in made] == ['train', 'evaluate', 'evaluate'], 'pre-trained once'
    assert made[1][2:5] == [made[2][2], '--encoder', 'stt']
    variants = [call[call.index('--variant') + 1] for call in made[1:]]
    assert variants == ['no-pose', 'no-pose, pre-trained on demo']
    assert written(workshop) == [
        'csvr_no-pose-pre-trained-on-demo_other_linear_seed0',
        'csvr_no-pose_demo_linear_seed0',
    ]


def test_one_training_is_evaluated_as_two_variants(workshop):
    config = study(seeds=(0,))
    del config.runs[0]
    config.runs[0].evaluations = [
        dict(protocols='linear', encoder='stt'),
        dict(protocols='linear', encoder='gru', variant='copies'),
    ]
    failed, lines = run(workshop, plan(workshop, config))
    assert not failed, lines
    assert [call[0] for call in calls(workshop)] == ['train', 'evaluate', 'evaluate']
    assert written(workshop) == [
        'csvr_copies_demo_linear_seed0',
        'csvr_no-pose_demo_linear_seed0',
    ]
    assert not any(chain.todo for chain in plan(workshop, config))


def test_mistakes_in_a_study_are_named(workshop):
    bad_key = study()
    bad_key.runs[0]['evaluation'] = []
    with pytest.raises(ConfigError, match=r"unknown \['evaluation'\]"):
        plan(workshop, bad_key)
    with pytest.raises(ConfigError, match='a study needs dataset'):
        plan(workshop, Config(dict(seeds=(0,), runs=[])))
    no_config = study()
    no_config.runs[1]['pretrain'] = 'none.py'
    with pytest.raises(ConfigError, match=r'none\.py: no such config in .* fileDirname'):
        plan(workshop, no_config)
    bad_protocol = study()
    bad_protocol.runs[0]['evaluations'][0]['protocols'] = 'linear,svm'
    with pytest.raises(ConfigError, match="protocol 'svm'"):
        plan(workshop, bad_protocol)


def test_a_result_of_another_backbone_is_not_taken_for_done(workshop, make_result):
    kept = dict(method='Random init', seed=1, protocol='finetune', label_fraction=0.1)
    make_result(0.5, **kept, backbone='gru').write(workshop / 'results')
    assert [step.done for chain in plan(workshop) for step in chain.steps].count(True) == 1
    shutil.rmtree(workshop / 'results')
    make_result(0.5, **kept, backbone='stgcn').write(workshop / 'results')
    with pytest.raises(ConfigError, match=r"init.jsonl: .*'stgcn', .* has 'gru': .* variant="):
        plan(workshop)
    config = study()
    config.runs[0].variant = 'streams'
    assert all(chain.todo for chain in plan(workshop, config))


def test_pretext_results_are_of_the_network_of_the_config(workshop, make_result):
    tested = dict(protocols='pretext', config='pretrain.py')
    one = dict(method='CSVR', pretrain='pretrain.py', evaluations=[tested])
    make_result(0.5, protocol='pretext', backbone='stt').write(workshop / 'results')
    (workshop / 'pretrain.py').write_text("_base_ = 'mmact_ssl::encoders/gru.py'")
    with pytest.raises(ConfigError, match="'stt', .* has 'gru'"):
        plan(workshop, study(runs=[one]))


def test_steps_find_the_modules_of_the_caller(workshop, monkeypatch):
    (workshop / 'mine').mkdir()
    (workshop / 'mine/my_module.py').touch()
    (workshop / 'tools/train.py').write_text(f'import my_module\n{TRAIN}')
    monkeypatch.chdir(workshop / 'mine')
    monkeypatch.setenv('PYTHONPATH', f'elsewhere{os.pathsep}.')  # steps run in another folder
    failed, lines = run(workshop, plan(workshop, study(seeds=(0,))))
    assert not failed, lines


@pytest.mark.parametrize('interrupted', [True, False])
@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(cfg_options=['model.heads.future=None']), 'cfg_options'),
        (dict(pretrain='other.py'), 'pretrain'),
        (dict(dataset='mine'), 'dataset'),
        (dict(text='max_epochs = 2'), 'config_hash'),
    ],
)
def test_what_was_trained_otherwise_is_neither_resumed_nor_evaluated(
    workshop, change, named, interrupted
):
    (workshop / 'other.py').write_text('lr = 1')
    if interrupted:
        (workshop / 'fail').touch()
    config = study(seeds=(0,))
    config.runs = config.runs[1:]
    assert bool(run(workshop, plan(workshop, config))[0]) is interrupted
    (workshop / 'fail').unlink(missing_ok=True)
    shutil.rmtree(workshop / 'results', ignore_errors=True)
    before = calls(workshop)
    if 'text' in change:
        (workshop / 'pretrain.py').write_text(change['text'])
    elif 'dataset' in change:
        config.dataset = change['dataset']
    else:
        config.runs[0].update(change)
    (failed,), _ = run(workshop, plan(workshop, config))
    assert calls(workshop) == before, 'nothing ran'
    said = failed.failed.read_text().splitlines()[-1]
    assert 'was trained otherwise' in said and f'{named}: ' in said and 'delete it' in said
    # As the message says: the record gone, the folder is taken as it is.
    (workshop / 'work/csvr_no-pose_seed0/study_run.json').unlink()
    run(workshop, plan(workshop, config))
    assert len(calls(workshop)) > len(before)


def test_results_of_a_pre_training_by_another_config_are_not_taken_for_done(workshop):
    config = study(seeds=(0,))
    config.runs = config.runs[1:]
    assert not run(workshop, plan(workshop, config))[0]
    before = calls(workshop)
    (workshop / 'pretrain.py').write_text('max_epochs = 2')
    (failed,), _ = run(workshop, plan(workshop, config))
    assert calls(workshop) == before and 'was trained otherwise' in failed.failed.read_text()


def test_where_the_data_lie_does_not_make_another_training(workshop, monkeypatch):
    (workshop / 'pretrain.py').write_text("ann_file = '{{$MMACT_SSL_DATA:data}}/demo/train.txt'")
    run = dict(method='CSVR', pretrain='pretrain.py', evaluations=[])
    for place in (None, '/mnt/one', '/mnt/two/'):
        if place is None:
            monkeypatch.delenv('MMACT_SSL_DATA', raising=False)
        else:
            monkeypatch.setenv('MMACT_SSL_DATA', place.rstrip('/'))
        _Run(run, 0, 'demo', workshop, workshop, str(workshop))._check_folder()  # raises nothing


def test_two_runs_with_one_folder_or_result_are_refused(workshop):
    runs = study().runs
    for method in ('CSVR', 'csvr'):
        twin = dict(runs[1], method=method, cfg_options=['model.heads.future=None'])
        with pytest.raises(ConfigError, match='would both write'):
            plan(workshop, study(runs=[*runs, twin]))
    evaluations = [dict(protocols=one, encoder='stt') for one in ('linear,knn', 'linear')]
    with pytest.raises(ConfigError, match='linear_seed0'):
        plan(workshop, study(runs=[dict(runs[1], evaluations=evaluations)]))


def tuned_study(**changes) -> Config:
    """Evaluations of the fine-tuned network come before the fine-tuning in the config."""
    read = dict(protocols='linear', encoder='stt', finetuned=True)
    evaluations = [
        dict(read, variant='tuned', label_fraction=0.1, method='Tuned'),
        dict(protocols='finetune', encoder='gru', label_fraction=0.1),
    ]
    one = dict(method='CSVR', pretrain='pretrain.py', evaluations=evaluations)
    return study(seeds=(2,), runs=[{**one, **changes}])


def test_a_fine_tuned_network_is_evaluated(workshop):
    (workshop / 'tools/evaluate.py').write_text(EVALUATE + FINE_TUNE)
    failed, _ = run(workshop, plan(workshop, tuned_study()))
    assert not failed
    folder = workshop / 'work' / 'csvr_full_seed2'
    tuned, start = str(folder / 'finetune_10pct' / 'epoch_7.pth'), str(folder / 'epoch_1.pth')
    _, fine_tuning, alone = calls(workshop)
    assert fine_tuning[1:5] == ['finetune', start, '--encoder', 'gru']
    assert alone[1:5] == ['linear', tuned, '--encoder', 'stt']
    assert written(workshop, 'tuned') == ['tuned_tuned_demo_linear-10pct_seed2']
    assert [chain.todo for chain in plan(workshop, tuned_study())] == [[]]

    # A missing result asks for the network, which is trained again where it was lost.
    forget(workshop, 'tuned_tuned')
    (chain,) = plan(workshop, tuned_study())
    (step,) = chain.todo
    assert step.name == 'CSVR full seed 2: linear with 10 % of the labels as tuned'
    shutil.rmtree(folder / 'finetune_10pct')
    failed, _ = run(workshop, plan(workshop, tuned_study()))
    assert not failed and [call[1] for call in calls(workshop)[3:]] == ['finetune', 'linear']


@pytest.mark.parametrize(
    'changes',
    [
        dict(evaluations=tuned_study().runs[0].evaluations[:1]),
        dict(  # of two it is not said which
            evaluations=[
                *tuned_study().runs[0].evaluations,
                dict(protocols='finetune', encoder='stt', label_fraction=0.1, variant='other'),
            ]
        ),
    ],
)
def test_a_fine_tuned_network_that_no_evaluation_makes_is_refused(workshop, changes):
    with pytest.raises(ConfigError, match='finetuned=True needs one evaluation by'):
        plan(workshop, tuned_study(**changes))
