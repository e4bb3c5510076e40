"""ZIP archives, strictly: the central directory, every local header and the bytes must agree.

No entry may overlap another; entries are stored, or deflated where the caller allows it (then never
more than the declared size is inflated). Others may be there and are refused when opened."""

import struct
import zlib

from .source import Refused, memory_view

MAX_ENTRIES = 8192
MAX_INFLATED = 1 << 31
MAX_RATIO = 1100           # deflate cannot do better
STORED, DEFLATED = 0, 8


def directory_place(view):
    """Offset, size and entry count of the central directory."""
    tail_size = min(view.size, 22 + 65535)
    tail = view.read(view.size - tail_size, tail_size)
    at = tail.rfind(b'PK\5\6')
    if at < 0 or len(tail) - at < 22:
        raise Refused(f'{view.name}: is cut short (it is a ZIP archive and has no end of a ZIP '
                      'directory); download or copy it again')
    disk, start_disk, here, count, size, offset, comment = struct.unpack_from(
        '<4H2IH', tail, at + 4)
    if at + 22 + comment != len(tail):
        raise Refused(f'{view.name}: bytes follow the end of the ZIP directory')
    end = view.size - tail_size + at
    if 0xffff in (here, count) or 0xffffffff in (size, offset):
        locator = view.read(end - 20, 20)
        if locator[:4] != b'PK\6\7':
            raise Refused(f'{view.name}: lacks its ZIP64 directory')
        record_at = struct.unpack_from('<Q', locator, 8)[0]
        record = view.read(record_at, 56)
        if record[:4] != b'PK\6\6':
            raise Refused(f'{view.name}: lacks its ZIP64 directory')
        disk, start_disk, here, count, size, offset = struct.unpack_from('<2I4Q', record, 16)
        end = record_at
    if disk or start_disk or here != count:
        raise Refused(f'{view.name}: is a ZIP of several parts')
    if count > MAX_ENTRIES:
        raise Refused(f'{view.name}: has {count} ZIP entries, the limit is {MAX_ENTRIES}')
    if offset + size > end:
        raise Refused(f'{view.name}: its ZIP directory reaches past its end')
    return offset, size, count


def wide_fields(view, extra, fields):
    """Sizes and offset, from the ZIP64 extra field where they do not fit 32 bits."""
    wide, at = b'', 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from('<2H', extra, at)
        if tag == 1:
            wide = extra[at + 4:at + 4 + length]
        at += 4 + length
    values = []
    for field in fields:
        if field == 0xffffffff:
            if len(wide) < 8:
                raise Refused(f'{view.name}: a ZIP entry lacks its 64-bit size')
            field, wide = struct.unpack_from('<Q', wide)[0], wide[8:]
        values.append(field)
    return values


def check_local(view, name, raw, offset, flags, method, crc, packed, size):
    """The local header must say what the directory says; returns where the data starts."""
    local = view.read(offset, 30)
    if local[:4] != b'PK\3\4':
        raise Refused(f"{view.name}: entry '{name}' has no local header")
    there = struct.unpack_from('<5H3I2H', local, 4)
    if there[1] != flags or there[2] != method or view.read(offset + 30, there[8]) != raw:
        raise Refused(f"{view.name}: entry '{name}' differs from its local header")
    deferred = flags & 8 and there[5:8] == (0, 0, 0)
    extra = view.read(offset + 30 + there[8], there[9])
    sizes = wide_fields(view, extra, [there[7], there[6]])
    if not deferred and (there[5] != crc or sizes != [size, packed]):
        raise Refused(f"{view.name}: entry '{name}' differs from its local header")
    return offset + 30 + there[8] + there[9]


def read_archive(view, inflate=False):
    """{name: function that gives the entry as a View, its checksum verified}."""
    offset, size, count = directory_place(view)
    directory = view.read(offset, size)
    at, entries, ranges = 0, {}, []
    for _ in range(count):
        if directory[at:at + 4] != b'PK\1\2' or at + 46 > size:
            raise Refused(f'{view.name}: its ZIP directory is cut short')
        (flags, method, _, _, crc, packed, plain, name_size, extra_size, comment_size, _, _, _,
         place) = struct.unpack_from('<4H3I5H2I', directory, at + 8)
        raw = directory[at + 46:at + 46 + name_size]
        extra = directory[at + 46 + name_size:at + 46 + name_size + extra_size]
        at += 46 + name_size + extra_size + comment_size
        if at > size:
            raise Refused(f'{view.name}: its ZIP directory is cut short')
        name = raw.decode('utf-8', 'replace')
        plain, packed, place = wide_fields(view, extra, [plain, packed, place])
        if name in entries:
            raise Refused(f"{view.name}: entry '{name}' is there twice")
        if flags & 1 or method not in (STORED, DEFLATED):
            raise Refused(f"{view.name}: entry '{name}' is "
                          f"{'encrypted' if flags & 1 else 'compressed, expected stored'}")
        if method == STORED and packed != plain:
            raise Refused(f"{view.name}: entry '{name}' has two sizes")
        if method == DEFLATED and plain > min(MAX_INFLATED, MAX_RATIO * packed):
            raise Refused(f"{view.name}: entry '{name}' claims {plain} bytes from {packed}")
        start = check_local(view, name, raw, place, flags, method, crc, packed, plain)
        if start + packed > offset:
            raise Refused(f"{view.name}: entry '{name}' reaches into the directory")
        ranges.append((place, start + packed, name))
        data = view.part(start, packed, f'{view.name}: {name}')
        entries[name] = opener(data, method, plain, crc) if inflate or method == STORED else \
            compressed(view, name)
    ranges.sort()
    for before, after in zip(ranges, ranges[1:]):
        if after[0] < before[1]:
            raise Refused(f"{view.name}: entries '{before[2]}' and '{after[2]}' overlap")
    return entries


def compressed(view, name):
    def refuse():
        raise Refused(f"{view.name}: entry '{name}' is compressed, expected stored")
    return refuse


def opener(data, method, plain, crc):
    def open_entry():
        entry = data if method == STORED else inflated(data, plain)
        found = 0
        for block in entry.blocks():
            found = zlib.crc32(block, found)
        if found != crc:
            raise Refused(f'{data.name}: does not match its checksum')
        return entry
    return open_entry


def inflated(data, plain):
    stream = zlib.decompressobj(-15)
    try:
        out = stream.decompress(data.read(0, data.size), plain + 1)
    except zlib.error:
        raise Refused(f'{data.name}: its deflated data is broken') from None
    if len(out) != plain or not stream.eof:
        raise Refused(f'{data.name}: inflates to another size than declared ({plain})')
    return memory_view(data.name, out)
