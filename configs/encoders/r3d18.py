# R3D-18 of Tran et al., CVPR 2018, as mmaction2 spells it: clips of 16 frames at 112x112, as it is
# usually evaluated. 33.2 M parameters, (B, 3, 16, 112, 112) -> (B, 512, 2, 7, 7).
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='r3d18',
    options=dict(_delete_=True, frames=16, stride=2),
    backbone=dict(
        type='mmaction.ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        base_channels=64,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        with_pool1=False,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
        inflate_style='3x3x3',
        zero_init_residual=False,
    ),
    channels=512,
    clip=[
        *_base_.encoder.clip[:3],
        dict(type='mmaction.Resize', scale=(-1, 128)),
        dict(type='mmaction.CenterCrop', crop_size=112),
        *_base_.encoder.clip[5:],
    ],
    # The released settings of the nearest relative, arXiv 2104.00862: 120 epochs of which 10 warm
    # up, learning rate 1e-4 for all, weight decay 3e-3, dropout 0.3, gradient norm at most 15. The
    # optimizer is our choice.
    finetune=dict(
        settings=dict(_delete_=True, flip_ratio=0.5),
        clip=[
            *_base_.encoder.finetune.clip[:3],
            dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
            dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
            *_base_.encoder.finetune.clip[5:],
        ],
        # New workers would get the same seeds in each epoch, and repeat the crops.
        loader=dict(num_workers=8, persistent_workers=True),
        optim_wrapper=dict(optimizer=dict(lr=1e-4, weight_decay=3e-3), clip_grad=dict(max_norm=15)),
        train_cfg=dict(max_epochs=120),
        param_scheduler=[
            dict(_base_.encoder.finetune.param_scheduler[0], end=10),
            dict(_base_.encoder.finetune.param_scheduler[1], begin=10, end=120),
        ],
        pretrained_lr_mult=1.0,
    ),
)
