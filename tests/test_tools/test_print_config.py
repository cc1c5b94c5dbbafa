"""Values of a config, and the file that set each."""

from __future__ import annotations

from tests.shipped import CONFIGS
from tools.print_config import main


def printed(capsys, *argv: str) -> dict[str, str]:
    main([str(CONFIGS / argv[0]), *argv[1:]])
    return dict(line.split(' = ', 1) for line in capsys.readouterr().out.splitlines())


def test_each_value_has_the_file_that_set_it(capsys):
    changes = ['model.heads.pose.hidden_dim=3', 'encoder.options.side=32']
    options = ['--set', 'utdmhad', '--cfg-options', *changes]
    shown = printed(capsys, 'csvr_r3d18-small.py', *options)
    for key, value, file in (
        ('model.heads.pose.hidden_dim', '3', '--cfg-options'),
        ('model.heads.pose.in_channels', '128', '_base_/methods/csvr-small.py'),
        ('model.heads.pose.type', "'PosePredictionHead'", '_base_/methods/csvr.py'),
        ('model.backbone.depth', '18', 'csvr_r3d18-small.py'),
        ('dataset_name', "'utdmhad'", '_base_/sets/utdmhad.py'),
        ('log_level', "'INFO'", '_base_/runtime/pretrain.py'),
        ('encoder.options.frames', '8', '_base_/encoders/clips.py'),
        ('encoder.options.stride', '4', '_base_/sets/utdmhad.py'),
        ('encoder.options.side', '32', '--cfg-options'),
    ):
        assert shown[key].startswith(f'{value}  # ') and shown[key].endswith(file)
    assert "'type': 'SampleViews'" in shown['train_dataloader.dataset.pipeline.0']
    assert 'warmup.begin' not in shown, 'a variable that nothing reads'
    step = shown['test_dataloader.dataset.pipeline.3']
    assert "'crop_size': 32" in step and step.endswith('.py')


def test_a_value_that_comes_back_is_of_the_last_file(tmp_path, capsys):
    for name, base, value in (('a', 'None', 1), ('b', 'a', 2), ('c', 'b', 1)):
        text = '' if base == 'None' else f"_base_ = '{base}.py'\n"
        (tmp_path / f'{name}.py').write_text(f'{text}knn = dict(k={value}, main_k=5)\n')
    shown = printed(capsys, str(tmp_path / 'c.py'))
    assert shown['knn.k'].endswith('/c.py') and shown['knn.main_k'].endswith('/a.py')
