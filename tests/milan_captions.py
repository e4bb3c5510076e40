"""Token ids and captions of an archive of MILAN's published decoder, as lines `ids<TAB>caption`.

    python3 tests/milan_captions.py milan_decoder_thin.npz LINES"""

import ast
import struct
import sys
import zipfile


def array(archive, name):
    """(shape, list) of a small .npy array of int16 or text."""
    data = archive.read(f'{name}.npy')
    size = struct.unpack_from('<H', data, 8)[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    kind, values = header['descr'], data[10 + size:]
    if kind == '<i2':
        return header['shape'], list(struct.unpack(f'<{len(values) // 2}h', values))
    width = 4 * int(kind[2:])
    return header['shape'], [values[at:at + width].decode('utf-32-le').rstrip('\0')
                             for at in range(0, len(values), width)]


def main(path, out):
    with zipfile.ZipFile(path) as archive, open(out, 'w', encoding='utf-8') as file:
        for name in ('greedy', 'greedy_mi', 'beam', 'rerank'):
            shape, ids = array(archive, f'{name}_tokens')
            _, captions = array(archive, f'{name}_captions')
            step = len(ids) // shape[0]                # of a beam the first is told
            for unit, caption in enumerate(captions):
                row = ids[unit * step:unit * step + shape[-1]]
                file.write(' '.join(map(str, row)) + f'\t{caption}\n')


main(*sys.argv[1:])
