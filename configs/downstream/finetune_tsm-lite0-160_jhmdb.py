_base_ = ['linear_tsm-lite0-160_jhmdb.py', '../_base_/schedules/finetune_small.py']
