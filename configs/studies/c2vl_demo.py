# C2VL with sentences and frames on the skeletons of the demo world (synthetic).
dataset = 'demo-skeleton'
seeds = (0,)

downstream = 'configs/downstream/linear_stgcn_demo-skeleton.py'
texts = '{{$MMACT_SSL_DATA:data}}/demo/skeleton/targets/prompts.lmdb'
frozen = [
    dict(protocols='linear,knn', config=downstream),
    dict(protocols='linear', config=downstream, label_fraction=0.1),
]
by_text = dict(
    protocols='text-retrieval',
    config=downstream,
    cfg_options=[f'text_retrieval.texts={texts}'],
)
runs = [
    dict(method='C2VL', pretrain='configs/c2vl_stgcn_demo.py', evaluations=[*frozen, by_text]),
    dict(method='Random init', evaluations=frozen),
]
