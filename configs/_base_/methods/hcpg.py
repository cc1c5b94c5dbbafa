# One step:
#
#     clip, clip_b = frames(video)                # two clips at two speeds
#     f, f_b = student(clip), student(clip_b)     # feature maps
#     for task in (appearance, motion, parsing):  # an adapter each
#         a[task], b[task] = adapter_task(f), adapter_task(f_b)
#     appearance = contrast(a, b, positives=same video, negatives=other videos)
#     motion     = contrast(a, b, positives=same speed, negatives=other speeds)
#     parsing    = kl(decode(a), part maps of the teacher), both softened
#     loss       = weighted sum of the three
#     optimizer.step()
#
# HCPG on R3D-18: two clips of a video at two speeds, contrasted by appearance and by motion, and
# distillation of a parser, each task on its own adapter.
_base_ = ['video.py', '../schedules/pretrain_adamw.py']

views = ('clip', 'clip_b')
adapter = dict(type='GatedAdapter', in_channels=512, out_channels=256)
contrast = dict(
    type='ConsistencyHead',
    in_channels=256,
    hidden_dim=512,
    embedding_dim=128,
)
model = dict(
    data_preprocessor=dict(
        views=views,
        targets=(
            'sample.video',
            'clip.speed',
            'clip_b.speed',
            'clip.valid',
            'clip_b.valid',
            'clip.parts',
        ),
    ),
    encode=views,
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
    # One representation for all tasks: motion='appearance', parsing='appearance'.
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=dict(consistency='appearance', adapter='appearance', **contrast),
        motion=dict(
            consistency='motion',
            adapter='motion',
            # The student learns speed late: a lower temperature would overweight the negatives.
            loss=dict(type='MultiPositiveInfoNCELoss', temperature=0.5),
            **contrast,
        ),
        parsing=dict(
            type='ParsingDistillationHead',
            adapter='parsing',
            in_channels=256,
            num_parts=11,
            map_size=(28, 28),
            frames_per_step=8,
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(appearance=1.0, motion=1.0, parsing=1.0)),
)

# Drawn from poses (tools/extract_targets.py draw-parts). For a parsing network set another cache,
# layout and model.heads.parsing.num_parts; docs/extend/teacher_entries.md has one.
load_parts = dict(
    type='LoadTargets',
    target='parts',
    cache='pose_parts.lmdb',
    kind='map',
    layout='pose_parts',
)
pack = dict(type='PackInputs', views=views, video=True)
