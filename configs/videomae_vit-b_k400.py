# VideoMAE on Kinetics-400 in mmaction2's layout, ViT-B. To start from mmaction2's weights:
#
#     --cfg-options model.backbone.use_mean_pooling=True \
#         model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = ['_base_/sets/kinetics400.py', 'encoders/vit-b.py', '_base_/methods/videomae.py']

model = dict(backbone=_base_.encoder.backbone)
train_dataloader = dict(dataset=_base_.train_set)
