# DTG-Net on EfficientNet-Lite0 with the temporal shift and a third teacher, optical flow, which has
# no weights. It stands in for poses where these are hardly seen. Our choice.
_base_ = 'dtg_tsm-lite0.py'

motion = dict(
    _base_.embedding, target='motion', kind='map', layout='motion_cells', cache='optical_flow.lmdb'
)
load_targets = [*_base_.load_targets, motion]
model = dict(
    data_preprocessor=dict(
        targets=[*_base_.model.data_preprocessor.targets, 'clip.motion', 'clip_b.motion']
    ),
    heads=dict(guidance=dict(teachers=dict(motion=dict(channels=384, deviation=True)))),
)
train_steps = [_base_.sample_views, *load_targets, *_base_.make_views]
test_steps = [dict(_base_.sample_views, test_mode=True), *load_targets, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=[*train_steps, _base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, _base_.pack]))
