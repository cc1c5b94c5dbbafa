"""Possible inputs of heads, and their check when the model is built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from mmengine.logging import print_log

from mmact_ssl.errors import ConfigError

if TYPE_CHECKING:
    from mmact_ssl.models.pretrainer import MultiTaskPretrainer

MOMENTUM_ENCODER = 'momentum encoder'  # a maker of inputs


def available_inputs(model: MultiTaskPretrainer) -> dict[str, str]:
    """List the possible inputs of heads, {name: maker}, such as ``'student'`` or ``'pipeline'``.

    Raises:
        ConfigError: The model needs a view that the pipeline does not make, an adapter is missing,
            or two parts make the same target.
    """
    encode, momentum_views = model.encode_names, model.momentum_views
    pipeline = model.data_preprocessor.views
    for name, adapter in model.adapter_of.items():
        if adapter not in model.adapters:
            raise ConfigError(
                f'model.adapters.{name}={adapter!r} shares an adapter that is not there; there are '
                f'{sorted(model.adapters)}'
            )
    readers = [('encode', encode), ('momentum_encoder.views', momentum_views)]
    readers += [(f'teachers.{name}.views', views) for name, views in model.teacher_views.items()]
    for key, names in readers:
        for view in names:
            if view not in pipeline:
                raise ConfigError(
                    f'model.{key} names the view {view!r}, but the pipeline makes '
                    f'{list(pipeline)}: add it to model.data_preprocessor.views and to the pipeline'
                )
    for view in model.statistics_views or ():
        if view not in encode:
            raise ConfigError(
                f'model.statistics_views names the view {view!r}, but the student encodes '
                f'{list(encode)}: name views of model.encode'
            )
    features = ('feature_map', 'pooled', *model.adapter_of)
    makers = dict.fromkeys(pipeline, 'pipeline')
    made = [f'targets.{target}' for target in model.data_preprocessor.made_targets]
    makers.update(dict.fromkeys(made, 'pipeline'))
    makers.update({f'{view}.{f}': 'student' for view in encode for f in features})
    copied = [f'{view}.momentum_{f}' for view in momentum_views for f in features]
    makers.update(dict.fromkeys(copied, MOMENTUM_ENCODER))
    for name, views in model.teacher_views.items():
        for target in (f'targets.{view}.{name}' for view in views):
            if target in makers:
                raise ConfigError(
                    f'{target} comes from both model.teachers.{name} and the pipeline: take it out '
                    'of model.data_preprocessor.targets or drop the teacher'
                )
            makers[target] = f'teacher {name}'
    return makers


def check_heads(model: MultiTaskPretrainer, available: Mapping[str, str]) -> None:
    """Check the inputs of all heads, and log who makes them.

    Args:
        available: See :func:`available_inputs`.

    Raises:
        ConfigError: Nothing makes an input, and the message contains its key in the config; a head
            has another momentum than the momentum encoder; or no task trains the last map, which
            evaluation reads.
    """
    if not model.tasks:
        raise ConfigError('model.heads has no task: name at least one pretext head')
    lines = [f'{"task":<14} {"input":<32} made by']
    for task, head in model.tasks.items():
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
            lines.append(f'{task:<14} {name:<32} {available[name]}')
        _check_momentum(model, task, {available[name] for name in head.inputs.values()})
    print_log('\n'.join(['Inputs of the tasks:', *lines]), 'current')
    _check_last_map(model, available)


def _check_momentum(model: MultiTaskPretrainer, task: str, makers: Collection[str]) -> None:
    """Refuse a head that reads the momentum encoder and copies at another momentum.

    The copy of its projector would then be older or newer than the features that it projects.
    """
    if model.momentum_encoder is None or MOMENTUM_ENCODER not in makers:
        return
    momentum = model.momentum_encoder.momentum
    for copy, _ in model.tasks[task].momentum_pairs():
        if copy.momentum != momentum:
            raise ConfigError(
                f'model.heads.{task}.momentum={copy.momentum} differs from '
                f'model.momentum_encoder.momentum={momentum}, whose features the head projects: '
                'give both the same number'
            )


def _check_last_map(model: MultiTaskPretrainer, available: Mapping[str, str]) -> None:
    """Refuse a model without a task that trains the last map; a task of weight 0 trains nothing."""
    last_level = len(getattr(model.backbone, 'out_indices', None) or (0,)) - 1
    of_last_map = {'feature_map', 'pooled'}
    for name, adapter in model.adapter_of.items():
        if getattr(model.adapters[adapter], 'level', -1) in (-1, last_level):
            of_last_map.add(name)
    inputs = {
        name
        for task, head in model.tasks.items()
        if model.balancer.weights.get(task) != 0
        for name in head.inputs.values()
        if available[name] == 'student'
    }
    if not any(name.rpartition('.')[2] in of_last_map for name in inputs):
        raise ConfigError(
            f'model.heads: its tasks read {", ".join(sorted(inputs)) or "nothing"} of the student, '
            'and none trains the last map, which evaluation reads: switch on a task that reads '
            'feature_map, pooled or an adapter with level=-1'
        )


def freeze_unread_adapters(model: MultiTaskPretrainer) -> None:
    """Freeze the adapters of tasks that are off: distributed training waits for gradients."""
    inputs = {name for head in model.tasks.values() for name in head.inputs.values()}
    read = {name.rpartition('.')[2] for name in inputs & model.student_inputs}
    for adapter in model.adapters.keys() - {model.adapter_of.get(name) for name in read}:
        model.adapters[adapter].requires_grad_(False)
