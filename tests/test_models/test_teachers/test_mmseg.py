import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS as MMSEG_MODELS
from torch import nn

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.mmlab_config import build_network
from mmact_ssl.models.teachers.mmseg import MMSegTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def test_at_the_inputs_size_it_is_the_segmentors_own_prediction(small_model, frames):
    small = small_model('mmseg')
    images = FrameInput((32, 48), MEAN, STD)(frames)
    with torch.no_grad():
        results = small.network.predict(images)
    wanted = torch.stack([result.seg_logits.data for result in results]).softmax(1)
    found = MMSegTeacher(**small.files, input_size=(32, 48), layout='lip', map_size=(32, 48))(
        frames
    )
    assert found.shape == (5, 4, 32, 48)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_parts_add_classes_in_their_order(small_model, frames):
    files = small_model('mmseg').files
    every = MMSegTeacher(**files, input_size=32, map_size=8, layout='person')(frames)
    parts = {**LAYOUT, 'head': [3], 'torso': [0, 2]}
    found = MMSegTeacher(**files, input_size=32, map_size=8, layout='pose_parts', parts=parts)(
        frames
    )
    wanted = torch.stack([every[:, 3], every[:, 0] + every[:, 2]], dim=1)
    torch.testing.assert_close(found[:, 1:3], wanted)


LAYOUT = {part: [0] for part in PART_LAYOUTS['pose_parts'].names}


@pytest.mark.parametrize(
    ('parts', 'layout', 'message'),
    [
        ({'person': [4]}, 'person', r"has the classes 0 to 3, parts\['person'\] is \[4\]"),
        ({'head': [1], **LAYOUT}, 'pose_parts', "'head' of parts is where .* has 'background'"),
        ({**LAYOUT, 'tail': [0]}, 'pose_parts', "'tail' of parts is where .* has None"),
        (dict([*LAYOUT.items()][:-1]), 'pose_parts', "None of parts .* has 'right_lower_leg'"),
        (LAYOUT, 'pascal', "unknown layout 'pascal'; known are person"),
    ],
)
def test_parts_that_a_flip_or_the_network_cannot_have_are_refused(
    small_model, parts, layout, message
):
    with pytest.raises(ConfigError, match=message):
        MMSegTeacher(
            **small_model('mmseg').files, input_size=32, map_size=8, parts=parts, layout=layout
        )


def test_one_class_is_a_sigmoid(small_model, frames, tmp_path):
    config = Config.fromfile(small_model('mmseg').files['config'])
    config.model.decode_head.update(num_classes=2, out_channels=1, threshold=0.5)
    config.dump(str(tmp_path / 'one.py'))
    network = build_network(config.to_dict()['model'], 'mmseg').eval()
    torch.save(network.state_dict(), tmp_path / 'one.pth')
    images = FrameInput((32, 32), MEAN, STD)(frames)
    with torch.no_grad():
        logits = network.encode_decode(images, [{'img_shape': (8, 8)}])
    found = MMSegTeacher(str(tmp_path / 'one.py'), str(tmp_path / 'one.pth'), 32, 8, 'person')(
        frames
    )
    torch.testing.assert_close(found, logits.sigmoid(), atol=1e-5, rtol=1e-5)


@MMSEG_MODELS.register_module()
class MaskScores(nn.Module):
    """A head without logits, as Mask2Former's is."""

    align_corners, num_classes, out_channels = False, 4, 4

    def __init__(self, **_):
        super().__init__()


def test_a_head_without_logits_is_refused(small_model, tmp_path):
    small = small_model('mmseg')
    config = Config.fromfile(small.files['config'])
    config.model.decode_head = dict(type='MaskScores')
    config.dump(str(tmp_path / 'scores.py'))
    with pytest.raises(ConfigError, match='scores.py has a MaskScores, which gives no logits'):
        MMSegTeacher(str(tmp_path / 'scores.py'), small.files['checkpoint'], 32, 8, 'lip')
