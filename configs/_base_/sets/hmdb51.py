# HMDB51: folders and lists of mmaction2's own preparation, split 1 of 3.
dataset_name = 'hmdb51'
prepare_command = 'follow mmaction2, tools/data/hmdb51/README.md'
data_root = '{{$MMACT_SSL_DATA:data}}/hmdb51'
num_classes = 51
# The source video, in file names like April_09_brush_hair_u_nm_np1_ba_goo_0.avi: the linear probe
# does not split its clips.
group_pattern = r'([^/]+)_[fhlu]_[cn]m_np\d'
one_standard_error = True  # the linear probe's choice of its penalty

folder = dict(data_prefix=dict(video=f'{data_root}/videos'), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/hmdb51_train_split_1_videos.txt', **folder)
test_set = dict(ann_file=f'{data_root}/hmdb51_val_split_1_videos.txt', **folder)
