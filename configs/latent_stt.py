# One step:
#
#     mask = 90 % of the joints in segments of 4 frames, moving ones first
#     f    = student(clip without masked places)
#     y    = predict(f, mask)                        # a light transformer, a token at masked places
#     z    = layer_norm(copy(clip))                  # the student's moving average, the whole clip
#     loss = mean over masked places of |y - z|
#     optimizer.step(), then the copy follows
#
# Latent prediction after V-JEPA (arXiv 2404.08471) and data2vec (arXiv 2202.03555) for skeletons on
# the small transformer over joints; masks and views are those of mamp_stt.py. Our choice.
_base_ = 'mamp_stt.py'

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=0.99),
    heads=dict(
        _delete_=True,
        latent=dict(
            type='LatentPredictionHead',
            in_channels=128,
            skeletons=True,
            hidden_dim=64,
            depth=2,
            num_heads=4,
        ),
    ),
)
