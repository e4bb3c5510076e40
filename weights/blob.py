"""Writes the weight blob; the format is described in DESIGN.md, "Weight blob"."""

import os
import struct
import zlib

MAGIC = b'\x89NWB\r\n\x1a\n'
VERSION, ORDER = 1, 0x01020304
HEADER = struct.Struct('<8sIIQQQII12xI')       # 64 bytes, checksum last
ENTRY = struct.Struct('<128sII4QQQI4x')        # 192 bytes
TYPES = {'f32': (1, 4), 'f16': (2, 2), 'u8': (3, 1)}
ALIGNMENT = 64


def padded(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


def write_blob(path, tensors):
    """tensors: (name, shape, type, blocks) with blocks a function that yields the bytes in order.
    The file appears complete or not at all."""
    tensors = sorted(tensors, key=lambda tensor: tensor[0].encode())
    offset = HEADER.size + ENTRY.size * len(tensors)
    temporary = f'{path}.tmp-{os.getpid()}'
    try:
        with open(temporary, 'xb') as file:
            entries = []
            data_offset = offset
            for name, shape, kind, blocks in tensors:
                number, element_bytes = TYPES[kind]
                size, crc = element_bytes, 0
                for dim in shape:
                    size *= dim
                file.seek(offset)
                written = 0
                for block in blocks():
                    file.write(block)
                    crc = zlib.crc32(block, crc)
                    written += len(block)
                assert written == size, f'{name}: {written} bytes for {size}'
                file.write(bytes(padded(size) - size))
                dims = list(shape) + [0] * (4 - len(shape))
                entries.append(ENTRY.pack(name.encode(), number, len(shape), *dims, offset, size,
                                          crc))
                offset += padded(size)
            index = b''.join(entries)
            header = HEADER.pack(MAGIC, VERSION, ORDER, offset, HEADER.size, data_offset,
                                 len(tensors), zlib.crc32(index), 0)[:-4]
            file.seek(0)
            file.write(header + struct.pack('<I', zlib.crc32(header)) + index)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
