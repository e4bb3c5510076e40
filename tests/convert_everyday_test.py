"""Checkpoints as people have them: wrapped, nested, renamed, beside objects, cut short; outputs
that are links and pipes. The blob is the network that was saved, or a sentence says what to do."""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from checkpoints import (CONVERT, EXIT_CREATE, EXIT_DATA, EXIT_USAGE, HERE, LENET, VGG, Skip,
                         check_lenet, check_vgg, converts, integer, legacy_pth, npy, pack, path_of,
                         pth, pth_entries, run, run_tests, safetensors, state_pickle, stored_zip,
                         tensor_pickle, tests_of, text, write, write_folder)
from small_networks import (bug, check, prefixed, refused, small, told, written)

# ---- wrapped and nested --------------------------------------------------------------------------

def test_wrappers_anywhere():
    for change in (lambda n: n.replace('features.', 'features.module.'),
                   lambda n: '_orig_mod.module.' + n, lambda n: 'module._orig_mod.' + n,
                   lambda n: 'model.' + n, lambda n: 'net.' + n, lambda n: 'a.b.trunk.' + n):
        check(converts(written({change(k): v for k, v in VGG.items()})), VGG, 'vgg16')


def test_children_in_a_sequential():
    children = (('conv1', '0'), ('bn1', '1'), ('layer1', '4'), ('layer2', '5'), ('layer3', '6'),
                ('layer4', '7'))
    want = {name: item for name, item in small('resnet18').items() if not name.startswith('fc.')}
    for root in ('', 'feature_extractor.', '0.'):
        numbered = {root + name.replace(*next(pair for pair in children
                                              if name.startswith(pair[0] + '.')), 1): item
                    for name, item in want.items()}
        check(converts(written({**numbered, 'head.weight': ((2, 4), [1.0] * 8)})), want, 'resnet18')


def nested(*groups):
    """A .pth of dictionaries: (key, tensors), and an epoch."""
    entries, out, number = {}, b'\x80\x02}(' + text('epoch') + integer(3), 0
    for key, tensors in groups:
        pickles = {name: tensor_pickle(str(number + i), shape)
                   for i, (name, (shape, _)) in enumerate(tensors.items())}
        out += text(key) + state_pickle(tensors, pickles=pickles)[2:-1]
        for _, values in tensors.values():
            entries[f'net/data/{number}'] = pack(values, 'f32')
            number += 1
    return stored_zip({'net/data.pkl': out + b'u.', **entries})


OTHER = {name: (shape, [value + 1 for value in values]) for name, (shape, values) in LENET.items()}


def test_lightning():
    write('a.ckpt', nested(('state_dict', prefixed('model.', LENET)), ('hyper_parameters', {})))
    check_lenet(converts('a.ckpt'))


def test_the_momentum_encoder_is_not_taken():
    both = {**prefixed('module.encoder_q.', LENET), **prefixed('module.encoder_k.', OTHER),
            'module.queue': ((2,), [1.0] * 2)}
    write('a.pth.tar', nested(('state_dict', both)))
    check_lenet(converts('a.pth.tar'))
    _, errors = told('a.pth.tar')
    assert "took the network at 'state_dict.encoder_q'; there is also 'state_dict.encoder_k'" \
        in errors
    check_lenet(converts('a.pth.tar', '--key', 'encoder_k'), OTHER)


def test_averages_are_told_of_and_can_be_chosen():
    write('a.pth', nested(('state_dict', LENET), ('state_dict_ema', OTHER)))
    check_lenet(converts('a.pth'))
    assert "'state_dict_ema' (lenet), which --key NAME takes instead" in told('a.pth')[1]
    check_lenet(converts('a.pth', '--key', 'state_dict_ema'), OTHER)
    write('a.pth', nested(('ema', LENET)))
    check_lenet(converts('a.pth'))


def test_student_and_teacher_must_be_chosen():
    write('a.pth', nested(('student', prefixed('backbone.', LENET)), ('teacher', OTHER)))
    write('b.pth', pth(tensors={**prefixed('student.', LENET), **prefixed('teacher.', OTHER)}))
    for name in ('a.pth', 'b.pth'):
        refused(name, 'holds 2 networks', 'student', "'teacher'", '--key')
        check_lenet(converts(name, '--key', 'student'))
        check_lenet(converts(name, '--key', 'teacher'), OTHER)
        refused(name, "no network under 'techer', only under", options=('--key', 'techer'))


def test_the_same_network_twice_is_one():
    """The robustness library saves its attacker's reference to the model too."""
    both = {**prefixed('module.model.', LENET), **prefixed('module.attacker.model.', LENET)}
    numbers = {name: i for i, name in enumerate(LENET)}
    pickles = {name: tensor_pickle(str(numbers[name[name.rindex('model.') + 6:]]), shape)
               for name, (shape, _) in both.items()}
    entries = {**pth_entries(LENET), 'net/data.pkl': state_pickle(both, pickles=pickles)}
    write('a.pt', stored_zip(entries))
    check_lenet(converts('a.pt'))
    assert 'there is also' not in told('a.pt')[1]


# ---- objects beside the weights ------------------------------------------------------------------

def beside(what):
    """A .pth with a state_dict and one more value."""
    return pth(b'\x80\x02}(' + text('other') + what + text('state_dict') + state_pickle(LENET)[2:-1]
               + b'u.')


OBJECTS = {
    'dict subclass': b'c__main__\nCfgNode\n)\x81(' + text('a') + integer(1) + b'u',
    'object with a state': b'ctorch.optim.lr_scheduler\nStepLR\n)\x81}' + text('gamma') + b'Nsb',
    'datetime': b'cdatetime\ndatetime\nC\x0a' + bytes(10) + b'\x85R',
    'function': b'ctorch.nn.functional\nrelu\n', 'set': b'\x8f(' + integer(1) + b'\x90',
    'keyword call': b'c__main__\nA\n)}\x92', 'tuple keys': b'})Ns',
    'list subclass': b'c__main__\nL\n)\x81(' + integer(1) + integer(2) + b'e',
    'method of an object': b'c__main__\nA\n)R' + text('x') + b'\x85R',
    'old class': b'ccopy_reg\n_reconstructor\n(c__main__\nA\nc__builtin__\nobject\nNtR}b'}


def test_objects_are_stepped_over():
    for name, what in OBJECTS.items():
        write('a.pth', beside(what))
        check_lenet(converts('a.pth'))
        for touched in (b'os\nsystem', b'builtins\nexec'):
            write('a.pth', beside(b'c' + touched + b'\n(' + text('touch ' + path_of('owned'))
                                  + b'tR'))
            check_lenet(converts('a.pth'))
    assert not os.path.exists(path_of('owned'))
    _, errors = told('a.pth')
    assert 'stepped over objects, of which nothing was run: builtins.exec' in errors


def test_dictionaries_of_python_2():
    """OrderedDict with a list of [key, value] as its argument."""
    out = b'\x80\x02ccollections\nOrderedDict\n]('
    for i, (name, (shape, _)) in enumerate(LENET.items()):
        out += b'](' + text(name) + tensor_pickle(str(i), shape) + b'e'
    write('a.pth', pth(out + b'e\x85R.'))
    check_lenet(converts('a.pth'))


def test_whole_models_say_what_to_do():
    state = b'}(' + text('_modules') + b'}' + text('training') + b'\x89u'
    model = b'ctorchvision.models.vgg\nVGG\n)\x81' + state + b'b'
    for pickle in (b'\x80\x02' + model + b'.', b'\x80\x02}' + text('model') + model + b's.',
                   b'\x80\x02ctorch.nn\nDataParallel\n)\x81}' + text('module') + model + b'sb.'):
        write('a.pth', pth(pickle))
        refused('a.pth', 'a whole pickled model', 'torchvision.models.vgg.VGG',
                'torch.save(model.state_dict()')
    frozen = b'\x80\x02c__torch__.net\nNet\n)\x81}' + text('training') + b'\x89sb.'
    write('a.pt', stored_zip({'a/data.pkl': frozen, 'a/constants.pkl': b').'}))
    refused('a.pt', 'TorchScript', 'constants of the program', 'torch.save(model.state_dict()')


# ---- what is not a checkpoint --------------------------------------------------------------------

NOT_CHECKPOINTS = (
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'git lfs pull'),
    (b'<!DOCTYPE html><html><body>404</body></html>', 'is a web page'),
    (b'\n  <html lang="en">', 'is a web page'), (b'', 'is an empty file'),
    (b'not found\n', "is plain text, not a checkpoint; its first line is 'not found'"),
    (b'\x89HDF\r\n\x1a\n' + bytes(8), 'tensorflowjs_converter'),
    (b'\x1f\x8b\x08' + bytes(20), 'gzip'),
    (b'\x89NWB\r\n\x1a\n' + bytes(8), 'a weight blob already'), (b'\xff\xd8\xff\xe0', 'is a photo'),
    (npy((1,), bytes(4)), 'a single array'), (bytes(257) + b'ustar' + bytes(10), 'tar archive'))


def test_what_is_no_checkpoint_is_called_by_its_name():
    for data, what in NOT_CHECKPOINTS:
        for ending in ('pth', 'npz'):
            write('a.' + ending, data)
            refused('a.' + ending, what)


def test_cut_files_are_said_to_be_cut():
    for ending, data in (('pth', pth()), ('th', legacy_pth()), ('safetensors', safetensors())):
        write('a.' + ending, data[:len(data) // 2])
        refused('a.' + ending, 'is cut short')


def test_contents_count_before_the_ending():
    npz = stored_zip({name + '.npy': npy(shape, pack(values, 'f32'))
                      for name, (shape, values) in LENET.items()})
    for data in (pth(), legacy_pth(), safetensors(), npz):
        for ending in ('pth', 'safetensors', 'npz', 'onnx', 'weights'):
            write('a.' + ending, data)
            check_lenet(converts('a.' + ending))


# ---- arrays that are no weights ------------------------------------------------------------------

def test_texts_and_objects_beside_arrays():
    others = {'arch.npy': npy((), 'lenet'.encode('utf-32-le'), '<U5'),
              'classes.npy': npy((3,), b'\x80\x02N.', '|O'),
              'when.npy': npy((1,), bytes(8), '<M8[s]'),
              'table.npy': npy((1,), bytes(8), header="{'descr': [('a', '<f4')], 'fortran_order': "
                                                      "False, 'shape': (1,), }"),
              'notes.txt': b'words'}
    arrays = {name + '.npy': npy(shape, pack(values, 'f32'))
              for name, (shape, values) in LENET.items()}
    write('a.npz', stored_zip({**arrays, **others}))
    check_lenet(converts('a.npz'))
    errors = told('a.npz')[1]
    assert 'what is no number was left out: arch, classes, when, table' in errors
    assert 'left out entries that are no arrays: notes.txt' in errors
    write('a.npz', stored_zip({**arrays, 'fc2.bias.npy': npy((5,), b'\x80\x02N.', '|O')}))
    refused('a.npz', "'fc2.bias' holds '|O'")


def test_unused_tensors_of_unknown_types():
    def add(header):
        end = max(entry['data_offsets'][1] for name, entry in header.items() if name[0] != '_')
        header['head.scale'] = {'dtype': 'F8_E4M3', 'shape': [4], 'data_offsets': [end, end + 4]}
    write('a.safetensors', safetensors(change=add, tail=bytes(4)))
    check_lenet(converts('a.safetensors'))


# ---- names of other publishers -------------------------------------------------------------------

def hugging_face(name):
    base, part = name.rsplit('.', 1)
    steps = base.split('.')
    if base in ('conv1', 'bn1'):
        kind = {'conv1': 'convolution', 'bn1': 'normalization'}[base]
        return f'resnet.embedder.embedder.{kind}.{part}'
    if base == 'fc':
        return 'classifier.1.' + part
    stage, block, layer = int(steps[0][5:]) - 1, steps[1], steps[2]
    at = f'resnet.encoder.stages.{stage}.layers.{block}.'
    if layer == 'downsample':
        return f"{at}shortcut.{'convolution' if steps[3] == '0' else 'normalization'}.{part}"
    kind = 'convolution' if layer.startswith('conv') else 'normalization'
    return f'{at}layer.{int(layer[-1]) - 1}.{kind}.{part}'


def test_hugging_face_resnets():
    for name in ('resnet18', 'resnet50'):
        want = small(name)
        check(converts(written({hugging_face(k): v for k, v in want.items()})), want, name)
        trunk = {k: v for k, v in want.items() if not k.startswith('fc.')}
        check(converts(written({hugging_face(k)[len('resnet.'):]: v for k, v in trunk.items()})),
              trunk, name)


def test_a_folder_from_a_model_hub():
    os.makedirs(path_of('hub'), exist_ok=True)
    write('hub/config.json', b'{}')
    write('hub/model.safetensors', safetensors())
    check_lenet(converts('hub'))


def test_timm_vgg():
    """Its first two dense layers are kept as convolutions."""
    names = {'classifier.0': 'pre_logits.fc1', 'classifier.3': 'pre_logits.fc2',
             'classifier.6': 'head.fc'}
    tensors = {}
    for name, (shape, values) in VGG.items():
        base, part = name.rsplit('.', 1)
        if base == 'classifier.0' and part == 'weight':
            shape = (4, 2, 7, 7)
        elif base == 'classifier.3' and part == 'weight':
            shape = (4, 4, 1, 1)
        tensors[f'{names.get(base, base)}.{part}'] = (shape, values)
    check_vgg(converts(written(tensors)))


# ---- outputs and pipes ---------------------------------------------------------------------------

def test_the_output_is_never_the_input():
    data = pth()
    write('a.pth', data)
    for name in ('link.pth', 'hard.pth'):
        if os.path.lexists(path_of(name)):
            os.unlink(path_of(name))
    os.symlink('a.pth', path_of('link.pth'))
    os.link(path_of('a.pth'), path_of('hard.pth'))
    os.makedirs(path_of('inner'), exist_ok=True)
    for output in ('a.pth', 'link.pth', 'hard.pth', 'inner/../a.pth', './a.pth'):
        code, _, errors = run(path_of('a.pth'), '-o', path_of(output))
        assert code == EXIT_USAGE and 'the input itself' in errors, (output, code, errors)
        assert open(path_of('a.pth'), 'rb').read() == data
    folder = write_folder('arrays')
    code, _, errors = run(folder, '-o', os.path.join(folder, 'fc1.bias.npy'))
    assert code == EXIT_USAGE and 'the input itself' in errors


def test_links_stay_links():
    write('a.pth', pth())
    write('target.nw', b'old')
    for link, to in (('to.nw', 'target.nw'), ('new.nw', 'created.nw')):
        if os.path.lexists(path_of(link)):
            os.unlink(path_of(link))
        os.symlink(to, path_of(link))
        assert run(path_of('a.pth'), '-o', path_of(link))[0] == 0
        assert os.path.islink(path_of(link)) and not os.path.islink(path_of(to))
        check_lenet(path_of(to))


def test_devices_and_pipes_are_written_through():
    write('a.pth', pth())
    assert run(path_of('a.pth'), '-o', '/dev/null')[0] == 0
    assert not os.path.isfile('/dev/null')
    command = [sys.executable, CONVERT, path_of('a.pth'), '-o', '/dev/stdout']
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    write('piped.nw', done.stdout)
    check_lenet(path_of('piped.nw'))
    os.mkfifo(path_of('fifo'))
    with subprocess.Popen(['cat', path_of('fifo')], stdout=subprocess.PIPE) as reader:
        assert run(path_of('a.pth'), '-o', path_of('fifo'))[0] == 0
        write('fifoed.nw', reader.stdout.read())
    check_lenet(path_of('fifoed.nw'))
    assert run(path_of('a.pth'), '-o', HERE)[0] == EXIT_CREATE
    os.unlink(path_of('fifo'))


def test_an_opened_file_is_written_and_one_in_memory_replaced():
    write('a.pth', pth())
    with open(path_of('opened.nw'), 'wb') as opened:
        command = [sys.executable, CONVERT, path_of('a.pth'), '-o', '/dev/stdout']
        assert subprocess.run(command, stdout=opened, timeout=60).returncode == 0
    check_lenet(path_of('opened.nw'))
    if not os.access('/dev/shm', os.W_OK):
        raise Skip('no /dev/shm')
    with tempfile.TemporaryDirectory(dir='/dev/shm') as folder:
        out = os.path.join(folder, 'out.nw')
        with open(out, 'wb') as before:
            before.write(b'old')
            before.flush()
            assert 'lenet' in run(path_of('a.pth'), '-o', out)[1]
            assert os.fstat(before.fileno()).st_nlink == 0
        check_lenet(out)


def test_a_closed_pipe_is_silent():
    many = {f'head.t{i:04}.weight': ((1,), [1.0]) for i in range(4000)}
    write('a.safetensors', safetensors({**LENET, **many}))
    for options in (['--list'], ['--list-architectures'], ['--help']):
        first = [path_of('a.safetensors')] if options == ['--list'] else []
        command = [sys.executable, CONVERT, *first, *options]
        shell = f'{{ {" ".join(command)}; echo $? >{path_of("code")}; }} | true'
        done = subprocess.run(['sh', '-c', shell], capture_output=True, text=True, timeout=60)
        assert done.stderr == '', done.stderr
        assert open(path_of('code')).read().strip() in ('0', '141')


def test_a_full_disk_is_told():
    if not os.path.exists('/dev/full'):
        raise Skip('no /dev/full')
    write('a.pth', pth())
    for options in (['--list-architectures'], [path_of('a.pth'), '--list']):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([sys.executable, CONVERT, *options], stdout=full, text=True,
                                  stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 74 and done.stderr.startswith('error: standard output')
    code, _, errors = run(path_of('a.pth'), '-o', '/dev/full')
    assert code == 74 and 'No space' in errors, (code, errors)


# ---- files that once failed, where they are ------------------------------------------------------

def test_files_that_once_failed():
    out = path_of('bug.nw')
    for relative, want in (('05-data-parallel-inside/vgg16.pth.tar', 'vgg16, 32 tensors'),
                           ('11-size-without-resize/resnet18.pth', 'resnet18, 102 tensors'),
                           ('15-objects-beside-the-weights/cfg.pth', 'vgg16, 32 tensors'),
                           ('15-objects-beside-the-weights/scheduler.pth', 'vgg16, 32 tensors'),
                           ('15-objects-beside-the-weights/time.pth', 'vgg16, 32 tensors'),
                           ('25-words-in-npz/weights.npz', 'vgg16, 32 tensors'),
                           ('31-caffe-alexnet/alexnet.pth', 'alexnet_groups, 16 tensors')):
        code, printed, errors = run(bug(relative), '-o', out)
        assert code == 0 and want in printed, (relative, errors)
    for relative, want in (('01-parts-left-out/seresnet18.pth', 'squeeze-and-excitation'),
                           ('15-objects-beside-the-weights/whole.pth', 'model.state_dict()'),
                           ('17-not-the-file/pointer.pth', 'git lfs pull'),
                           ('17-not-the-file/page.pth', 'web page'),
                           ('17-not-the-file/empty.pth', 'empty file'),
                           ('17-not-the-file/half.pth', 'cut short')):
        code, _, errors = run(bug(relative), '-o', out)
        assert code == EXIT_DATA and want in errors, (relative, errors)


if __name__ == '__main__':
    sys.exit(run_tests('everyday', tests_of(globals())))
