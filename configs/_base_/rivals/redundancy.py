# One step of Barlow Twins (arXiv 2103.03230):
#
#     one, two = augment(clip), augment(clip)
#     z = project(student(one)), project(student(two))    # standardized over the clips of all GPUs
#     C = z_one.T @ z_two / clips                         # correlations of channels
#     loss = sum of (1 - C_ii)^2 + 0.005 * sum of C_ij^2 over i != j
#     optimizer.step()
#
# VICReg (arXiv 2105.04906), with the covariances of each view:
#
#     loss = 25 * mean of (z_one - z_two)^2                   # invariance
#          + 25 * mean of max(0, 1 - deviation of a channel)  # variance
#          + mean over channels of the sum of C_ij^2 over i != j, of both views  # covariance
#
# They train by AdamW in place of LARS, with gradients of a norm of at most 5 and a decay that
# includes biases and norms (as released 1e-6, without these): our choice. Barlow Twins' gradient is
# far longer than that at the start. Sizes are for small students and batches (our choice); as
# published, two hidden layers and 8192 channels each.
barlow = dict(
    type='RedundancyHead',
    hidden_dim=512,
    hidden_layers=1,
    embedding_dim=512,
    loss=dict(type='BarlowTwinsLoss', redundancy_weight=0.005),
)
vicreg = dict(barlow, loss=dict(type='VICRegLoss'))
