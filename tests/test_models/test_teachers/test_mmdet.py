import numpy as np
import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from mmact_ssl.models.teachers.mmpose import MMDetPersonDetector

PIPELINE = [
    {'type': 'LoadImageFromFile', 'backend_args': None},
    {'type': 'Resize', 'scale': (80, 80), 'keep_ratio': True},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'PackDetInputs', 'meta_keys': ('ori_shape', 'img_shape', 'scale_factor')},
]


@MMDET_MODELS.register_module()
class BlobDetector(BaseModel):
    """Boxes of the bright pixels (a person, label 1) and, surer, of the whole frame (label 0)."""

    def __init__(self, data_preprocessor):
        super().__init__(data_preprocessor)
        self.sureness = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples, mode):
        results = []
        for image, sample in zip(inputs, data_samples):
            height, width = sample.img_shape
            rows, columns = torch.nonzero(image.mean(0)[:height, :width] > 100).T
            boxes = [[0, 0, width, height]]
            if len(rows):
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            boxes = torch.tensor(boxes, dtype=torch.float32) / torch.tensor(sample.scale_factor * 2)
            scores = torch.tensor([0.9, float(self.sureness)])[: len(boxes)]
            found = InstanceData(bboxes=boxes, scores=scores, labels=torch.arange(len(boxes)))
            results.append(DetDataSample(pred_instances=found))
        return results


@pytest.fixture
def files(tmp_path):
    Config(
        {
            'model': {
                'type': 'BlobDetector',
                'data_preprocessor': {'type': 'DetDataPreprocessor', 'pad_size_divisor': 32},
            },
            'test_dataloader': {'dataset': {'type': 'CocoDataset', 'pipeline': PIPELINE}},
        }
    ).dump(str(tmp_path / 'blob.py'))
    torch.save({'state_dict': {'sureness': torch.tensor([0.5])}}, tmp_path / 'blob.pth')
    return {'config': str(tmp_path / 'blob.py'), 'checkpoint': str(tmp_path / 'blob.pth')}


def blob(left, top, right, bottom):
    frame = torch.zeros(3, 60, 120, dtype=torch.uint8)
    frame[:, top:bottom, left:right] = 255
    return frame


def test_the_box_of_the_person_as_fractions(files):
    frames = torch.stack([blob(30, 15, 60, 45), blob(0, 0, 0, 0), blob(60, 30, 120, 60)])
    boxes = MMDetPersonDetector(**files, category=1, batch_size=2)(frames)
    wanted = [[0.25, 0.25, 0.5, 0.75, 0.5], [0, 0, 0, 0, 0], [0.5, 0.5, 1, 1, 0.5]]
    np.testing.assert_allclose(boxes, wanted, atol=0.02)


def test_category_and_score_choose_and_are_in_the_fingerprint(files):
    frames = blob(30, 15, 60, 45)[None]
    whole = MMDetPersonDetector(**files)
    np.testing.assert_allclose(whole(frames), [[0, 0, 1, 1, 0.9]], atol=1e-6)
    sure = MMDetPersonDetector(**files, category=1, min_score=0.6)
    assert not sure(frames).any()
    assert whole.fingerprint() != sure.fingerprint()


def test_a_detector_of_the_installed_mmdet_without_compiled_operators(tmp_path):
    from mmengine.hub import get_config
    from mmengine.registry import DefaultScope

    from mmact_ssl.models.teachers.mmlab_config import without_init

    config = get_config('mmdet::detr/detr_r50_8xb2-150e_coco.py')
    config.model.backbone.update(depth=18)
    config.model.neck.in_channels = [512]
    config.model.encoder.num_layers = config.model.decoder.num_layers = 1
    config.test_dataloader.dataset.pipeline[1].scale = (64, 64)
    with DefaultScope.overwrite_default_scope('mmdet'):
        network = MMDET_MODELS.build(without_init(config.to_dict()['model']))
    config.dump(str(tmp_path / 'detr.py'))
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'detr.pth')
    files = (str(tmp_path / 'detr.py'), str(tmp_path / 'detr.pth'))
    frames = torch.randint(0, 256, (3, 3, 40, 60), dtype=torch.uint8)
    boxes = MMDetPersonDetector(*files, min_score=0.0, batch_size=2)(frames)
    assert boxes.shape == (3, 5)
    assert ((boxes[:, :4] >= 0) & (boxes[:, :4] <= 1)).all()
