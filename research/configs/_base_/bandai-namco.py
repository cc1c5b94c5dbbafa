# Bandai-Namco-Research-Motiondataset 1 and 2 (CC BY-NC 4.0): motion capture, for pre-training.
dataset_name = 'bandai-namco'
synthetic = False
prepare_command = (
    'python tools/prepare_data.py custom --source bandai_namco.npz --layout kinect20 '
    '--coordinates xyz --out data/bandai_namco'
)
data_root = '{{$MMACT_SSL_DATA:data}}/bandai_namco'
num_classes = 24
encoder_options = dict(layout='kinect20', persons=1)

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/all.txt', **folder)
