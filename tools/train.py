"""Train a model: ``mmact-ssl train configs/csvr_r3d_demo.py``.

The options are those of every OpenMMLab project; see ``--help``.
"""

from __future__ import annotations

import argparse

from mmact_ssl_cli import Parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        description='Train a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_config_options()
    parser.add_argument('--work-dir', help='of logs and checkpoints, work_dirs/<config name>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint, or without a value from the latest in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (needs a GPU)')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument(
        '--seed',
        type=int,
        help="random seed in place of the config's; a resumed run keeps its seed",
    )
    parser.add_argument('--deterministic', action='store_true', help='deterministic algorithms')
    parser.add_launcher_option()
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.engine.launch import configure_training
    from mmact_ssl.engine.runner import PretrainRunner
    from mmact_ssl.errors import one_line_errors

    with one_line_errors('the same command with --resume goes on'):
        PretrainRunner.from_cfg(configure_training(args)).train()


if __name__ == '__main__':
    main()
