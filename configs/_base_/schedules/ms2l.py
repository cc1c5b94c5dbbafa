# As published: Adam, learning rate 1e-3, a tenth of it after 30 epochs, 60 epochs. Their code clips
# the gradient of each module at a norm of 10; here all of it together, which is stricter.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3), clip_grad=dict(max_norm=10)
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=60)
param_scheduler = [dict(type='MultiStepLR', milestones=[30], gamma=0.1)]
