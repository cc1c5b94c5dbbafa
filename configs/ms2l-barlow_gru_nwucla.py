# MS2L's contrast between two augmented views and Barlow Twins on the same views, together, on
# NW-UCLA (views 1 and 2).
_base_ = ['ms2l-twoview_gru_nwucla.py', '_base_/rivals/redundancy.py']

model = dict(
    heads=dict(
        barlow=dict(**_base_.barlow_small, in_channels=768, streams=3, views=_base_.views),
    ),
    # Barlow Twins' loss is a sum over channels.
    balancer=dict(type='FixedWeights', weights=dict(barlow=0.01)),
)
