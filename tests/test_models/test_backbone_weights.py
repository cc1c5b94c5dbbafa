"""Start files of backbones that read them by themselves; the rest is in test_pretrainer."""

from __future__ import annotations

from mmengine.model import BaseModule

from mmact_ssl.models.backbone_weights import take_pretrained


def test_backbones_that_read_a_file_by_themselves_keep_its_name():
    """mmaction2's MViT and MobileOneTSM rename keys of the file."""
    named = dict(type='Pretrained', checkpoint='a.pth')

    class MViT(BaseModule):
        pass

    class Other(BaseModule):
        pass

    for kind, kept in ((MViT, named), (Other, None)):
        backbone = kind(init_cfg=dict(named))
        taken = take_pretrained(backbone)
        assert backbone.init_cfg == kept
        assert taken == ([] if kept else [(backbone, dict(checkpoint='a.pth'))])
