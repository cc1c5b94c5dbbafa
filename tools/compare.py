#!/usr/bin/env python
"""Compare encoders on your own labeled clips.

One table: accuracy with 1, 2, 5 and 10 labels per class and with all, differences from the first
model with their intervals, and cost. Clips of one group are never on both sides of a split.

    mmact-ssl compare my/videos --labels labels.csv tsm-lite0 dtg_tsm-lite0_jhmdb work_dirs/mine
    mmact-ssl compare mine.npz gru-streams skeleton_general       # skeletons hold their labels
"""

from __future__ import annotations

import sys

from mmact_ssl_cli import Parser, full_path, load_tool


def main(argv: list[str] | None = None) -> None:
    """Prepare the folder, compare, and print the table."""
    parser = Parser(description=__doc__)
    parser.add_source_options()
    parser.add_argument(
        'models',
        nargs='+',
        metavar='MODEL',
        help='name in the zoo, path of a file or work dir, or NAME[,OPTION=VALUE] in '
        'configs/encoders/, a network before its training',
    )
    parser.add_argument('--out', type=full_path, help='keeps the features, compare_NAME')
    args = parser.parse_intermixed_args(argv)
    from mmact_ssl.apis.compare import compare, short_names
    from mmact_ssl.apis.source_folder import find_source
    from mmact_ssl.encoders.encoder import Encoder
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import ConfigError, one_line_errors

    with one_line_errors(), messages_on_stderr():
        out = args.out or full_path(f'compare_{args.folder.resolve().stem}')
        source = find_source(args.folder, out, args.labels, args.layout, args.coordinates)
        if not source.is_labeled:
            raise ConfigError(f'{args.folder}: give --labels, a table or the word folders')
        models = short_names(args.models)
        for model in models.values():  # a wrong one stops before any work
            if Encoder.load(model).config.is_skeleton == source.is_video:
                raise ConfigError(f'{model} does not read what {args.folder} holds')
        data = out / 'data' if source.words else args.folder
        if source.words:
            link = ['--placement', 'link'] if source.is_video else []
            load_tool('prepare').main([*source.words, *link, '--out', str(data)])
        print(compare(data, models, out / 'features', sys.stdout.isatty())[0])


if __name__ == '__main__':
    main()
