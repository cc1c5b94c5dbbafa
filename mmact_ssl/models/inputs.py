"""Possible inputs of heads, and their check when the model is built."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmengine.logging import print_log

from mmact_ssl.errors import ConfigError

if TYPE_CHECKING:
    from mmact_ssl.models.heads import PretextHead

MOMENTUM_ENCODER = 'momentum encoder'  # a maker of inputs


def available_inputs(
    pipeline: Sequence[str],
    targets: Iterable[str],
    adapter_of: Mapping[str, str],
    encode: Sequence[str],
    statistics_views: Sequence[str],
    momentum_views: Sequence[str],
    teacher_views: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """List the possible inputs of heads, {name: maker}, such as ``'student'`` or ``'pipeline'``.

    Args:
        pipeline: Views that the pipeline makes.
        targets: Targets that the pipeline makes, ``view.name``.
        adapter_of: Name of a feature -> name of the adapter that makes it.
        encode, momentum_views: Views that the student and its momentum copy encode.
        statistics_views: Views of ``encode`` that update the running statistics.
        teacher_views: Name of a teacher -> views that it reads.

    Raises:
        ConfigError: The model needs a view that the pipeline does not make, an adapter is missing,
            or two parts make the same target.
    """
    own = sorted(name for name, adapter in adapter_of.items() if name == adapter)
    for name, adapter in adapter_of.items():
        if adapter not in own:
            raise ConfigError(
                f'model.adapters.{name}={adapter!r} shares an adapter that is not there; there are '
                f'{own}'
            )
    readers = [('encode', encode), ('momentum_encoder.views', momentum_views)]
    readers += [(f'teachers.{name}.views', views) for name, views in teacher_views.items()]
    for key, names in readers:
        for view in names:
            if view not in pipeline:
                raise ConfigError(
                    f'model.{key} names the view {view!r}, but the pipeline makes '
                    f'{list(pipeline)}: add it to model.data_preprocessor.views and to the pipeline'
                )
    for view in statistics_views:
        if view not in encode:
            raise ConfigError(
                f'model.statistics_views names the view {view!r}, but the student encodes '
                f'{list(encode)}: name views of model.encode'
            )
    features = ('feature_map', 'pooled', *adapter_of)
    makers = dict.fromkeys(pipeline, 'pipeline')
    makers.update({f'targets.{target}': 'pipeline' for target in targets})
    makers.update({f'{view}.{f}': 'student' for view in encode for f in features})
    copied = [f'{view}.momentum_{f}' for view in momentum_views for f in features]
    makers.update(dict.fromkeys(copied, MOMENTUM_ENCODER))
    for name, views in teacher_views.items():
        for target in (f'targets.{view}.{name}' for view in views):
            if target in makers:
                raise ConfigError(
                    f'{target} comes from both model.teachers.{name} and the pipeline: take it out '
                    'of model.data_preprocessor.targets or drop the teacher'
                )
            makers[target] = f'teacher {name}'
    return makers


def check_inputs(heads: Mapping[str, PretextHead], available: Mapping[str, str]) -> None:
    """Check that something makes each input of each head, and log the makers.

    Raises:
        ConfigError: Nothing makes an input; the message contains its key in the config.
    """
    if not heads:
        raise ConfigError('model.heads has no task: name at least one pretext head')
    for task, head in heads.items():
        for argument, name in head.inputs.items():
            if name not in available:
                fix = (
                    'add the view or target to the pipeline and model.data_preprocessor, or the '
                    'adapter to model.adapters'
                )
                view = name.partition('.')[0]
                if view in available and f'{view}.pooled' not in available:
                    fix = f'add {view!r} to model.encode'
                raise ConfigError(
                    f'the head {task!r} reads {name!r} (model.heads.{task}.inputs.{argument}), '
                    f'which nothing makes; there are {sorted(available)}: {fix}'
                )
    lines = [
        f'{task:<14} {name:<32} {available[name]}'
        for task, head in heads.items()
        for name in head.inputs.values()
    ]
    table = '\n'.join([f'{"task":<14} {"input":<32} made by', *lines])
    print_log(f'Inputs of the tasks:\n{table}', 'current')


def check_momentum(
    heads: Mapping[str, PretextHead], available: Mapping[str, str], momentum: float
) -> None:
    """Raise ConfigError if a head reads the momentum encoder and copies at another momentum.

    The copy of its projector would then be older or newer than the features that it projects.

    Args:
        available: {name of an input: maker}.
        momentum: That of the momentum encoder.
    """
    for task, head in heads.items():
        makers = {available[name] for name in head.inputs.values()}
        own = {copy.momentum for copy, _ in head.momentum_pairs()}
        if MOMENTUM_ENCODER in makers and own - {momentum}:
            raise ConfigError(
                f'model.heads.{task}.momentum={max(own - {momentum})} differs from '
                f'model.momentum_encoder.momentum={momentum}, whose features the head projects: '
                'give both the same number'
            )


def check_last_map(
    heads: Mapping[str, PretextHead],
    weights: Mapping[str, Any],
    of_student: Collection[str],
    num_maps: int,
    levels: Mapping[str, int],
) -> None:
    """Raise ConfigError unless a task trains the last map, which evaluation reads.

    Args:
        weights: Weights of the tasks; a task of weight 0 trains nothing.
        of_student: Names of the student's features.
        num_maps: Number of maps of the backbone.
        levels: {feature: index of the map that its adapter reads}.
    """
    last = {name for name, level in levels.items() if level in (-1, num_maps - 1)}
    of_last_map = {'feature_map', 'pooled', *last}
    inputs = {
        name
        for task, head in heads.items()
        if weights.get(task) != 0
        for name in head.inputs.values()
        if name in of_student
    }
    if not any(name.rpartition('.')[2] in of_last_map for name in inputs):
        raise ConfigError(
            f'model.heads: its tasks read {", ".join(sorted(inputs)) or "nothing"} of the student, '
            'and none trains the last map, which evaluation reads: switch on a task that reads '
            'feature_map, pooled or an adapter with level=-1'
        )
