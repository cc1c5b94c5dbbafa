"""Comparison of a resumed run with the one that saved its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

from mmengine.dist import get_world_size
from mmengine.runner import Runner

from mmact_ssl.datasets.seeded_samples import with_inner
from mmact_ssl.errors import ConfigError

# Settings that the state in a checkpoint overrides, or that its batches depend on.
KEPT = ('optim_wrapper', 'param_scheduler', 'auto_scale_lr')
DATA = ('train_dataloader.batch_size', 'processes', 'samples')
OTHER = ('model', 'train_dataloader', 'train_cfg')
RUN = 'run'  # key in the meta of a checkpoint


def check_same_run(runner: Runner, filename: str, checkpoint: Mapping[str, Any]) -> None:
    """Compare the config, samples and processes of a run with those of its checkpoint.

    Another optimizer, schedule, batch, number of processes or list of samples is refused; any
    other change is a warning.

    Raises:
        ConfigError: The run cannot go on exactly; each difference is named.
    """
    before = checkpoint.get('meta', {}).get(RUN, {})
    now = {key: value for key, value in describe_run(runner).items() if key in before}
    changed = list(differences(before, now))
    refused = [line for line in changed if line.startswith((*KEPT, *DATA))]
    if refused:
        raise ConfigError(
            f'{filename}: {"; ".join(refused)}: resume with the same settings, data and processes, '
            'or begin another run, in another work dir, with load_from'
        )
    for line in changed:
        runner.logger.warning(f'{filename}: {line}: training goes on with the new value')


def describe_run(runner: Runner) -> dict[str, Any]:
    """The compared settings as plain values, processes, and number and hash of the samples."""
    dataset = runner.train_dataloader.dataset
    hashes = [part.names_hash for part, _ in with_inner(dataset) if hasattr(part, 'names_hash')]
    samples = ' '.join([str(len(dataset)), *(name[:12] for name in hashes)])
    settings = {key: plain(runner.cfg.get(key)) for key in (*KEPT, *OTHER)}
    return {'processes': get_world_size(), 'samples': samples, **settings}


def plain(value: Any) -> Any:
    """Copy a part of a config, with the text of each value that is not plain, such as a class."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or type(value) in (bool, int, float, str) else str(value)


def differences(before: Any, now: Any, path: str = '') -> Iterator[str]:
    """Lines such as ``model.heads.pose.hidden_dim was 64, and is 128``, one per difference."""
    are_lists = isinstance(before, (list, tuple)) and isinstance(now, (list, tuple))
    if are_lists and len(before) == len(now):
        before, now = (dict(enumerate(values)) for values in (before, now))
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**before, **now}:
            place = f'{path}.{key}' if path else key
            yield from differences(before.get(key), now.get(key), place)
    elif before != now:
        shown = (shorten(repr(value), 60) for value in (before, now))
        yield '{} was {}, and is {}'.format(path, *shown)
