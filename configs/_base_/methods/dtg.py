# One step:
#
#     clip, clip_b = frames(video)                  # two clips, each cut and colored in its own way
#     s, s_b = student(clip), student(clip_b)       # pooled features
#     for k in teachers:                            # t_k, t_k_b: cached embeddings of both clips
#         contrast_k  = info_nce(project_k(s), t_k_b) + info_nce(project_k(s_b), t_k)
#         agreement_k = 2 - cos(project_k(s), t_k) - cos(project_k(s_b), t_k_b)
#     guidance = sum of weight_k * (contrast_k + agreement_k) / 2
#     contrast = nt_xent(project(s), project(s_b))  # of student with student
#     loss     = weighted sum of guidance and contrast
#     optimizer.step()
#
# DTG-Net on R3D-18: two clips of a video, guidance by each teacher, and a contrast of student with
# student.
_base_ = ['video.py', '../schedules/pretrain_adamw.py']

views = ('clip', 'clip_b')
model = dict(
    data_preprocessor=dict(
        views=views,
        targets=[f'{v}.{name}' for v in views for name in ('valid', 'imagenet', 'action', 'pose')],
    ),
    encode=views,
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
    heads=dict(
        guidance=dict(
            type='TeacherGuidanceHead',
            in_channels=512,
            teachers=dict(
                imagenet=dict(channels=2048),
                action=dict(channels=2048),
                pose=dict(channels=32, deviation=True),
            ),
            hidden_dim=512,
        ),
        contrast=dict(
            type='ContrastHead',
            in_channels=512,
            views=views,
            target='pair',
            loss=dict(type='NTXentLoss', temperature=0.1, self_similarity=None),
            hidden_dim=512,
            embedding_dim=128,
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(guidance=1.0, contrast=1.0)),
)

# Features of three teachers: an ImageNet classifier, an image-based action recognizer and a pose
# network's backbone.
embedding = dict(type='LoadTargets', kind='embedding', views=views)
load_targets = [
    dict(embedding, target='imagenet', cache='resnet50_imagenet.lmdb'),
    dict(embedding, target='action', cache='tsn-r50_k400.lmdb'),
    dict(embedding, target='pose', cache='hrnet-w32_coco_backbone.lmdb'),
]
pack = dict(type='PackInputs', views=views)
