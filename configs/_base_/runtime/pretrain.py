default_scope = 'mmact_ssl'
custom_imports = dict(imports=['mmact_ssl'])
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_last=True),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Checkpoints record the teachers of the targets; a resumed run or a test refuses others.
    target_caches=dict(type='TargetCacheHook'),
    # Random numbers depend only on seed and progress: a resumed run draws the same ones.
    seed_by_progress=dict(type='SeedByProgressHook'),
    # A resumed run goes on within an epoch, and equals an uninterrupted one.
    exact_resume=dict(type='ExactResumeHook'),
    # At SIGTERM or SIGUSR1 training saves a checkpoint and exits with status 75, for --resume.
    stop_signal=dict(type='StopSignalHook'),
    # Broken videos are replaced, counted and listed in the work dir; too many stop the run.
    broken_samples=dict(type='BrokenSampleHook', max_fraction=0.05),
    # Steps that are not finite are skipped and named; too many stop the run.
    non_finite=dict(type='NonFiniteHook'),
    # Weights of the student that no task trains are an error before the first step.
    untrained_weights=dict(type='UntrainedWeightsHook'),
    # Warn about features that collapse and tasks that stay at chance.
    collapse_alarm=dict(type='CollapseAlarmHook'),
    # Running statistics are averaged over all processes before an epoch's checkpoint.
    sync_buffers=dict(type='SyncBuffersHook'),
    # Momentum encoders follow the student.
    momentum=dict(type='MomentumCopyHook'),
    # Log each task's share of the student's gradient.
    gradient_share=dict(type='GradientShareHook'),
)
# Batch normalization uses the statistics of all processes, because contrast uses their negatives:
# by its own statistics a process could distinguish its clips from the others'.
sync_bn = 'torch'
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800),  # seconds that a process waits for another
)
randomness = dict(seed=0)
log_processor = dict(type='ShortLogProcessor', window_size=20, by_epoch=True)
# TensorBoard: --cfg-options visualizer.vis_backends.0.type=TensorboardVisBackend, W&B:
# WandbVisBackend; or both beside the file in a config of yours, docs/start/train.md#curves.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
