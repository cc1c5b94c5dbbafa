"""Programs in place of tools/train.py and tools/evaluate.py, for tests of studies."""

# Stand-ins that record how they were called, in place of hours of training.
TRAIN = """
import json, pathlib, sys
args = sys.argv[1:]
folder = pathlib.Path(args[args.index('--work-dir') + 1])
folder.mkdir(parents=True, exist_ok=True)
with open('calls.txt', 'a') as calls:
    calls.write(json.dumps(['train', *args]) + '\\n')
(folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
(folder / 'epoch_1.pth').touch()
if pathlib.Path('fail').exists():
    sys.exit('interrupted')
"""
EVALUATE = """
import json, os, pathlib, sys
args = sys.argv[1:]
value = lambda name: args[args.index(name) + 1] if name in args else ''
with open('calls.txt', 'a') as calls:
    calls.write(json.dumps(['evaluate', *args]) + '\\n')
assert os.environ['OMP_NUM_THREADS'] == '1'
part = {'': '', '0.1': '-10pct'}[value('--label-fraction')]
variant = value('--variant').replace(', ', '-').replace(' ', '-')
data = 'other' if 'pre-trained' in variant else 'demo'
method = value('--method').lower().replace(' ', '-')
file = pathlib.Path(value('--out')) / data / f'{method}.jsonl'
file.parent.mkdir(parents=True, exist_ok=True)
for protocol in args[0].split(','):
    seed = value('--seeds') or value('--seed')
    run = f"{method}_{variant}_{data}_{protocol}{part}_seed{seed}"
    file.touch()
    if f'"{run}"' not in file.read_text():
        with open(file, 'a') as results:
            results.write(json.dumps(dict(run=run)) + '\\n')
"""
# Leaves a checkpoint in its folder.
FINE_TUNE = """
if args[0] == 'finetune':
    folder = pathlib.Path(value('--work-dir'))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'last_checkpoint').write_text('/elsewhere/epoch_7.pth')
"""
