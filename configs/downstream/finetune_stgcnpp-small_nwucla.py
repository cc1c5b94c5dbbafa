_base_ = ['linear_stgcnpp-small_nwucla.py', '../_base_/schedules/finetune_gru-streams.py']
