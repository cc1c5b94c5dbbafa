"""The documentation names files, tools, options and parts that exist."""

from __future__ import annotations

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import mmengine.visualization  # noqa: F401  (fills the registry)
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, VISBACKENDS, init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.engine.config_reading import data_environment, read_config
from mmact_ssl.engine.record import record_training
from mmact_ssl.registry import MODELS, TRANSFORMS
from mmact_ssl_cli import SHORT
from tests.helpers.pages import blocks

ROOT = Path(__file__).parents[2]
CLI = ROOT / 'mmact_ssl_cli.py'
# Without the log of changes, which names what has gone.
PAGES = sorted({*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md')} - {ROOT / 'CHANGELOG.md'})


def prose(page: Path) -> str:
    return re.sub(r'^```.*?^```', '', page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', prose(page), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def known_classes() -> set[str]:
    """Classes of the package, of examples in pages, and of mmengine."""
    files = [*PAGES, *(ROOT / 'mmact_ssl').rglob('*.py')]
    own = {name for p in files for name in re.findall(r'^class (\w+)', p.read_text(), re.MULTILINE)}
    upstream = {'ConcatDataset', 'DefaultSampler', 'Pretrained'}
    return own | upstream | {*VISBACKENDS.module_dict, *HOOKS.module_dict}


def options_of(tool: str) -> set[str]:
    """Options that the text of a tool names in quotes."""
    files = [ROOT / 'tools' / f'{tool}.py', CLI, *(ROOT / 'mmact_ssl/preparation').glob('*.py')]
    words = re.findall(r"'(?:--)?(\w[\w-]*)'", ''.join(map(Path.read_text, files)))
    return {f'--{word.replace("_", "-")}' for word in words}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path):
    """Links with their anchors, files, classes, and options of commands."""
    text = page.read_text()
    for target in re.findall(r'\]\((?!https?://|mailto:)([^)\s]+)', prose(page)):
        file, _, anchor = target.partition('#')
        found = page.parent / file if file else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target
    named = set(re.findall(r'\b(?:tools|configs|mmact_ssl)/[\w/.-]+\.(?:py|sh|json|pth)\b', text))
    named |= set(re.findall(r'`((?:tools|configs|mmact_ssl)/[\w/-]+/)`', text))
    # What the page itself tells to write: a comment or a line with the name above an example, or
    # the target of a command.
    written = set(re.findall(r'^# (\S+\.py)$|^`(\S+\.py)`:?$|> (\S+\.py)', text, re.MULTILINE))
    named -= {name for names in written for name in names}
    assert [path for path in named if not (ROOT / path).exists()] == []
    kinds = 'Head|Loss|Teacher|Hook|Dataset|Weights|Views|Targets'
    classes = re.findall(rf"\btype='([A-Z]\w+)'|`(\w+(?:{kinds}))\b", text)
    assert {one or other for one, other in classes} - known_classes() == set()
    lines = text.replace('\\\n', ' ')
    for command, arguments in re.findall(r'mmact-ssl (?!-)([a-z-]+)([^\n`#|]*)', lines):
        tool = SHORT.get(command, command)
        assert (ROOT / 'tools' / f'{tool}.py').is_file(), command
        for option in re.findall(r'(?<!\S)--[a-z][a-z-]*', arguments):
            assert option in options_of(tool), f'{tool} {option}'
    urls = re.findall('^Repository = "(.+)"', (ROOT / 'pyproject.toml').read_text(), re.MULTILINE)
    assert {*re.findall(r'git clone (\S+)', text)} <= {*(urls or ['ADDRESS'])}
    index = (ROOT / 'docs' / 'README.md').read_text()
    in_index = page.parent == ROOT or page == ROOT / 'docs/README.md'
    assert in_index or f'({page.relative_to(ROOT / "docs")})' in index


@pytest.mark.parametrize('command', ['evaluate', 'pretrain', 'publish', 'train'])
def test_the_words_of_commands_in_pages_are_parsed(command: str):
    parse = import_module(f'tools.{SHORT.get(command, command)}').parse_args
    text = '\n'.join(page.read_text() for page in PAGES).replace('\\\n', ' ')
    found = re.findall(rf'mmact-ssl {command} ([^\n`|]+)', text)
    lines = [words for line in found if '...' not in (words := shlex.split(line, comments=True))]
    assert len(lines) > 1
    for words in lines:
        parse(words)


def test_errors_name_commands_that_an_installation_has():
    files = [p for p in (ROOT / 'mmact_ssl').rglob('*.py') if '.mim' not in p.parts]
    found = {p.name: re.findall(r"'[^'\n]*\btools/\w+\.py\b[^'\n]*'", p.read_text()) for p in files}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_the_options_of_the_training_program_are_all_explained():
    program = (ROOT / 'tools' / 'train.py').read_text() + CLI.read_text()
    options = set(re.findall(r"'(--[a-z-]+)'", program))
    options -= {'--local-rank', '--help', '--encoder', '--labels', '--layout', '--coordinates'}
    page = (ROOT / 'docs/start/train.md').read_text()
    assert {option for option in options if f'`{option}' not in page} == set()


def test_the_page_of_parts_is_that_of_the_registries(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from docs.list_parts import HEAD, PAGE, find_parts, make_page

    page = PAGE.read_text()
    assert page.startswith(HEAD)
    assert page == make_page(), 'run python docs/list_parts.py'
    for parts in find_parts().values():
        for name, part in parts.items():
            assert (part.__doc__ or '').strip(), f'{name} has no docstring'


@pytest.fixture
def written_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The configs that the pages tell to write, beside the shipped ones; --set is jhmdb."""
    monkeypatch.setenv('MMACT_SSL_SET', str(ROOT / 'configs/_base_/sets/jhmdb.py'))
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    written = {}
    for block in (block for page in PAGES for block in blocks(page)):
        if found := re.match(r'# (configs/\S+\.py)\n', block):
            written[found[1]] = tmp_path / found[1]
            written[found[1]].write_text(block)
    return written


def test_configs_that_pages_tell_to_write_name_their_data(written_configs: dict[str, Path]):
    loaded = {}
    for name, path in written_configs.items():
        with data_environment(None, 'nwucla' if '_gru' in name else 'jhmdb'):
            loaded[name] = Config.fromfile(path)
    for name, videos in (('mine', True), ('moves', False)):
        written = Config.fromfile(written_configs[f'configs/_base_/sets/{name}.py'])
        assert f'/{name}/' in written.train_set.ann_file
        assert list(written.train_set.data_prefix) == ['video' if videos else 'skeleton']
    several = loaded['configs/dtg_tsm-lite0_two.py'].train_dataloader.dataset.datasets
    assert [Path(part.ann_file).parent.name for part in several] == ['jhmdb', 'hmdb51']
    pipeline = loaded['configs/hcpg_r3d18-small_lip.py'].train_dataloader.dataset.pipeline
    assert 'lip' in [step.get('layout') for step in pipeline]
    online = loaded['configs/dtg_r3d18-small_online.py']
    read = [step.get('target') for step in online.train_dataloader.dataset.pipeline]
    assert 'pose' in read and 'imagenet' not in read
    assert online.model.teachers.imagenet.teacher.type == 'TimmTeacher'
    with data_environment(None, 'jhmdb'):
        mine = Config.fromstring(blocks('docs/start/train.md', 'python')[0], '.py')
    assert mine.train_cfg.max_epochs == mine.param_scheduler[1].end == 30


@pytest.fixture
def examples_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the head and the transform of the pages, until the test ends."""
    for page, registry, module in (
        ('add_a_task', MODELS, 'mmact_ssl.models.heads.change'),
        ('inputs', TRANSFORMS, 'mmact_ssl.datasets.transforms.backward'),
    ):
        example = next(b for b in blocks(f'docs/extend/{page}.md') if b.startswith('"""'))
        registry.import_from_location()  # before the copy, so that only the example is undone
        monkeypatch.setattr(registry, '_module_dict', dict(registry._module_dict))
        exec(example, dict(__name__=module, __package__=module.rpartition('.')[0]))
    init_default_scope('mmact_ssl')


@pytest.mark.usefixtures('examples_of_parts')
def test_the_example_of_a_task_builds_with_its_own_loss(written_configs: dict[str, Path]):
    path = str(written_configs['configs/change_r3d18-small.py'])
    model = MODELS.build(read_config(path, dataset='jhmdb').model)
    head = model.heads['change'].eval()
    clip, valid = torch.randn(3, 3, 4, 2, 2), torch.ones(3, 4, dtype=torch.bool)
    valid[1, 2:] = valid[2, 1:] = False
    found = head.loss(pooled=torch.zeros(3, 128), clip=clip, valid=valid)
    losses = []
    for frames, moves in ((clip[0].double(), 3), (clip[1].double(), 1)):  # of the third none
        squares = [(frames[:, t + 1] - frames[:, t]).square().mean() for t in range(moves)]
        error = head.regress.bias.detach().double()[0] - (sum(squares) / moves).sqrt()
        losses.append((error**2 + 0.05**2).sqrt() - 0.05)
    assert found['loss'].item() == pytest.approx(sum(losses).item() / 2, rel=1e-5)


@pytest.mark.usefixtures('examples_of_parts')
def test_the_example_of_two_tasks_beside_another_reads_what_its_transform_makes(
    written_configs: dict[str, Path],
):
    path = str(written_configs['configs/speed-backward_r3d18-small.py'])
    cfg = read_config(path, dataset='jhmdb')
    transform = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[1])
    found = set()
    for seed in range(8):
        np.random.seed(seed)
        inds, valid = np.array([3, 5, 7, 9, 9]), np.array([True] * 4 + [False])
        results = dict(frame_inds=dict(clip=inds), targets=dict(clip=dict(valid=valid)))
        results = transform(results)
        backward = results['targets']['clip']['backward']
        expected = [9, 7, 5, 3, 9] if backward else [3, 5, 7, 9, 9]
        assert results['frame_inds']['clip'].tolist() == expected
        found.add(backward)
    assert found == {0, 1}
    assert set(MODELS.build(cfg.model).heads) == {'speed', 'change', 'backward'}


@pytest.mark.usefixtures('examples_of_parts')
def test_the_example_of_an_encoder_is_trained_and_written(
    written_configs: dict[str, Path], tmp_path: Path
):
    (example,) = blocks('docs/extend/encoders.md', about='# my/x3d.py')
    (tmp_path / 'x3d.py').write_text(example)
    task = written_configs['configs/change_r3d18-small.py']
    text = task.read_text().replace('encoders/r3d18-small.py', '../x3d.py')
    task.write_text(text.replace('in_channels=128', 'in_channels=432'))
    cfg = read_config(str(task), [f'work_dir={tmp_path}'], dataset='jhmdb')
    record_training(cfg)
    model = MODELS.build(cfg.model)
    encoder = Encoder.load(tmp_path / 'encoder.py')
    assert encoder.backbone.state_dict().keys() == model.backbone.state_dict().keys()
    assert encoder.encode(torch.zeros(1, 3, 3, 16, 112, 112)).shape == (1, 432)


def test_the_example_of_a_view_is_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither module nor config lies in the package."""
    page = 'docs/extend/inputs.md'
    (config,) = blocks(page, about='# my/turned')
    (module,) = blocks(page, about='class TurnView')
    name = re.match(r'# my/(\S+)', config)[1]
    (tmp_path / name).write_text(config)
    (tmp_path / 'turned.py').write_text(module)
    TRANSFORMS.import_from_location()
    monkeypatch.setattr(TRANSFORMS, '_module_dict', dict(TRANSFORMS._module_dict))
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = read_config(str(tmp_path / name), dataset='demo')
    init_default_scope('mmact_ssl')
    transform, pack = map(TRANSFORMS.build, cfg.train_dataloader.dataset.pipeline[-2:])
    clip = list(np.random.default_rng(0).integers(0, 255, (3, 4, 4, 3), np.uint8))
    valid, found = np.array([True, True, False]), set()
    for seed in range(12):
        np.random.seed(seed)
        results = dict(views=dict(clip=clip), targets=dict(clip=dict(valid=valid)), filename='a')
        packed = pack(transform(results))
        turns = packed['targets']['turned']['turns'].item()
        expected = np.rot90(np.stack(clip), turns, (1, 2)).transpose(3, 0, 1, 2)
        assert (packed['inputs']['turned'].numpy() == expected).all()
        assert packed['targets']['turned']['valid'].tolist() == valid.tolist()
        found.add(turns)
    assert found == {0, 1, 2, 3}
    head = MODELS.build(cfg.model).heads['turns']
    assert head.inputs == dict(pooled='turned.pooled', label='targets.turned.turns')
