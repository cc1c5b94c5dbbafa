"""Output of a run on the screen and in its log file."""

from __future__ import annotations

import io

import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.engine.terminal import ShortLogProcessor, messages_on_stderr

SAMPLES = [dict(inputs=torch.ones(1))] * 4


class Model(BaseModel):
    """Tasks with losses to add up and other numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, mode='loss'):
        losses = {}
        for task in range(2):
            losses[f'task{task}/loss'] = self.weight * (task + 1)
            losses[f'task{task}/loss_generator'] = self.weight * 0.25
            losses[f'task{task}/accuracy'] = torch.tensor(0.5)
        return losses


def test_the_screen_shows_progress_and_warnings_and_the_file_all(tmp_path, capsys, make_runner):
    runner = make_runner(
        tmp_path,
        Model(),
        SAMPLES,
        epochs=12,
        loader=dict(batch_size=1),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=2)),
        log_processor=dict(type='ShortLogProcessor', window_size=1),
        log_level='INFO',
        runner_class=PretrainRunner,
    )
    runner.train()
    runner.load_checkpoint(str(tmp_path / 'epoch_12.pth'))
    runner.logger.warning('look out')
    runner.logger.warning('stem.weight is skipped since its requires_grad=False')
    (log,) = (path.read_text() for path in tmp_path.rglob('*.log'))
    screen = capsys.readouterr().out.splitlines()
    dumps = 'System environment', 'Hooks will be executed', 'Exp name', 'requires_grad'
    for dump in (*dumps, 'Loads checkpoint by'):
        assert dump in log
        assert dump not in '\n'.join(screen)
    line = next(line for line in screen if 'epoch 2/12 step 4/4' in line)
    # The loss is the sum; each task's are those that it minimizes.
    tasks = {'task0': 1.25, 'task1': 2.25}
    weight = float(line.split('task1 ')[1].split()[0]) / tasks['task1']
    for name, value in {'loss': 3.5, **tasks}.items():
        assert f'  {name} {value * weight:.4g}'[:-1] in line
    assert '  left 0:0' in line
    assert line.endswith('  lr 0.01000')
    assert any(line.endswith(' WARNING: look out') for line in screen)
    assert 'task0/accuracy' in next(tmp_path.rglob('scalars.json')).read_text()


def test_a_metric_is_the_mean_over_batches_in_which_something_counts(make_runner, tmp_path):
    runner = make_runner(tmp_path, Model(), SAMPLES, epochs=1, loader=dict(batch_size=1))
    processor = ShortLogProcessor(window_size=3, mean_pattern=r'.*(loss|accuracy).*')
    for value in (9.0, 0.25, float('nan'), 0.75):
        runner.message_hub.update_scalar('train/task/accuracy', value)
    runner.message_hub.update_scalar('train/task/loss', float('nan'))
    tag = processor._collect_scalars([], runner, 'train')
    assert tag['task/accuracy'] == 0.5
    assert tag['task/loss'] != tag['task/loss'], 'a loss that is NaN must be seen'


def test_messages_go_to_stderr_also_if_the_screen_was_captured_and_closed(capsys):
    logger = MMLogger.get_current_instance()
    screen, closed = logger.handlers[0], io.StringIO()
    before, screen.stream = screen.stream, closed
    closed.close()
    try:
        with messages_on_stderr():
            logger.warning('torn')
        assert screen.stream is closed
    finally:
        screen.stream = before
    printed = capsys.readouterr()
    assert 'torn' in printed.err and not printed.out
