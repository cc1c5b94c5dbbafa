# DTG-Net on UTD-MHAD: what the sensor's poses give beside the contrast of student with student.
dataset = 'utdmhad'
seeds = (0, 1, 2)

pretrain = 'configs/dtg_r3d_utdmhad.py'
frozen = dict(protocols='linear,knn,retrieval', config='configs/downstream/linear_r3d_utdmhad.py')

runs = [
    dict(method='Random init', evaluations=[frozen]),
    dict(
        method='DTG-Net',
        pretrain=pretrain,
        evaluations=[dict(protocols='pretext', config=pretrain), frozen],
    ),
    dict(
        method='DTG-Net',
        variant='no-teacher',
        pretrain=pretrain,
        cfg_options=['model.heads.guidance=None'],
        evaluations=[frozen],
    ),
]
