#!/usr/bin/env python
"""Test a model: ``mmact-ssl test CONFIG CHECKPOINT``.

The options are those of every OpenMMLab project and a few more; see ``--help``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.runner import Runner


def make_parser() -> Parser:
    """Make the parser of the command line."""
    parser = Parser(
        description='Test a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='file, or a work dir for its newest checkpoint')
    parser.add_config_options()
    parser.add_argument('--work-dir', help='of logs and metrics, work_dirs/<config name>')
    parser.add_launcher_option()
    return parser


def main(argv: list[str] | None = None) -> None:
    args = make_parser().parse_args(argv)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        test(args)


def test(args: argparse.Namespace) -> tuple[Runner, str, dict[str, float]]:
    """Test a checkpoint; return the runner, the path of the checkpoint, and the metrics.

    Raises:
        ConfigError: There is no such config, or it has no test data.
    """
    from mmact_ssl.engine.launch import configure_run
    from mmact_ssl.engine.optimizers import unwrap_model
    from mmact_ssl.engine.runner import PretrainRunner
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.io.weights import load_trained, read_trained

    cfg = configure_run(args)
    if cfg.get('test_dataloader') is None:
        raise ConfigError(f'{args.config}: has no test_dataloader, see docs/extend/add_a_task.md')
    path, content = read_trained(args.checkpoint)
    runner = PretrainRunner.from_cfg(cfg)
    load_trained(unwrap_model(runner.model), path, content)
    runner.call_hook('after_load_checkpoint', checkpoint=content)
    return runner, path, runner.test()


if __name__ == '__main__':
    main()
