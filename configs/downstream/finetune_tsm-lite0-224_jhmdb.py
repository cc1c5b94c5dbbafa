_base_ = ['linear_tsm-lite0-224_jhmdb.py', '../_base_/schedules/finetune_small.py']
