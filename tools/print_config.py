"""Print a config as it is read, each value with the file that set it.

    mmact-ssl print-config mmact_ssl::ms2l_gru.py --set nwucla

The keys are those of ``--cfg-options``, without variables that are read only while a file loads.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from mmact_ssl_cli import Parser


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmengine.logging import MMLogger

    from mmact_ssl.engine.config_reading import READ, parse_cfg_options, read_config
    from mmact_ssl.engine.terminal import quiet_the_screen
    from mmact_ssl.errors import one_line_errors

    quiet_the_screen(MMLogger.get_current_instance())
    with one_line_errors():
        cfg = read_config(args.config, args.cfg_options, args.data, args.set)
        files = origins(args.config, args.data, args.set)
        # An option may set a part of a printed value, or the dict around it.
        options = [f'{key}.' for key in parse_cfg_options(args.cfg_options)]
        for key, value in values_of(cfg.to_dict()):
            if key.partition('.')[0] not in READ:
                continue
            is_option = any(f'{key}.'.startswith(o) or o.startswith(f'{key}.') for o in options)
            # The batch of a learning rate is that of the file, unless it says another.
            file = files.get(key, files.get('train_dataloader.batch_size'))
            file = '--cfg-options' if is_option else file
            if value and isinstance(value, list) and isinstance(value[0], dict):
                for index, step in enumerate(value):
                    print(f'{key}.{index} = {step!r}  # {file}')
            else:
                print(f'{key} = {value!r}  # {file}')


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


def origins(config: str, data: str | None, dataset: str | None) -> dict[str, str]:
    """The file that set each value: the earliest from which on all files agree in it."""
    from mmengine.config import Config

    from mmact_ssl.configs.shipped_configs import find_config
    from mmact_ssl.engine.config_reading import data_environment

    sources: dict[str, str] = {}
    settled: set[str] = set()
    with data_environment(data, dataset):
        cfg = Config.fromfile(find_config(config))
        final = dict(values_of(cfg.to_dict()))
        # mmengine stores the text of all files, bases before the files that inherit them.
        lines = cfg.text.splitlines()
        for file in reversed([line for line in lines if line.endswith('.py')]):
            if not os.path.isfile(file):
                continue
            file_values = dict(values_of(Config.fromfile(file).to_dict()))
            unsettled = file_values.keys() - settled
            settled |= {key for key in unsettled if file_values[key] != final.get(key)}
            keys = file_values.keys() & final.keys() - settled
            sources.update(dict.fromkeys(keys, os.path.relpath(file)))
    of_set = 'encoder_options.'
    for key in [key for key in sources if key.startswith(of_set)]:
        sources[key.replace(of_set, 'encoder.options.')] = sources[key]
    return sources


if __name__ == '__main__':
    main()
