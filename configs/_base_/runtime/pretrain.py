default_scope = 'mmact_ssl'
custom_imports = dict(imports=['mmact_ssl'])
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_last=True),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Checkpoints know the teachers of the targets; a resumed run or a test refuses others.
    target_caches=dict(type='TargetCacheHook'),
    # Random numbers depend on seed and progress alone, so that a resumed run draws the same.
    seed_by_progress=dict(type='SeedByProgressHook'),
    # A resumed run goes on within an epoch, and equals one that never stopped.
    exact_resume=dict(type='ExactResumeHook'),
    # On SIGTERM and SIGUSR1 a checkpoint is saved, and the exit status is 75: go on with --resume.
    stop_signal=dict(type='StopSignalHook'),
    # A broken video is replaced, counted and listed in the work dir; too many stop the run.
    broken_samples=dict(type='BrokenSampleHook', max_fraction=0.05),
    # Steps that are not finite are skipped and named; too many stop the run.
    non_finite=dict(type='NonFiniteHook'),
    # A student that no task trains, in part or as a whole, is an error before the first step.
    untrained_weights=dict(type='UntrainedWeightsHook'),
    # What collapses, or stays at chance, is named in one line.
    collapse_alarm=dict(type='CollapseAlarmHook'),
    # Running statistics are averaged over all processes before an epoch's checkpoint.
    sync_buffers=dict(type='SyncBuffersHook'),
    # Momentum encoders, where a model has one, follow the student.
    momentum=dict(type='MomentumCopyHook'),
    # The log tells how much of the student's gradient each task makes.
    gradient_share=dict(type='GradientShareHook'),
)
# Batch normalization has the statistics of all processes, as contrast has their negatives: by those
# of its own samples alone a process could tell its clips from the others'.
sync_bn = 'torch'
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
log_processor = dict(type='ShortLogProcessor', window_size=20, by_epoch=True)
# TensorBoard: --cfg-options visualizer.vis_backends.0.type=TensorboardVisBackend, W&B:
# WandbVisBackend; or both beside the file in a config of yours, docs/get_started.md#curves.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
