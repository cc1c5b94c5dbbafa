"""Pre-training of one student by several pretext tasks."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.weights import load_pretrained, take_pretrained
from mmact_ssl.models.balancers.balancer import FixedWeights
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.dependence import OTHER_CLIP, features_of_another_clip
from mmact_ssl.models.encoding import (
    Targets,
    counted_views,
    encode_view,
    frozen_statistics,
    join_targets,
    lay_out,
)
from mmact_ssl.models.heads import PretextHead
from mmact_ssl.models.inputs import available_inputs, check_heads, freeze_unread_adapters
from mmact_ssl.models.losses.statistics import collapse_statistics
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS, build_named

# Takes the gradients of a step and the weights of its tasks.
LossObserver = Callable[[SharedGradients, Mapping[str, float | Tensor]], None]
# Names of maps among the features of :meth:`MultiTaskPretrainer.features`.
MAP = re.compile('feature_map|level[0-9]+')
MONITOR_INTERVAL = 10  # steps between two logs of the features' std and effective rank


@MODELS.register_module()
class MultiTaskPretrainer(BaseModel):
    """Model that encodes named views once with one student; pretext heads read the features.

    Args:
        backbone: The student, the only part that downstream tasks use.
        heads: Task -> pretext head; ``None`` switches a task off.
        data_preprocessor: Preprocessor with the names of the views and targets of the pipeline.
        encode: Views that the student encodes, each without what ``targets.<view>.mask`` hides.
        encode_together: Encode views of equal shape as one batch. Faster, but batch normalization
            then mixes their statistics.
        statistics_views: Encoded views whose batch statistics update the running statistics. Other
            views are normalized by their own statistics only. None: all views without a mask, one
            after the other.
        frame_wise: The student is a 2D network, which reads frames ``(N, C, H, W)``. Padded frames
            of its maps are replaced by the mean of the clip's valid ones.
        adapters: Name -> module on a map of every encoded view: on the feature map, or on the
            earlier map of the backbone's ``out_indices`` that its ``level`` selects. The name of
            another adapter instead of a module makes tasks share that adapter.
        pooling: Module from the feature map and the view's validity to ``(B, D)``, instead of the
            mean over all positions.
        balancer: Config of a :class:`FixedWeights` or a subclass, without its tasks.
        shared_weights: Prefix of the backbone's parameters on which some balancers compare the
            tasks' gradients: ``'layer4'``, or ``''`` for all. None: the last weight.
        teachers: Target -> ``dict(teacher=..., views=...)``: frozen networks that make
            ``targets.<view>.<target>`` online.
        momentum_encoder: ``dict(views=..., momentum=0.999)``: a :class:`MomentumCopy` of backbone
            and adapters also encodes these views, unmasked; :class:`MomentumCopyHook` updates it.
        channels_last: Store weights and maps of convolutions with channels last: faster on most
            GPUs in mixed precision. On a CPU batch normalization then rounds more.

    Raises:
        ConfigError: Nothing makes an input of a head, no task trains the last map, or a head has
            another momentum than the momentum encoder.
    """

    def __init__(
        self,
        backbone: dict,
        heads: dict[str, dict | None],
        data_preprocessor: dict,
        encode: Sequence[str] = ('clip',),
        encode_together: bool = False,
        statistics_views: Sequence[str] | None = None,
        frame_wise: bool = False,
        adapters: dict[str, dict | str | None] | None = None,
        pooling: dict | None = None,
        balancer: dict = dict(type='mmact_ssl.FixedWeights'),
        shared_weights: str | None = None,
        teachers: dict[str, dict] | None = None,
        momentum_encoder: dict | None = None,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.encode_names = tuple(encode)
        self.encode_together = encode_together
        self.statistics_views = None if statistics_views is None else tuple(statistics_views)
        self.frame_wise = frame_wise
        self.backbone = MODELS.build(backbone)
        given: dict[str, Any] = {n: a for n, a in (adapters or {}).items() if a is not None}
        modules = {name: adapter for name, adapter in given.items() if not isinstance(adapter, str)}
        self.adapter_of: dict[str, str] = {n: n if n in modules else given[n] for n in given}
        # mmengine's class: initialization does not reach into torch's own containers.
        self.adapters = ModuleDict(build_named(modules))
        self.pooling: nn.Module | None = None if pooling is None else MODELS.build(pooling)
        self.heads = ModuleDict(build_named(heads))
        if unknown := set(balancer.get('weights') or ()) - set(heads):
            raise ConfigError(
                f'model.balancer.weights names {min(unknown)!r}, which is not among model.heads '
                f'({", ".join(sorted(heads))})'
            )
        self.balancer: FixedWeights = MODELS.build({**balancer, 'tasks': list(self.heads)})
        self.shared_weights = shared_weights
        self.current_task: str | None = None  # its loss is being computed; for errors
        self.loss_observers: list[LossObserver] = []  # called in each step, see GradientShareHook
        teachers = teachers or {}
        self.teacher_views = {name: tuple(teacher['views']) for name, teacher in teachers.items()}
        # torch's class: mmengine's initialization would overwrite the teachers' weights.
        self.teachers = nn.ModuleDict(build_named({n: t['teacher'] for n, t in teachers.items()}))
        self.momentum_views: tuple[str, ...] = ()
        self.momentum_encoder: MomentumCopy | None = None
        if momentum_encoder is not None:
            options = dict(momentum_encoder)
            self.momentum_views = tuple(options.pop('views', ()))
            self.momentum_encoder = MomentumCopy(self._encoder(), **options)
        self.channels_last = channels_last
        available = available_inputs(self)
        self.student_inputs = {name for name, maker in available.items() if maker == 'student'}
        check_heads(self, available)
        freeze_unread_adapters(self)
        if channels_last:
            # DistributedDataParallel, which comes later, stores gradients in the weights' layout.
            self._set_channels_last(True)

    def init_weights(self) -> None:
        """Draw the weights, or load them by ``init_cfg``."""
        if self.channels_last:
            self._set_channels_last(False)  # random weights depend on the order in memory
        pretrained = take_pretrained(self.backbone)
        super().init_weights()
        for part, start in pretrained:
            load_pretrained(part, **start)
        if self.channels_last:
            self._set_channels_last(True)

    def _set_channels_last(self, channels_last: bool) -> None:
        for part in self.children():
            if part is not self.teachers:  # their targets must equal those of caches
                lay_out(part, channels_last)

    @property
    def tasks(self) -> dict[str, PretextHead]:
        """{task: pretext head}."""
        return {name: cast(PretextHead, head) for name, head in self.heads.items()}

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        """Momentum copies of the model and its heads, each with its source network."""
        pairs = [pair for head in self.tasks.values() for pair in head.momentum_pairs()]
        if self.momentum_encoder is not None:
            pairs.append((self.momentum_encoder, self._encoder()))
        return pairs

    def _encoder(self) -> nn.ModuleDict:
        """Backbone and adapters; not an attribute, so that parameters keep their names."""
        return nn.ModuleDict(dict(backbone=self.backbone, adapters=self.adapters))

    def forward(
        self,
        inputs: dict[str, Tensor],
        targets: Targets | None = None,
        data_samples: list | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[dict[str, dict[str, Tensor]]]:
        """Run the student and, by mode, the heads.

        Args:
            inputs: View -> normalized frames ``(B, C, T, H, W)``, or skeletons
                ``(B, M, T, V, C)``.
            targets: View -> name -> ``(B, ...)``.
            data_samples: Samples with the clips' frame indices, for teachers of clips. Nothing else
                is read, because labels must not reach pre-training.
            mode: ``'loss'``: ``'loss'`` (to minimize) and ``'<task>/<name>'`` (to log).
                ``'predict'``: for each sample, task -> predictions of its head, see
                :meth:`predict`. ``'tensor'``: view -> feature map.
        """
        targets = targets or {}
        if mode == 'tensor':
            return {view: maps[-1] for view, maps in self.encode(inputs, targets).items()}
        available = self.head_inputs(inputs, targets, data_samples)
        by_task = {
            task: {argument: available[name] for argument, name in head.inputs.items()}
            for task, head in self.tasks.items()
        }
        if mode == 'predict':
            predicted = {task: self.predict(task, named) for task, named in by_task.items()}
            return [
                {task: {n: value[i] for n, value in p.items()} for task, p in predicted.items()}
                for i in range(len(inputs[self.encode_names[0]]))
            ]
        return self._losses(by_task, available)

    def head_inputs(
        self, inputs: Mapping[str, Tensor], targets: Targets, data_samples: list | None = None
    ) -> dict[str, Tensor]:
        """Compute all possible inputs of heads (docs/extend/inputs.md has names and shapes)."""
        available = dict(inputs)
        for view, by_name in targets.items():
            available.update({f'targets.{view}.{name}': value for name, value in by_name.items()})
        for view, maps in self.encode(inputs, targets).items():
            features = self.features(maps, join_targets(targets, 'valid', view), self.adapters)
            available.update({f'{view}.{name}': value for name, value in features.items()})
        used = {name for head in self.tasks.values() for name in head.inputs.values()}
        for name, views in self.teacher_views.items():
            for view in views:
                # A teacher need not run if the heads that read it are switched off.
                if f'targets.{view}.{name}' in used:
                    target = self._teach(name, view, inputs[view], data_samples)
                    available[f'targets.{view}.{name}'] = target
        for view in self.momentum_views:
            if any(name.startswith(f'{view}.momentum_') for name in used):
                valid = join_targets(targets, 'valid', view)
                features = self._momentum_features(inputs[view], valid)
                available.update({f'{view}.momentum_{name}': v for name, v in features.items()})
        return available

    def encode(self, inputs: Mapping[str, Tensor], targets: Targets) -> dict[str, list[Tensor]]:
        """Encode each view once: the student's maps of each view, ``(B, C', T', H', W')``."""
        counted = counted_views(self.backbone, self.encode_names, targets, self.statistics_views)
        groups: dict[Any, list[str]] = {}  # one batch each
        for view in self.encode_names:
            shapes = inputs[view].shape, 'mask' in targets.get(view, {})
            key = (shapes if self.encode_together else view), view in counted
            groups.setdefault(key, []).append(view)
        maps: dict[str, list[Tensor]] = {}
        for (_, updates), names in groups.items():
            batch = torch.cat([inputs[n] for n in names]) if names[1:] else inputs[names[0]]
            valid, mask = (join_targets(targets, name, *names) for name in ('valid', 'mask'))
            with nullcontext() if updates else frozen_statistics(self.backbone):
                joint = encode_view(self.backbone, batch, valid, self.frame_wise, mask)
            # `chunk` makes a separate node of the graph for the adapters of an earlier map: the
            # gradient there comes from the tasks only, not from later maps.
            by_view = zip(*(level.chunk(len(names)) for level in joint))
            maps.update(zip(names, map(list, by_view)))
        return maps

    def features(
        self, maps: Sequence[Tensor], valid: Tensor | None, adapters: nn.ModuleDict
    ) -> dict[str, Tensor]:
        """Compute all features of a view from its maps, for the student or its momentum copy.

        Args:
            maps: Maps of :meth:`encode`, ``(B, C', T', H', W')`` or ``(B, M', C', T', V')``.
            valid: ``(B, T)`` or ``(B, M, T)``, False for padding.
            adapters: Adapters of the same network.

        Returns:
            dict: ``feature_map``, the last map; ``level0``, ... the earlier maps; ``pooled``
            ``(B, D)``; and the output of each adapter by its name.
        """
        *earlier, feature_map = maps
        if self.pooling is not None:
            pooled = self.pooling(feature_map, valid)
        else:
            pooled = feature_map.flatten(2).mean(2)
        adapted = {
            name: adapter(maps[getattr(adapter, 'level', -1)]) for name, adapter in adapters.items()
        }
        return {
            'feature_map': feature_map,
            **{f'level{i}': level for i, level in enumerate(earlier)},
            'pooled': pooled,
            **{name: adapted[adapter] for name, adapter in self.adapter_of.items()},
        }

    @torch.no_grad()
    def _teach(self, name: str, view: str, frames: Tensor, samples: list | None) -> Tensor:
        """A teacher's target of each frame of a view, ``(B, C, T, H, W) -> (B, T, ...)``.

        A teacher of clips gives a target for each clip, ``(B, 1, ...)``.
        """
        images = self.data_preprocessor.denormalize(frames).transpose(1, 2)  # (B, T, C, H, W)
        teacher = cast(BaseTeacher, self.teachers[name])
        if teacher.window is not None:
            teacher.check_stride(f'model.teachers.{name}', view, samples)
            return teacher(images)[:, None]
        return teacher(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    @torch.no_grad()
    def _momentum_features(self, view: Tensor, valid: Tensor | None) -> dict[str, Tensor]:
        momentum = cast(MomentumCopy, self.momentum_encoder)
        if self.training and not momentum.started:
            raise ConfigError(
                "model.momentum_encoder would never move: add momentum=dict(type='MomentumCopyHook'"
                ') to default_hooks'
            )
        encoder = cast(nn.ModuleDict, momentum.module)
        maps = encode_view(encoder['backbone'], view, valid, self.frame_wise)
        return self.features(maps, valid, cast(nn.ModuleDict, encoder['adapters']))

    def _losses(
        self, by_task: Mapping[str, Mapping[str, Tensor]], available: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compute the balanced loss and the values to log."""
        hub = MessageHub.get_current_instance()
        iteration = hub.get_info('iter', 0)
        progress = iteration / max(hub.get_info('max_iters', 1), 1)
        logs: dict[str, Tensor] = {}
        losses: dict[str, Tensor] = {}
        sizes: dict[str, Tensor] = {}
        for task, head in self.tasks.items():
            head.iteration, head.progress = iteration, progress
            self.current_task = task
            outputs = head.loss(**by_task[task])
            self.current_task = None
            logs.update({f'{task}/{name}': value.detach() for name, value in outputs.items()})
            parts = {name: value for name, value in outputs.items() if 'loss' in name}
            if not parts:
                raise ConfigError(f'the head {task!r} gives no loss, only {sorted(outputs)}')
            other = [v for n, v in parts.items() if not any(a in n for a in head.adversarial_names)]
            losses[task] = torch.stack(list(parts.values())).sum()
            sizes[task] = torch.stack(other or list(parts.values())).sum().detach()
        # A short epoch is measured once, since each epoch is logged.
        epoch = hub.get_info('max_iters', 1) // max(hub.get_info('max_epochs', 1), 1)
        if iteration % max(1, min(MONITOR_INTERVAL, epoch)) == 0:
            for view in self.encode_names:
                features = {
                    name: available[f'{view}.{name}'] for name in ('pooled', *self.adapters)
                }
                logs.update(collapse_statistics(view, features))
        maps = [
            value
            for name, value in available.items()
            if MAP.fullmatch(name.partition('.')[2]) and value.requires_grad
        ]
        gradients = SharedGradients(losses, maps, self.backbone, self.shared_weights)
        # Before the balancer runs, which may set the weights of the next step.
        weights = {task: self.balancer.weight(task, progress) for task in losses}
        if self.balancer.learns:
            logs.update({f'weight/{task}': torch.as_tensor(w) for task, w in weights.items()})
        loss = self.balancer(losses, progress, gradients, sizes)
        for observe in self.loss_observers:
            observe(gradients, weights)
        return dict(loss=loss, **logs)

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the balanced loss and the values to log; mmengine would sum all "loss" names."""
        return losses['loss'], OrderedDict(losses)

    def predict(self, task: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute a head's predictions, and its metrics ``(B,)`` with another clip's features.

        The latter are named ``'<metric>_other_clip'``, see :func:`features_of_another_clip`, and
        are NaN if the batch has no other clip. Both use the same random numbers.
        """
        head = self.tasks[task]
        swapped = features_of_another_clip(head.inputs, inputs, self.student_inputs)
        devices = {value.device for value in inputs.values() if value.is_cuda}
        # fork_rng restores the generators, so that the second call draws the same numbers.
        with torch.random.fork_rng(devices=list(devices)):
            others = head.predict(**swapped)
        predictions = head.predict(**inputs)
        for name, value in others.items():
            if value.ndim == 1 and not any(part in name for part in head.reference_names):
                predictions[name + OTHER_CLIP] = (
                    value if value.shape[0] > 1 else torch.full((1,), torch.nan)
                )
        return predictions
