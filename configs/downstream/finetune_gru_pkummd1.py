_base_ = ['linear_gru_pkummd1.py', '../_base_/schedules/finetune_gru.py']
