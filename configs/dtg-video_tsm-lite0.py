# DTG-Net on EfficientNet-Lite0 with the temporal shift and a third teacher, a frozen video network
# of whole clips: V-JEPA 2, or another one by its number of channels. Our choice.
_base_ = 'dtg_tsm-lite0.py'

videos = dict(_base_.embedding, target='video', cache='video.lmdb', windows=True)
model = dict(
    data_preprocessor=dict(
        targets=[*_base_.model.data_preprocessor.targets, 'clip.video', 'clip_b.video']
    ),
    heads=dict(guidance=dict(teachers=dict(video=dict(channels=1024)))),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, videos, _base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, videos, _base_.pack]))
