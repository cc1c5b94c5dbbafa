_base_ = ['linear_stgcn_pkummd2.py', '../_base_/schedules/finetune_skeleton.py']
