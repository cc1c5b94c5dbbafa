# A prepared folder of your own: the tools are told which by --data DIR.
_base_ = []

from mmact_ssl.datasets.prepared_folder import describe_folder  # noqa: E402

own_folder = describe_folder()
dataset_name = own_folder['name']
synthetic = False
prepare_command = own_folder['prepare_command']
data_root = own_folder['root']
num_classes = own_folder['num_classes']

train_videos = dict(ann_file=own_folder['train'], data_prefix=dict(video=data_root))
test_videos = dict(ann_file=own_folder['test'], data_prefix=dict(video=data_root))
train_set = dict(train_videos, prepare_command=prepare_command)
test_set = dict(test_videos, prepare_command=own_folder['test_command'])
