# One step of BYOL (arXiv 2006.07733):
#
#     one, two = augment(clip), augment(clip)
#     p = predict(project(student(one))), predict(project(student(two)))
#     t = copy(one), copy(two)    # moving averages of student and projector, no gradient
#     loss = (1 - cos(p_one, t_two) + 1 - cos(p_two, t_one)) / 2
#     optimizer.step(), then the averages follow
#
# SimSiam (arXiv 2011.10566) has no averages: t = stop(project(student(one))), and of two.
#
# DINO (arXiv 2104.14294) has no predictor; projections are cosines with learned prototypes:
#
#     loss   = cross_entropy(softmax((t_two - center) / 0.04), softmax(p_one / 0.1)), and of p_two
#     center = 0.9 * center + 0.1 * mean of t
#
# Ours: AdamW of one rate and decay for all weights, biases and norms too, with gradients of a norm
# of at most 5. As released BYOL takes LARS, a decay of 1.5e-6 and no clipping; SimSiam SGD, 1e-4,
# and a constant rate of the predictor; DINO AdamW, a decay rising from 0.04 to 0.4, a norm of at
# most 3 for each weight, GELU in the projector, and a last layer frozen in the first epoch. BYOL
# and DINO do not decay biases and norms.
#
# Sizes are for small students and about a thousand steps (our choice): an average of 0.996 would
# stay close to its random start. The published ones stand behind them; the momentum is that of the
# publications' start, where it rises to 1.
byol = dict(
    type='SelfDistillationHead',
    momentum=0.99,  # 0.996
    hidden_dim=512,  # 4096
    embedding_dim=128,  # 256
    predictor_dim=512,  # 4096
)
simsiam = dict(
    type='SelfDistillationHead',
    momentum=None,
    hidden_dim=512,  # 2048
    hidden_layers=1,  # 2
    embedding_dim=512,  # 2048
    final_bn=True,
    predictor_dim=128,  # 512
)
dino = dict(
    type='SelfDistillationHead',
    momentum=0.99,  # 0.996
    hidden_dim=512,  # 2048
    hidden_layers=1,  # 2
    embedding_dim=128,  # 256
    # With more prototypes or a slower center, all targets become alike in a short run: the center
    # must keep up with the mean.
    prototypes=256,  # 65,536
    predictor_dim=None,
    loss=dict(type='CenteredCrossEntropyLoss', channels=256, center_momentum=0.5),  # 0.9
)
