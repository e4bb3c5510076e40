#!/usr/bin/env python3
"""Writes unicode_tables.h and html_names.h from Python's own tables.

    python3 text/tables.py            writes both beside this file
    python3 text/tables.py --check    says whether they are as it would write them

The Unicode version is that of Python's unicodedata; it stands in unicode_tables.h, and another
version is refused, so that ids do not change with the machine that ran this script."""

import html.entities
import os
import sys
import unicodedata

VERSION = '14.0.0'
FOLDER = os.path.dirname(os.path.abspath(__file__))
POINTS = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]


def ranges(is_member):
    """[(first, last)] of the code points that belong to a set."""
    out = []
    for point in filter(is_member, POINTS):
        if out and out[-1][1] == point - 1:
            out[-1][1] = point
        else:
            out.append([point, point])
    return out


def category(letter):
    return lambda point: unicodedata.category(chr(point))[0] == letter


def is_space(point):
    """White_Space: str.isspace() has the separators of information U+001C to U+001F besides."""
    return chr(point).isspace() and not 0x1C <= point <= 0x1F


def is_final_after(text):
    """Whether a capital sigma at the end of this text is a final one (SpecialCasing.txt)."""
    return (text + '\u03A3').lower()[-1] == '\u03C2'


def is_ignored(point):
    """Case_Ignorable: what Final_Sigma looks through."""
    return is_final_after('A' + chr(point)) and not is_final_after(chr(point))


def is_cased(point):
    return is_final_after(chr(point))


def lower_runs():
    """[(first, last, step, shift)]: every step-th code point of a run has its lower case at
    `shift` from it. U+0130 alone has two code points there; the C code knows it."""
    out = []
    for point in POINTS:
        lower = chr(point).lower()
        if lower == chr(point) or len(lower) > 1:
            continue
        shift = ord(lower) - point
        if out and out[-1][3] == shift:
            gap = point - out[-1][1]
            if gap == out[-1][2] or gap <= 2 and out[-1][0] == out[-1][1]:
                out[-1][1:3] = point, gap
                continue
        out.append([point, point, 1, shift])
    return out


def rows(items):
    """Lines of at most 100 columns."""
    lines, line = [], '   '
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines.append(line)
            line = '   '
        line += f' {item},'
    return '\n'.join([*lines, line])


def table(declaration, comment, items):
    return f'/* {comment} */\nstatic const {declaration} = {{\n{rows(items)}\n}};\n'


def range_table(name, comment, is_member):
    return table(f'UnicodeRange {name}[]', comment,
                 (f'{{0x{first:X}, 0x{last:X}}}' for first, last in ranges(is_member)))


def header(name, comment, body):
    guard = f'TEXT_{name.upper()}_H'
    return (f'/* text/{name}.h - {comment}\n * Written by text/tables.py. */\n'
            f'// clang-format off\n#ifndef {guard}\n#define {guard}\n\n{body}\n#endif\n')


def unicode_tables():
    runs = (f'{{0x{first:X}, 0x{last:X}, {step}, {shift}}}'
            for first, last, step, shift in lower_runs())
    return header(
        'unicode_tables', f'sets of code points and lower case of Unicode {VERSION}.',
        f'#include <stdint.h>\n\n#define UNICODE_VERSION "{VERSION}"\n\n'
        'typedef struct UnicodeRange {\n    uint32_t first, last;\n} UnicodeRange;\n\n'
        'typedef struct LowerRun {\n    uint32_t first, last;\n    uint32_t step;  '
        '// only every step-th code point of the run\n'
        '    int32_t  shift; // to its lower case\n} LowerRun;\n\n' + '\n'.join((
            range_table('LETTERS', 'General category L.', category('L')),
            range_table('NUMBERS', 'General category N.', category('N')),
            range_table('SPACES', 'White_Space.', is_space),
            range_table('CASED', 'Cased and not Case_Ignorable.', is_cased),
            range_table('IGNORED', 'Case_Ignorable.', is_ignored),
            table('LowerRun LOWER_RUNS[]', 'Lower case where it is one other code point.', runs))))


def html_names():
    def item(name, text):
        points = [ord(letter) for letter in text] + [0]
        return f'{{"{name}", 0x{points[0]:X}, 0x{points[1]:X}}}'

    names = sorted(html.entities.html5.items())
    return header(
        'html_names', 'the named characters of HTML 5, in order of their bytes.',
        '#include <stdint.h>\n\n/* `name` ends in a semicolon, but for those that HTML also knows '
        'without one. */\ntypedef struct HtmlName {\n    const char *name;\n    uint32_t    first, '
        'second; // second: 0 for most\n} HtmlName;\n\n'
        + table('HtmlName HTML_NAMES[]', 'Without the & in front.',
                (item(*pair) for pair in names)))


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"error: Python's tables are of Unicode {unicodedata.unidata_version}, "
                 f'expected {VERSION}')
    stale = []
    for name, text in (('unicode_tables.h', unicode_tables()), ('html_names.h', html_names())):
        path = os.path.join(FOLDER, name)
        if sys.argv[1:] == ['--check']:
            with open(path, encoding='ascii') as file:
                if file.read() != text:
                    stale.append(name)
        else:
            with open(path, 'w', encoding='ascii') as file:
                file.write(text)
    if stale:
        sys.exit(f"error: {' and '.join(stale)} differ from what text/tables.py writes")


if __name__ == '__main__':
    main()
