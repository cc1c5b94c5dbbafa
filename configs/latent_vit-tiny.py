# One step:
#
#     mask = the same 90 % of the places in all frames
#     f    = student(clip without masked patches)
#     y    = predict(f, mask)                        # a light transformer, a token at masked places
#     z    = layer_norm(copy(clip))                  # the student's moving average, the whole clip
#     loss = mean over masked patches of |y - z|
#     optimizer.step(), then the copy follows
#
# Latent prediction after V-JEPA (arXiv 2404.08471) on the views of videomae_vit-tiny.py; V-JEPA
# itself masks blocks and has larger networks. A constant weight decay, for biases and norms too, is
# ours; V-JEPA's rises from 0.04 to 0.4.
_base_ = 'videomae_vit-tiny.py'

model = dict(
    momentum_encoder=dict(views=('clip',), momentum=0.99),
    heads=dict(
        _delete_=True,
        latent=dict(
            type='LatentPredictionHead', in_channels=192, hidden_dim=96, depth=2, num_heads=2
        ),
    ),
)
