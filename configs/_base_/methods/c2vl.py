# One step:
#
#     z = project(student(augment(clip)))         # skeletons
#     w = project(one of the clip's sentences)    # cached embeddings
#     S, S' = z @ w, the same of the moving averages of student and projectors
#     K = cosines among the sentences             # which clips are described alike
#     alike  = beta * softmax(K) + (1 - beta) * softmax(S')
#     target = (1 - alpha) * identity + alpha * alike     # alpha rises from 0 to alpha_max
#     loss   = cross_entropy(target, softmax(S)) and the same from sentences to skeletons
#     optimizer.step(), then the averages follow
#
# C2VL on a graph network of 256 channels: one view of a clip against a sentence about it.
_base_ = ['skeleton.py', '../schedules/skeleton_adamw.py']

momentum = 0.999
model = dict(
    data_preprocessor=dict(views=('clip',), targets=('clip.prompt', 'clip.prompt_valid')),
    encode=('clip',),
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    heads=dict(
        prompts=dict(
            type='PromptMatchingHead',
            in_channels=256,
            prompt_channels=384,  # MiniLM
            # Targets move from hard to half soft.
            alpha_max=0.5,
            cross_consistency=True,
            momentum=momentum,
        ),
    ),
)

# The view is one of ms2l-twoview.py, but never mirrored, because sentences name left and right.
# Each step draws one of a clip's sentences, tests read their mean; the loss leaves out clips
# without one.
load_prompt = dict(
    type='LoadTargets',
    target='prompt',
    cache='prompts.lmdb',
    kind='text',
    views=('clip',),
    missing='mask',
)
load_mean_prompt = dict(load_prompt, sentences='mean')
move = [
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
]
mask = dict(type='JointMask', fraction=(0.1, 0.3))
# Graph networks read only joints, in 64 frames: our choice.
crop = dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=64, warp=0.3)
pack = dict(type='PackInputs', views=('clip',))
steps = [
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(clip=[crop, *move, mask])),
    pack,
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=[load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[load_mean_prompt, *steps]))
