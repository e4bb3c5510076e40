"""What a file is by its first bytes, whatever its name ends with; what is no checkpoint is said."""

from .archive import read_archive
from .source import Refused

BY_ENDING = (('.onnx', 'onnx'), ('.caffemodel', 'caffemodel'), ('.json', 'tensorflowjs'),
             ('.safetensors', 'safetensors'), ('.npz', 'npz'),
             (('.pth', '.pth.tar', '.th', '.pt', '.tar', '.ckpt', '.bin'), 'pth'))
UNPACK = 'unpack it and convert the file inside'
NO_CHECKPOINTS = (                                     # (first bytes, what it is, what to do)
    (b'version https://git-lfs', 'is a Git LFS pointer, not the file it stands for',
     '`git lfs pull` in its repository fetches that'),
    (b'\x89HDF\r\n', 'is an HDF5 file, as Keras writes them',
     '`tensorflowjs_converter --input_format keras` makes a folder of it that converts'),
    (b'\x89NWB\r\n', 'is a weight blob already', '--dtype f16 halves it, `nemesis inspect` shows it'),
    (b'\x93NUMPY', 'is a single array', 'give the folder or the .npz with all arrays'),
    (b'\x1f\x8b', 'is packed with gzip', UNPACK), (b'BZh', 'is packed with bzip2', UNPACK),
    (b'\xfd7zXZ', 'is packed with xz', UNPACK), (b'7z\xbc\xaf', 'is a 7z archive', UNPACK),
    (b'Rar!', 'is a RAR archive', UNPACK), (b'\x28\xb5\x2f\xfd', 'is packed with zstd', UNPACK),
    (b'GGUF', 'is a GGUF file', 'give the checkpoint it was made of'),
    (b'\xff\xd8\xff', 'is a photo', 'give a checkpoint'),
    (b'\x89PNG', 'is a picture', 'give a checkpoint'),
    (b'%PDF', 'is a PDF document', 'give a checkpoint'))
PAGE = (b'<!doctype', b'<html', b'<head', b'<?xml')


def refuse_what_is_no_checkpoint(view, start):
    def refused(what, then):
        return Refused(f'{view.name}: {what}, not a checkpoint; {then}')

    if not view.size:
        raise refused('is an empty file', 'download or copy it again')
    for magic, what, then in NO_CHECKPOINTS:
        if start.startswith(magic):
            raise Refused(f'{view.name}: {what}; {then}')
    if start.lstrip().lower().startswith(PAGE):
        raise refused('is a web page', 'the link leads to a page about it, or to an error: '
                      'download the file itself')
    if start[257:262] == b'ustar':
        raise Refused(f'{view.name}: is a tar archive, of files or of PyTorch before 0.1.10; '
                      'unpack it, or load and save the checkpoint with a newer PyTorch')
    if start[4:8] == b'TFL3':
        raise Refused(f'{view.name}: is a TensorFlow Lite file, which is not read; give the '
                      'checkpoint it was made of')
    if not start.lstrip().startswith(b'{') and all(byte in b'\t\n\r' or 32 <= byte < 127
                                                   for byte in start):
        raise refused('is plain text', "its first line is '"
                      + start.split(b'\n')[0][:60].decode('ascii') + "'")


def zip_format(view):
    entries = read_archive(view, inflate=True)
    names = [name.rpartition('/')[2] for name in entries]
    if 'data.pkl' in names:
        return 'pth'
    if any(name.endswith('.npy') for name in names):
        return 'npz'
    listed = ', '.join(list(entries)[:3])
    raise Refused(f'{view.name}: is a ZIP archive with 0 entries data.pkl and no .npy array in it '
                  f'({listed}); unpack it and convert the checkpoint inside')


def file_format(view):
    """'pth', 'npz', 'safetensors', 'onnx', 'caffemodel' or 'tensorflowjs'."""
    start = view.read(0, min(view.size, 512))
    refuse_what_is_no_checkpoint(view, start)
    lower = view.name.lower()
    if start.startswith(b'PK\3\4'):
        return zip_format(view)
    if start[:1] == b'\x80' and start[1:2] in (b'\2', b'\3', b'\4', b'\5'):
        return 'pth'
    if start[8:9] == b'{' and int.from_bytes(start[:8], 'little') < 1 << 40:
        return 'safetensors'
    if start.lstrip().startswith(b'{'):
        return 'tensorflowjs'
    for endings, name in BY_ENDING:
        if lower.endswith(endings):
            return name
    if start[:1] == b'\x08' and start[2:3] in b'\x12\x1a\x22\x2a\x32\x3a\x42' and start[2:3]:
        return 'onnx'                                  # its version, then a text or the graph
    raise Refused(f'{view.name}: neither its first bytes nor its ending are those of a checkpoint '
                  '(.pth .pth.tar .th .pt .ckpt .bin .safetensors .npz .caffemodel .onnx .json)')
