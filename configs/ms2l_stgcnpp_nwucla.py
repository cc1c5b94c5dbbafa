# MS2L's tasks on mmaction2's ST-GCN++, NW-UCLA (views 1 and 2).
_base_ = 'ms2l_stgcn_nwucla.py'

backbone_name = 'stgcnpp'
model = dict(
    backbone=dict(
        network=dict(gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'), mode='spatial'
    )
)
