# Two augmented views of a skeleton clip for GRUs over joints, bones and motion (the student is
# gru-streams). The views of skeletons are `one` and `two`, where those of videos are `clip` and
# `clip_b`.
_base_ = ['../../encoders/gru-streams.py', '../methods/skeleton-views.py']

head_sizes = dict(in_channels=768, streams=3)  # mean and maximum of three streams
backbone = _base_.encoder.backbone
model = dict(backbone=dict(backbone, encoder=dict(backbone.encoder, pool=None)))
# The statistics of Barlow Twins and VICReg over the few clips of a last batch are noise. All rivals
# have the same batches.
train_dataloader = dict(batch_size=128, drop_last=True)
# As many steps as MS2L's two views take on NW-UCLA, whatever the set's size.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=960)
warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=40)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=40, end=960)
param_scheduler = [warmup, cosine]
