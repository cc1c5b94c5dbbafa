"""One student, several pretext tasks."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Union, cast

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.balancer import Balancer
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.balancers.shared_gradients import shared_weights as find_shared_weights
from mmact_ssl.models.dependence import OTHER_CLIP, features_of_another_clip
from mmact_ssl.models.encoding import encode_view, frozen_statistics, lay_out
from mmact_ssl.models.heads import PretextHead
from mmact_ssl.models.inputs import available_inputs, check_inputs, check_last_map
from mmact_ssl.models.losses.statistics import collapse_statistics
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS, build_named
from mmact_ssl.weights import load_pretrained, take_pretrained

# Takes the gradients of a step and the weights of its tasks.
LossObserver = Callable[[SharedGradients, Mapping[str, Union[float, Tensor]]], None]
# The names of maps, in what :meth:`MultiTaskPretrainer.features` gives.
MAP = re.compile('feature_map|level[0-9]+')
MONITOR_INTERVAL = 10  # steps between two logs of the features' deviation and effective rank
# View -> name -> (B, ...).
Targets = Mapping[str, Mapping[str, Tensor]]


@MODELS.register_module()
class MultiTaskPretrainer(BaseModel):
    """Encode named views once with one student and let pretext heads read the features.

    Args:
        backbone: The student, the only thing that downstream work keeps.
        heads: Task -> pretext head; ``None`` switches a task off.
        data_preprocessor: Names the views and targets that the pipeline packs.
        encode: Views that the student encodes.
        encode_together: Views of one shape go through the student as one batch. Faster, but batch
            normalization then mixes their statistics.
        statistics_views: Encoded views whose batch statistics the student keeps for evaluation; the
            others are normalized by their own and leave no trace. None: all, one after the other.
        frame_wise: The student is a 2D network, which reads frames ``(N, C, H, W)``; in its maps
            the mean of a clip's valid frames takes the place of those that only fill it up.
        adapters: Name -> module on the feature map, or on an earlier one of the backbone's
            ``out_indices`` that its ``level`` names, applied to every encoded view. The name of
            another adapter in place of a module lets tasks share that one's representation.
        pooling: Module from the feature map and the view's validity to ``(B, D)``, in place of the
            mean over all positions.
        balancer: How the tasks' losses become one, a :class:`Balancer` without its tasks.
        shared_weights: Prefix of the backbone's parameters on which the tasks' gradients are
            compared, by some balancers and by ``GradientConflictHook``: ``'layer4'``, or ``''`` for
            all; the last weight unless given.
        teachers: Target -> ``dict(teacher=..., views=...)``: frozen networks that make
            ``targets.<view>.<target>`` online.
        momentum_encoder: ``dict(views=..., momentum=0.999)``: a :class:`MomentumCopy` of backbone
            and adapters encodes these views too; :class:`MomentumCopyHook` moves it.
            ``dtype='bfloat16'``: under autocast to it; its features are float32 again.
        channels_last: Weights and maps of convolutions lie in memory with channels last: faster on
            most GPUs in mixed precision. On a CPU batch normalization then rounds more
            (docs/benchmarks.md).

    Raises:
        ConfigError: A head reads what nothing makes, no task trains the last map, or the backbone
            has no such parameter.
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
        shared = {n: a for n, a in (adapters or {}).items() if isinstance(a, str)}
        own = {n: a for n, a in (adapters or {}).items() if not isinstance(a, str)}
        # Of mmengine: initialization does not reach into torch's own containers.
        self.adapters = ModuleDict(build_named(own))
        self.adapter_of: dict[str, str] = {**{name: name for name in self.adapters}, **shared}
        self.pooling: nn.Module | None = None if pooling is None else MODELS.build(pooling)
        self.heads = ModuleDict(build_named(heads))
        if unknown := set(balancer.get('weights') or ()) - set(heads):
            raise ConfigError(
                f'model.balancer.weights names {min(unknown)!r}, which is not among model.heads '
                f'({", ".join(sorted(heads))})'
            )
        self.balancer: Balancer = MODELS.build({**balancer, 'tasks': list(self.heads)})
        self.shared_weights = shared_weights
        # The task whose loss is computed, which an error of the first step names.
        self.current_task: str | None = None
        # Called in a step, see GradientShareHook.
        self.loss_observers: list[LossObserver] = []
        self.teacher_views = {name: tuple(c['views']) for name, c in (teachers or {}).items()}
        # Of torch: teachers have their weights already, which initialization would overwrite.
        self.teachers = nn.ModuleDict(
            build_named({n: c['teacher'] for n, c in (teachers or {}).items()})
        )
        momentum = dict(momentum_encoder or {})
        self.momentum_views: tuple[str, ...] = tuple(momentum.pop('views', ()))
        dtype = momentum.pop('dtype', None)
        if dtype not in (None, 'bfloat16'):
            raise ConfigError(f"model.momentum_encoder.dtype={dtype!r}: give 'bfloat16' or None")
        self.momentum_dtype = torch.bfloat16 if dtype else None
        self.momentum_encoder: MomentumCopy | None = None
        if momentum_encoder is not None:
            self.momentum_encoder = MomentumCopy(self._encoder(), **momentum)
        self.channels_last = channels_last
        available = available_inputs(
            self.data_preprocessor.views,
            self.data_preprocessor.made_targets,
            self.adapter_of,
            self.encode_names,
            self.statistics_views or (),
            self.momentum_views,
            self.teacher_views,
        )
        check_inputs(self.tasks, available)
        self.student_inputs = {name for name, maker in available.items() if maker == 'student'}
        num_maps = len(getattr(self.backbone, 'out_indices', None) or (0,))
        levels = {n: getattr(self.adapters[a], 'level', -1) for n, a in self.adapter_of.items()}
        check_last_map(self.tasks, self.balancer.weights, self.student_inputs, num_maps, levels)
        wanted = {n for head in self.tasks.values() for n in head.inputs.values()}
        read = {self.adapter_of.get(n.rpartition('.')[2]) for n in wanted & self.student_inputs}
        for name, adapter in self.adapters.items():
            if name not in read:  # of a task that is switched off
                adapter.requires_grad_(False)  # distributed training waits for each gradient
        if shared_weights is not None:
            find_shared_weights(self.backbone, shared_weights)
        if channels_last:
            # Before DistributedDataParallel, which keeps gradients in the layout that it finds.
            self._lay_out(True)

    def init_weights(self) -> None:
        """Draw the weights, or load those that ``init_cfg`` names."""
        if self.channels_last:
            self._lay_out(False)  # weights are drawn in the order of memory
        pretrained = take_pretrained(self.backbone)
        super().init_weights()
        for part, start in pretrained:
            load_pretrained(part, **start)
        if self.channels_last:
            self._lay_out(True)

    def _lay_out(self, channels_last: bool) -> None:
        for part in self.children():
            if part is not self.teachers:  # whose targets are those of caches
                lay_out(part, channels_last)

    @property
    def tasks(self) -> dict[str, PretextHead]:
        """The pretext heads by task."""
        return {name: cast(PretextHead, head) for name, head in self.heads.items()}

    def _encoder(self) -> nn.ModuleDict:
        """Backbone and adapters; made when asked for, so that parameters keep their names."""
        return nn.ModuleDict(dict(backbone=self.backbone, adapters=self.adapters))

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        """The momentum copies of the model and its heads, each with what it follows."""
        pairs = [pair for head in self.tasks.values() for pair in head.momentum_pairs()]
        if self.momentum_encoder is not None:
            pairs.append((self.momentum_encoder, self._encoder()))
        return pairs

    def encode(self, inputs: Mapping[str, Tensor], targets: Targets) -> dict[str, list[Tensor]]:
        """The student's maps of each view, ``(B, C', T', H', W')``; each view is encoded once."""
        groups: dict[Any, list[str]] = OrderedDict()
        for view in self.encode_names:
            kept = self.statistics_views is None or view in self.statistics_views
            together = inputs[view].shape if self.encode_together else view
            groups.setdefault((together, kept), []).append(view)
        maps: dict[str, list[Tensor]] = {}
        for (_, kept), views in groups.items():
            masks = [mask for view in views if (mask := _valid(targets, view)) is not None]
            batch = torch.cat([inputs[view] for view in views]) if views[1:] else inputs[views[0]]
            with nullcontext() if kept else frozen_statistics(self.backbone):
                joint = encode_view(
                    self.backbone, batch, torch.cat(masks) if masks else None, self.frame_wise
                )
            # What adapters read of an earlier map is a node of its own in the graph: a gradient
            # there is that of the tasks alone, not what comes back from later maps.
            by_view = zip(*(one.chunk(len(views)) for one in joint))
            maps.update(zip(views, map(list, by_view)))
        return maps

    def features(
        self, maps: Sequence[Tensor], valid: Tensor | None, adapters: nn.ModuleDict
    ) -> dict[str, Tensor]:
        """All features of a view from its maps, of the student and of its momentum copy alike.

        Args:
            maps: As :meth:`encode` gives them, ``(B, C', T', H', W')`` or ``(B, M', C', T', V')``.
            valid: ``(B, T)`` or ``(B, M, T)``, False for padding.
            adapters: By name.

        Returns:
            dict: ``feature_map``, the last map; ``level0``, ... the earlier ones; ``pooled``
            ``(B, D)``; what each adapter makes, by its name.
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
            **{f'level{i}': one for i, one in enumerate(earlier)},
            'pooled': pooled,
            **{name: adapted[own] for name, own in self.adapter_of.items()},
        }

    def head_inputs(
        self,
        inputs: Mapping[str, Tensor],
        targets: Targets,
        data_samples: list | None = None,
    ) -> dict[str, Tensor]:
        """Everything that a head may name as its input (docs/inputs.md has names and shapes)."""
        found = dict(inputs)
        for view, named in targets.items():
            found.update({f'targets.{view}.{name}': value for name, value in named.items()})
        for view, maps in self.encode(inputs, targets).items():
            features = self.features(maps, _valid(targets, view), self.adapters)
            found.update({f'{view}.{name}': value for name, value in features.items()})
        wanted = {name for head in self.tasks.values() for name in head.inputs.values()}
        for name, views in self.teacher_views.items():
            for view in views:
                # With the heads that read it switched off, a teacher would work for nothing.
                if f'targets.{view}.{name}' in wanted:
                    target = self._teach(name, view, inputs[view], data_samples)
                    found[f'targets.{view}.{name}'] = target
        for view in self.momentum_views:
            if any(name.startswith(f'{view}.momentum_') for name in wanted):
                features = self._momentum_features(inputs[view], _valid(targets, view))
                found.update({f'{view}.momentum_{name}': v for name, v in features.items()})
        return found

    @torch.no_grad()
    def _momentum_features(self, view: Tensor, valid: Tensor | None) -> dict[str, Tensor]:
        momentum = cast(MomentumCopy, self.momentum_encoder)
        if self.training and not momentum.started:
            raise ConfigError(
                "model.momentum_encoder would never move: add momentum=dict(type='MomentumCopyHook'"
                ') to default_hooks'
            )
        encoder = cast(nn.ModuleDict, momentum.module)
        dtype = self.momentum_dtype
        # Autocast that is switched off would also switch off that of an AmpOptimWrapper around it.
        with torch.autocast(view.device.type, dtype) if dtype else nullcontext():
            maps = encode_view(encoder['backbone'], view, valid, self.frame_wise)
            found = self.features(maps, valid, cast(nn.ModuleDict, encoder['adapters']))
        return {name: value.float() for name, value in found.items()} if dtype else found

    @torch.no_grad()
    def _teach(self, name: str, view: str, frames: Tensor, samples: list | None) -> Tensor:
        """A teacher's target of each frame of a view, ``(B, C, T, H, W) -> (B, T, ...)``.

        One that reads whole clips gives one for each, ``(B, 1, ...)``.
        """
        images = self.data_preprocessor.denormalize(frames).transpose(1, 2)  # (B, T, C, H, W)
        teacher = cast(BaseTeacher, self.teachers[name])
        if teacher.window is not None:
            teacher.check_stride(f'model.teachers.{name}', view, samples)
            return teacher(images)[:, None]
        return teacher(images.flatten(0, 1)).unflatten(0, images.shape[:2])

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
            data_samples: Tell teachers of clips which frames they get. Nothing else is read, for
                the annotation's labels must not reach pre-training.
            mode: ``'loss'``: ``'loss'`` (to minimize) and ``'<task>/<name>'`` (to log).
                ``'predict'``: for each sample, task -> what its head predicts, see
                :meth:`predict`. ``'tensor'``: view -> feature map.
        """
        targets = targets or {}
        if mode == 'tensor':
            return {view: maps[-1] for view, maps in self.encode(inputs, targets).items()}
        found = self.head_inputs(inputs, targets, data_samples)
        by_task = {
            task: {argument: found[name] for argument, name in head.inputs.items()}
            for task, head in self.tasks.items()
        }
        if mode == 'predict':
            predicted = {task: self.predict(task, given) for task, given in by_task.items()}
            return [
                {task: {n: value[i] for n, value in p.items()} for task, p in predicted.items()}
                for i in range(len(inputs[self.encode_names[0]]))
            ]
        return self._losses(by_task, found)

    def predict(self, task: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A head's predictions, and its metrics ``(B,)`` with another clip's features.

        These are named ``'<metric>_other_clip'``, see :func:`features_of_another_clip`, and are NaN
        where the batch has no other clip. Both are of the same random numbers.
        """
        head = self.tasks[task]
        swapped = features_of_another_clip(head.inputs, inputs, self.student_inputs)
        devices = {value.device for value in inputs.values() if value.is_cuda}
        # The generators are put back, so that the second call draws the same.
        with torch.random.fork_rng(devices=list(devices)):
            others = head.predict(**swapped)
        found = head.predict(**inputs)
        for name, value in others.items():
            if value.ndim == 1 and not any(part in name for part in head.reference_names):
                found[name + OTHER_CLIP] = (
                    value if value.shape[0] > 1 else torch.full((1,), torch.nan)
                )
        return found

    def _losses(
        self, by_task: Mapping[str, Mapping[str, Tensor]], found: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The balanced loss, and all that is logged."""
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
            own = {name: value for name, value in outputs.items() if 'loss' in name}
            if not own:
                raise ConfigError(f'the head {task!r} gives no loss, only {sorted(outputs)}')
            plain = [v for n, v in own.items() if not any(a in n for a in head.adversarial_names)]
            losses[task] = torch.stack(list(own.values())).sum()
            sizes[task] = torch.stack(plain or list(own.values())).sum().detach()
        # Short epochs, each of which is logged, are measured once each.
        epoch = hub.get_info('max_iters', 1) // max(hub.get_info('max_epochs', 1), 1)
        if iteration % max(1, min(MONITOR_INTERVAL, epoch)) == 0:
            for view in self.encode_names:
                named = {name: found[f'{view}.{name}'] for name in ('pooled', *self.adapters)}
                logs.update(collapse_statistics(view, named))
        maps = [
            value
            for name, value in found.items()
            if MAP.fullmatch(name.partition('.')[2]) and value.requires_grad
        ]
        gradients = SharedGradients(losses, maps, self.backbone, self.shared_weights)
        # Before the balancer, which may move them for the next step.
        weights = {task: self.balancer.weight(task, progress) for task in losses}
        if self.balancer.learns:
            logs.update({f'weight/{task}': torch.as_tensor(w) for task, w in weights.items()})
        loss = self.balancer(losses, progress, gradients, sizes)
        for observe in self.loss_observers:
            observe(gradients, weights)
        return dict(loss=loss, **logs)

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The balanced loss, and all numbers for the log (mmengine sums all "loss" names)."""
        return losses['loss'], OrderedDict(losses)


def _valid(targets: Targets, view: str) -> Tensor | None:
    """Which frames (and persons) of a view are no padding; None: all."""
    return targets.get(view, {}).get('valid')
