"""Print a config as it is read, each value with the file that set it.

    python tools/print_config.py configs/csvr_r3d_k400.py
    python tools/print_config.py configs/downstream/gru.py --set nwucla

The keys are those of ``--cfg-options``. Variables that are read only while a file loads are left
out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_config_options()
    return parser.parse_args(argv)


def values_of(part: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """Yield key and value of each entry in a config that is not a dict; a list is one value."""
    if not isinstance(part, dict) or not part:
        yield path, part
        return
    for key, value in part.items():
        yield from values_of(value, f'{path}.{key}' if path else key)


def origins(cfg: Config, data: str | None, dataset: str | None) -> dict[str, str]:
    """The file that set each value: the earliest from which on all files agree in it."""
    from mmengine.config import Config

    from mmact_ssl.engine.launch import data_environment

    sources: dict[str, str] = {}
    final = dict(values_of(cfg.to_dict()))
    # mmengine stores the text of all files, bases before the files that inherit them.
    files = [
        line for line in cfg.text.splitlines() if line.endswith('.py') and os.path.isfile(line)
    ]
    settled: set[str] = set()
    with data_environment(data, dataset):
        for file in reversed(files):
            file_values = dict(values_of(Config.fromfile(file).to_dict()))
            unsettled = file_values.keys() - settled
            settled |= {key for key in unsettled if file_values[key] != final.get(key)}
            keys = file_values.keys() & final.keys() - settled
            sources.update(dict.fromkeys(keys, os.path.relpath(file)))
    return sources


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmengine.logging import MMLogger

    from mmact_ssl.engine.config_check import READ
    from mmact_ssl.engine.launch import read_config
    from mmact_ssl.engine.terminal import quiet_the_screen
    from mmact_ssl.errors import one_line_errors

    quiet_the_screen(MMLogger.get_current_instance())
    with one_line_errors():
        cfg = read_config(args.config, args.cfg_options, args.data, args.set)
        files = origins(cfg, args.data, args.set)
        for key, value in values_of(cfg.to_dict()):
            if key.partition('.')[0] not in READ:
                continue
            file = files.get(key, '--cfg-options')
            if value and isinstance(value, list) and isinstance(value[0], dict):
                for index, step in enumerate(value):
                    print(f'{key}.{index} = {step!r}  # {file}')
            else:
                print(f'{key} = {value!r}  # {file}')


if __name__ == '__main__':
    main()
