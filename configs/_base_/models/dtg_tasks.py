# DTG-Net: two clips of a video, guidance by each teacher, and a contrast of student with student.
# Beside a student of students/ this is the model; the configs name the teachers.
tasks = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='PretextDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        views=('clip', 'clip_b'),
        targets=('clip_valid', 'clip_b_valid'),
    ),
    encode=('clip', 'clip_b'),
    # Each view is a batch of its own, so that batch statistics don't mix them.
    encode_together=False,
    heads=dict(
        guidance=dict(
            type='TeacherGuidanceHead',
            in_channels=512,
            teachers=dict(),
            temperature=0.1,
            hidden_dim=512,
        ),
        contrast=dict(
            type='ContrastHead',
            in_channels=512,
            views=('clip', 'clip_b'),
            target='pair',
            temperature=0.1,
            self_similarity=None,
            hidden_dim=512,
            embedding_dim=128,
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(guidance=1.0, contrast=1.0)),
)
