# ViT-B of VideoMAE (Tong et al., arXiv 2203.12602): clips of 16 frames at 224x224 in patches of
# 2x16x16, every fourth frame. 86.2 M parameters, (B, 3, 16, 224, 224) -> (B, 768, 8, 14, 14).
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='vit-b',
    options=dict(frames=16, side=224, stride=4),
    backbone=dict(type='mmact_ssl.MaskedVisionTransformer', img_size='$side', num_frames='$frames'),
    channels=768,
    # Our choice: VideoMAE fine-tunes with layer-wise rates, mixup and repeated augmentation.
    finetune=dict(
        settings=dict(
            _delete_=True,
            crop=dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
            flip_ratio=0.5,
        ),
        # New workers would get the same seeds in each epoch, and repeat the crops.
        loader=dict(num_workers=8, persistent_workers=True),
        optim_wrapper=dict(optimizer=dict(lr=5e-4)),
        train_cfg=dict(max_epochs=75),
        param_scheduler=[
            dict(_base_.encoder.finetune.param_scheduler[0], end=5),
            dict(_base_.encoder.finetune.param_scheduler[1], begin=5, end=75),
        ],
        pretrained_lr_mult=0.5,
    ),
)
