# HCPG: two clips of a video at two speeds, contrasted by appearance and by motion, and a parser
# distilled, each task on an adapter of its own. Beside a student of students/ this is the model;
# the configs say what parts the teacher knows.
adapter = dict(type='GatedAdapter', in_channels=512, out_channels=256)
contrast = dict(
    type='ConsistencyHead', in_channels=256, temperature=0.1, hidden_dim=512, embedding_dim=128
)
tasks = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='PretextDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        views=('clip', 'clip_b'),
        targets=(
            'video',
            'clip_speed',
            'clip_b_speed',
            'clip_valid',
            'clip_b_valid',
            'clip_parts',
        ),
    ),
    encode=('clip', 'clip_b'),
    # Each view is a batch of its own, so that batch statistics don't mix them.
    encode_together=False,
    # One representation for all tasks: motion='appearance', parsing='appearance'.
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=dict(consistency='appearance', adapter='appearance', **contrast),
        # Which clips are alike in speed is learned late: softer, or the negatives drown it.
        motion=dict(consistency='motion', adapter='motion', **{**contrast, 'temperature': 0.5}),
        parsing=dict(
            type='ParsingDistillationHead',
            adapter='parsing',
            in_channels=256,
            num_parts=1,
            map_size=(28, 28),
            frames_per_step=8,
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(appearance=1.0, motion=1.0, parsing=1.0)),
)
