_base_ = ['linear_gru-streams_nwucla.py', '../_base_/schedules/finetune_gru-streams.py']
