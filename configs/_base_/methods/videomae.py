# One step:
#
#     mask = the same 90 % of the places in all frames
#     f    = student(clip without masked patches)    # the visible patches alone
#     y    = decode(f, mask)                         # a light transformer, a token at masked places
#     x    = patches(clip), each color of a patch at mean 0 and deviation 1
#     loss = mean over masked patches of (y - x)^2
#     optimizer.step()
#
# VideoMAE (arXiv 2203.12602) with its published sizes, for ViT-B on Kinetics-400: 800 epochs,
# learning rate 1.5e-4 for a batch of 256. The crop, the first weights, the end at a rate of 0 and
# the gradient's norm of at most 5 are ours.
_base_ = ['video.py', '../schedules/pretrain_adamw.py']

views = ('clip',)
model = dict(
    data_preprocessor=dict(views=views, targets=['clip.valid', 'clip.mask']),
    encode=views,
    heads=dict(
        pixels=dict(type='MaskedPixelHead', in_channels=768, hidden_dim=384, depth=4, num_heads=6),
    ),
)

sample_views = dict(type='SampleViews', clip=dict(num_frames='$frames', stride='$stride'))
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=('$side', '$side'), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
]
mask = dict(type='MaskTubes')
pack = dict(type='PackInputs', views=views)
train_pipeline = [
    sample_views,
    dict(type='DecodeViews', short_side=256),
    dict(type='TransformViews', views=views, transforms=augment),
    mask,
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# As in the released code biases, norms and the mask token do not decay.
matrices_alone = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0)
optim_wrapper = dict(optimizer=dict(lr=1.5e-4, betas=(0.9, 0.95)), paramwise_cfg=matrices_alone)
train_cfg = dict(max_epochs=800)
param_scheduler = [dict(_base_.warmup, end=40), dict(_base_.cosine, begin=40, end=800)]
