# As published, in steps: Adam, learning rate 1e-3, a tenth of it after half of the training. Their
# 60 epochs on NTU RGB+D 60 in batches of 256 are 9,000 steps; as many epochs of a small set are
# too few (docs/methods/ms2l.md). Their code clips the gradient of each module at a norm of 10; here
# all of it together, which is stricter.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3), clip_grad=dict(max_norm=10)
)
train_cfg = dict(type='StepsTrainLoop', max_iters=9000)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[4500], gamma=0.1)]
