# A prepared folder of your own, from --data DIR.
_base_ = []

from mmact_ssl.datasets.prepared_folder import describe_folder  # noqa: E402

own_folder = describe_folder()
dataset_name = own_folder['name']
prepare_command = own_folder['prepare_command']
data_root = own_folder['root']
num_classes = own_folder['num_classes']
group_file = own_folder['groups']  # clips that the linear probe does not split
if own_folder['no_flip']:
    flip_ratio = 0.0
if 'layout' not in own_folder:  # of videos
    one_standard_error = True  # the linear probe's choice of its penalty

videos = dict(video=data_root)
train_set = dict(ann_file=own_folder['train'], data_prefix=videos, prepare_command=prepare_command)
test_set = dict(train_set, ann_file=own_folder['test'], prepare_command=own_folder['test_command'])
