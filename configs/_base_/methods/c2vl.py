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
_base_ = ['skeleton.py', '../schedules/skeleton_adamw.py', 'prompts.py']

momentum = 0.999
model = dict(
    data_preprocessor=dict(views=('clip',), targets=('clip.prompt', 'clip.prompt_valid')),
    encode=('clip',),
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    heads=dict(prompts=dict(_base_.prompt_head, in_channels=256, momentum=momentum)),
)

# The view is one of ms2l-twoview.py, but never mirrored, because sentences name left and right.
move = [*_base_.move, *_base_.jitter]
# Graph networks read only joints, in 64 frames: our choice.
crop = dict(type='TemporalCrop', area=(0.5, 1.0), num_frames='$frames', warp=0.3)
pack = dict(type='PackInputs', views=('clip',))
steps = [
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(clip=[crop, *move, _base_.mask])),
    pack,
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
