"""Properties of every head: who gets a gradient, and that nothing to count moves nothing."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_metric import trivial_answer
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.heads.contrast import ContrastHead
from mmact_ssl.models.heads.redundancy import RedundancyHead
from mmact_ssl.models.heads.self_distillation import SelfDistillationHead
from mmact_ssl.models.heads.teacher_guidance import TeacherGuidanceHead
from tests.test_models.cases import cases

# What comes of the student, and inputs that a head encodes by itself.
STUDENT = dict(
    byol=('one', 'two'),
    simsiam=('one', 'two'),
    dino=('one', 'two'),
    barlow=('one', 'two'),
    vicreg=('one', 'two'),
    speed=('pooled',),
    context=('static', 'keyframes'),
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


@pytest.mark.parametrize('case', ['speed', 'appearance', 'consistent_motion', 'queue', 'prompts'])
def test_an_input_that_a_head_does_not_have_is_no_argument_of_its_equation(case):
    head, batch = cases()[case]
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        head.loss(**batch, other=torch.zeros(len(batch[STUDENT[case][0]])))


@pytest.mark.parametrize(
    'head', [SelfDistillationHead, TeacherGuidanceHead, RedundancyHead, ContrastHead]
)
def test_an_input_that_a_head_of_any_views_does_not_have_is_refused(head):
    """It would be one more view, or a target of nothing."""
    teachers = dict(teachers=dict(image=dict(channels=3))) if head is TeacherGuidanceHead else {}
    views = dict(views=('clip', 'clip_b'))
    with pytest.raises(ConfigError, match="no input 'clip_imge', there are clip, clip_b"):
        head(4, **teachers, **views, inputs=dict(clip_imge='targets.clip.other'))
    known = head(4, **teachers, **views, inputs=dict(clip='clip.appearance')).inputs
    assert known['clip'] == 'clip.appearance' and known['clip_b'] == 'clip_b.pooled'


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


def test_a_loss_that_is_not_a_term_is_refused():
    class Forgetful(PretextHead):
        def terms(self, value):
            return dict(loss=Term(value), loss_b=value.mean())

    with pytest.raises(ConfigError, match="Forgetful: 'loss_b' is not a Term"):
        Forgetful().loss(value=torch.ones(2))
