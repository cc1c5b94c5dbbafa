# One step:
#
#     one, two = augment(clip), augment(clip)     # cut, turned, sheared, mirrored, jittered, masked
#     for stream in (joint, bone, motion):        # a GRU and a projector each
#         z_one, z_two = project(student(one)), project(student(two))
#         contrast += nt_xent(z_one, z_two)       # other clips of the batch are the negatives
#     optimizer.step()
#
# MS2L's contrast between two augmented views of a clip, separately for each stream, on GRUs over
# joints, bones and motion.
_base_ = 'skeleton-views.py'

model = dict(
    heads=dict(
        contrast=dict(
            type='ContrastHead',
            in_channels=768,  # mean and maximum of three streams
            streams=3,
            views=_base_.views,
            target='pair',
            loss=dict(type='NTXentLoss', temperature=0.1, self_similarity=None),
            hidden_dim=512,
            embedding_dim=128,
        ),
    ),
)
