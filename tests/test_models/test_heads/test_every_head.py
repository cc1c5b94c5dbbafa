"""Properties of every head: who gets a gradient, and that nothing to count moves nothing."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_metric import trivial_answer
from mmact_ssl.models.heads.classification import JigsawHead, SpeedHead
from mmact_ssl.models.heads.consistency import ConsistencyHead
from mmact_ssl.models.heads.recognition import RecognitionHead
from mmact_ssl.models.heads.views import ContrastHead
from mmact_ssl.models.losses.view_prediction import CenteredCrossEntropyLoss
from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling
from tests.test_models.cases import BATCH, cases

# What comes of the student, and inputs that a head encodes by itself.
STUDENT = dict(
    byol=('one', 'two'),
    simsiam=('one', 'two'),
    dino=('one', 'two'),
    barlow=('one', 'two'),
    vicreg=('one', 'two'),
    speed=('pooled',),
    context=('static', 'keyframes'),
    frame_guidance=('feature_map',),
    pose=('dynamic',),
    motion=('feature_map',),
    masked_pixels=('feature_map',),
    masked_motion=('feature_map',),
    latent=('feature_map',),
    contrast=('one', 'two', 'three'),
    appearance=('query', 'key'),
    consistent_motion=('query', 'key'),
    queue=('query',),
    parsing=('features',),
    prompts=('pooled',),
    classification=('pooled',),
    recognition=('feature_map',),
    guidance=('clip', 'clip_b'),
    future=('static', 'dynamic'),
)
# What comes as it is from the data set; all else is of a teacher or a momentum encoder.
DATA = dict(
    motion=('clip', 'masked'),
    masked_pixels=('frames',),
    masked_motion=('clip',),
    pose=('observed', 'future'),
    future=('frames', 'continued'),
)
NOTHING = dict(
    context=dict(valid=False),
    consistent_motion=dict(query_speed=1, key_speed=1),  # a clip of another speed is missing
    parsing=dict(valid=False),
    masked_pixels=dict(valid=False),
    masked_motion=dict(valid=False),
    latent=dict(valid=False),
    prompts=dict(valid=False),
    classification=dict(label=-1),
    speed=dict(valid=False),
    recognition=dict(label=-1),
    guidance=dict(clip_valid=False),
    frame_guidance=dict(valid=False),
)


@pytest.mark.parametrize('case', STUDENT)
def test_the_student_and_the_head_learn_and_targets_do_not(case):
    head, batch = cases()[case]
    for name, value in batch.items():
        value.requires_grad_(value.is_floating_point() and name not in DATA.get(case, ()))
    sum(value for name, value in head.loss(**batch).items() if 'loss' in name).backward()
    assert {name for name, value in batch.items() if value.grad is not None} == {*STUDENT[case]}
    assert all(batch[name].grad.any() for name in STUDENT[case])
    for name, parameter in head.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.requires_grad != ('momentum' in name)


@pytest.mark.parametrize('case', ['pose', 'future'])
def test_student_and_discriminators_are_trained_by_their_own_losses(case):
    head, batch = cases()[case]
    for parameter in head.parameters():
        if not parameter.any():  # what starts at zero hides what it reads
            torch.nn.init.normal_(parameter, std=0.3)
    features = [batch[name].requires_grad_() for name in STUDENT[case]]
    losses = {
        name: term.value.sum() for name, term in head.terms(**batch).items() if 'loss' in name
    }
    named = dict(head.named_parameters())
    for name, loss in losses.items():
        learning = [*features, *named.values()]
        gradients = torch.autograd.grad(loss, learning, retain_graph=True, allow_unused=True)
        moved = [gradient is not None and bool(gradient.any()) for gradient in gradients]
        trained = {key for key, is_moved in zip(named, moved[len(features) :]) if is_moved}
        if 'discriminator' in name:
            own = f'discriminators.{name.split("_")[1]}.' if case == 'future' else 'discriminator.'
            assert trained and all(key.startswith(own) for key in trained), name
            assert not any(moved[: len(features)]), name
        else:
            assert trained and not any('discriminator' in key for key in trained), name
            assert any(moved[: len(features)]), name


@pytest.mark.parametrize('case', ['masked_pixels', 'masked_motion', 'latent'])
def test_visible_places_alone_are_read_and_clips_without_a_frame_move_nothing(case):
    head, batch = cases()[case]
    feature_map = batch['feature_map'].requires_grad_()
    head.loss(**batch)['loss'].backward()
    skeletons = case == 'masked_motion'
    visible = ~(batch['mask'][..., 0] if skeletons else batch['mask'][:, 0])
    visible[~batch['valid'].flatten(1).any(1)] = False
    assert torch.equal(feature_map.grad.any(2 if skeletons else 1), visible)


@pytest.mark.parametrize('case', NOTHING)
def test_a_batch_with_nothing_to_count_is_a_loss_of_0_that_moves_nothing(case):
    head, batch = cases()[case]
    for name, value in NOTHING[case].items():
        batch[name].fill_(value)
    features = [batch[name].requires_grad_() for name in STUDENT[case]]
    before = {name: value.clone() for name, value in head.state_dict().items()}
    losses = {name: value for name, value in head.loss(**batch).items() if 'loss' in name}
    sum(losses.values()).backward()
    assert all(value == 0 for value in losses.values())
    gradients = [value.grad for value in (*features, *head.parameters())]
    assert not any(gradient.any() for gradient in gradients if gradient is not None)
    assert all(value.equal(before[name]) for name, value in head.state_dict().items())
    scores = [value for name, value in head.predict(**batch).items() if 'accuracy' in name]
    assert all(value.isnan().all() for value in scores)


@pytest.mark.parametrize('case', STUDENT)
def test_every_metric_of_a_task_stands_beside_its_trivial_answer(case):
    """One at least for each head; and accuracies always have their chance."""
    head, batch = cases()[case]
    found = {name: value for name, value in head.eval().predict(**batch).items() if value.ndim == 1}
    own = [name for name in found if not any(part in name for part in head.reference_names)]
    answers = {name: trivial_answer(name, found) for name in own}
    assert any(answers.values())
    assert all(answer for name, answer in answers.items() if name.endswith('accuracy'))
    for name, answer in answers.items():
        if answer:
            assert found[answer].isnan().equal(found[name].isnan()), 'over the same clips'
        if 'chance' in answer:
            # Of one clip it may be a hit or a miss.
            assert 0 < found[answer].nan_to_num(0.5).mean() < 1


def of_case(name: str, **changes):
    """Return a function that calls a case's head with other inputs."""

    def call() -> None:
        head, batch = cases()[name]
        head.loss(**{**batch, **changes})

    return call


REFUSED = {
    "'pairs': use 'mean' or 'pair'": lambda: ContrastHead(4, target='pairs'),
    "mode='max': use 'mean' or 'mean_max'": lambda: SkeletonPooling('max'),
    'channels=4, but the head projects to 5': lambda: CenteredCrossEntropyLoss(4)(
        *torch.zeros(2, 2, 3, 5)
    ),
    "consistency='speed': use 'appearance' or 'motion'": lambda: ConsistencyHead(4, 'speed').terms(
        *torch.randn(2, 2, 4), torch.arange(2)
    ),
    'num_classes is 0: it needs labels': lambda: RecognitionHead(
        dict(type='mmaction.TSNHead', num_classes=0, in_channels=4)
    ),
    'shuffles 3 segments, the head recognizes 2: set segments of both': lambda: JigsawHead(
        4, segments=2
    ).loss(pooled=torch.randn(2, 4), label=torch.tensor([[0, 1, 2], [2, 1, 0]])),
    '3 classes, .*set num_classes, segments or strides': of_case(
        'classification', label=torch.full((BATCH,), 7)
    ),
    '2 classes, .*set num_classes, segments or strides': of_case(
        'speed', label=torch.tensor([1, 3, 3, 8, 1, 3])
    ),
    r'targets.clip.mask has \(3, 2, 2\) places .*patches of \(1, 2, 2\)': of_case(
        'masked_pixels', frames=torch.zeros(BATCH, 3, 6, 4, 4)
    ),
    '3 segments in a clip of 9 frames': of_case(
        'masked_motion', clip=torch.zeros(BATCH, 2, 9, 5, 2)
    ),
    'MotionPredictionHead got clips .*: set encoder.options': of_case(
        'motion', clip=torch.zeros(BATCH, 1, 3, 15, 3)
    ),
    r'targets.clip.parts is \[3, 4, 4, 4\] .*expected is \[3, 3, 4, 4\]': of_case(
        'parsing', parts=torch.zeros(BATCH, 3, 4, 4, 4)
    ),
}


@pytest.mark.parametrize('message', REFUSED)
def test_settings_and_inputs_that_do_not_fit_are_refused_with_what_to_change(message):
    with pytest.raises(ConfigError, match=message):
        REFUSED[message]()


@pytest.mark.parametrize('head', [JigsawHead(4, hidden_dim=None), SpeedHead(4, (1, 2))])
def test_what_a_config_sets_is_not_in_checkpoints(head):
    assert head.state_dict().keys() == {'classifier.weight', 'classifier.bias'}
