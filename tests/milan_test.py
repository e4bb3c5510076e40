"""MILAN by the program itself, with its built-in captioner: rows of an attack beside full runs over the
stored photos, text by text and digit by digit; exemplars, pages, photos without label maps. Needs
nothing but the program. The last line is `N passed, N failed, N skipped`."""

import csv
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
PROGRAM = os.path.abspath(os.environ.get('NEMESIS') or os.path.join(ROOT, 'nemesis'))
NETWORK = os.path.join(ROOT, 'demo', 'mini.nw')
UNITS = (1, 30)
passed = failed = 0


def check(name, is_true, what=''):
    global passed, failed
    passed, failed = passed + bool(is_true), failed + (not is_true)
    print(f"{'ok     ' if is_true else 'FAILED '} milan_runs.{name}{'' if is_true else f' ({what})'}")


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments, '-q'], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f'  {" ".join(arguments)}: {done.stderr.strip()}')
    return done.stdout if done.returncode == 0 else None


def describe(world, out, *more):
    return run('describe', '--method', 'milan', '-m', NETWORK, '-l', 'conv4_2', '-d', world, '-o',
               out, *more) is not None


def rows(*path):
    with open(os.path.join(*path), newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def single(text):
    """The bytes of a number in float."""
    return struct.pack('<f', float(text))


def compare_with_full_run(row, folder):
    """One row of changes.csv and the same unit of a run over the world with the stored photos."""
    ending = {'png8': 'png', 'jpeg75': 'jpg'}[row['store']]
    stored = os.path.join('attack', 'poisoned', f"unit{row['unit0']}_0.0313725_{row['store']}")
    shutil.copytree('world', folder)
    for name in os.listdir(stored):                    # a file's first bytes tell what it is
        base = name.rsplit('.', 1)[0]
        shutil.copyfile(os.path.join(stored, name),
                        os.path.join(folder, 'images', 'mini', f'{base}.jpg'))
        if not name.endswith(ending):
            return f'{name} is no {ending}'
    if not describe(folder, f'{folder}-run'):
        return 'no run'
    unit = rows(f'{folder}-run', 'units.csv')[int(row['unit0'])]
    found = (row['new_label'], float(row['new_iou']), single(row['new_threshold']))
    whole = (unit['description'], float(f"{float(unit['score']):.9g}"), single(unit['threshold']))
    return '' if found == whole else f'{found}, {whole}'


def main():
    if run('mini', '--images', '40', '-o', 'world') is None or not describe('world', 'clean'):
        return check('describes_units', False)
    clean, exemplars = rows('clean', 'units.csv'), rows('clean', 'exemplars.csv')
    check('describes_units', len(clean) == 96 and len({row['description'] for row in clean}) > 10)
    check('lists_fifteen_exemplars_a_unit',
          [(int(row['unit']), int(row['rank'])) for row in exemplars] ==
          [(unit, rank) for unit in range(96) for rank in range(1, 16)])
    check('exemplars_fall', all(float(a['activation']) >= float(b['activation']) for a, b in
                                zip(exemplars, exemplars[1:]) if a['unit'] == b['unit']))
    check('attacks_exemplars', run('attack', 'clean', '-u', ','.join(map(str, UNITS)), '--eps', '8/255',
                                   '--steps', '4', '--store', 'png8,jpeg75', '--keep-images', '-o',
                                   'attack') is not None)
    changes = [row for row in rows('attack', 'changes.csv') if float(row['strength']) > 0]
    check('poisons_fifteen_images', [row['poisoned'] for row in changes] == 4 * ['15'])
    check('changes_a_caption', any(row['changed'] == '1' for row in changes))
    for row in changes:
        what = compare_with_full_run(row, f"moved{row['unit0']}{row['store']}")
        check(f"unit_{row['unit0']}_{row['store']}_equals_a_full_run", not what, what)
    run('attack', 'clean', '-u', '1', '--target', 'unit:30', '--eps', '8/255', '--steps', '2', '-o',
        'raised')
    raised = [row for row in rows('raised', 'changes.csv') if float(row['strength']) > 0]
    both = {row['image'] for row in exemplars if row['unit'] in ('1', '30')}
    check('raises_on_exemplars_of_the_unit_that_is_the_target',
          [(row['target_label'], row['poisoned']) for row in raised] ==
          [(clean[30]['description'], str(len(both)))])
    told = run('explain', 'unit', '30', 'clean') or ''
    check('tells_one_unit', f"caption: {clean[30]['description'] or '(empty)'}" in told and
          told.count('mini/0000') == 15)
    run('report', 'attack', '-o', 'page')
    with open(os.path.join('page', 'index.html'), encoding='utf-8') as file:
        page = file.read()
    check('pages_show_exemplars', page.count('src="data:image/png;base64,') == len(UNITS) and
          'nan' not in page and 'inf<' not in page)
    check('is_another_run_with_another_beam',
          describe('world', 'narrow', '--beam', '2') and rows('narrow', 'units.csv') != clean)
    os.mkdir('flat')
    for name in os.listdir(os.path.join('world', 'images', 'mini')):
        if name.endswith('.jpg'):
            shutil.copy(os.path.join('world', 'images', 'mini', name), 'flat')
    return check('takes_photos_without_label_maps', describe('flat', 'photos') and
                 [row['description'] for row in rows('photos', 'units.csv')] ==
                 [row['description'] for row in clean])


if __name__ == '__main__':
    if os.path.exists(PROGRAM):
        folder = tempfile.mkdtemp(prefix='nemesis-milan-')
        os.chdir(folder)
        try:
            main()
        finally:
            os.chdir('/')
            shutil.rmtree(folder)
        print(f'{passed} passed, {failed} failed, 0 skipped')
    else:
        print('  skipped: there is no ./nemesis\n0 passed, 0 failed, 1 skipped')
    sys.exit(failed > 0)
