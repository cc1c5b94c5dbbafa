# Settings of the protocols on frozen features, the same for all methods, not chosen on test splits.
default_scope = 'mmaction'
linear = dict(penalties=(1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0), folds=5, max_iter=1000)
# As published by MS2L, but until the loss stops falling, in rounds of 1,000 steps.
linear_adam = dict(
    batch_size=256, lr=1e-3, gamma=0.1, round_steps=1000, min_fall=0.02, max_rounds=50
)
knn = dict(k=(5, 10, 20), main_k=10, temperature=0.07, center=False)
retrieval = dict(topk=(1, 5, 10, 20, 50), center=False)
fewshot = dict(labels=(1, 2, 5, 10), draws=20)
