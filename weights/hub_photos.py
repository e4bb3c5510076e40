"""How a folder from a model hub says that photos are prepared: `pretrained_cfg` in timm's
config.json, or transformers' preprocessor_config.json."""

from hub import read_config
from readers.source import Refused

PROCESSOR = 'preprocessor_config.json'
FILTERS = {2: 'bilinear', 3: 'bicubic', 'bilinear': 'bilinear', 'bicubic': 'bicubic'}  # of Pillow
SIDES = range(1, 1 << 15)
LEAST_WHOLE = 384          # from this side on ConvNeXt's processor does not crop


def three(values, least, most):
    """Three numbers as a tuple, None for anything else."""
    are_numbers = type(values) is list and len(values) == 3 and \
        all(type(value) in (int, float) and least <= value <= most for value in values)
    return tuple(float(value) for value in values) if are_numbers else None


def square(size):
    """The side of a square or the short side, None for anything else."""
    if type(size) is dict:
        sides = [size[key] for key in ('height', 'width', 'shortest_edge') if key in size]
        size = sides[0] if sides and sides.count(sides[0]) == len(sides) else None
    return size if type(size) is int and size in SIDES else None


def share(value):
    return value if type(value) in (int, float) and 0.1 <= value <= 1 else None


def filter_of(value):
    return FILTERS.get(value) if type(value) in (int, str) else None


def of_timm(config):
    size, part = config.get('input_size'), share(config.get('crop_pct'))
    side = square(size[2]) if type(size) is list and len(size) == 3 and size[1] == size[2] else None
    short = int(side / part) if side and part and config.get('crop_mode', 'center') == 'center' \
        else None
    return {'mean': three(config.get('mean'), 0, 1), 'std': three(config.get('std'), 1e-6, 1),
            'filter': filter_of(config.get('interpolation')), 'cut': short and (side, short)}


def of_transformers(config):
    side, crop = square(config.get('size')), square(config.get('crop_size'))
    part, cut = share(config.get('crop_pct')), None
    if side and config.get('do_resize', True):
        if crop and config.get('do_center_crop', True):
            cut = (crop, side) if crop <= side else None
        elif part:
            cut = (side, int(side / part)) if side < LEAST_WHOLE else (side, 0)
        elif type(config['size']) is int or 'shortest_edge' not in config['size']:
            cut = side, 0
    mean, std = three(config.get('image_mean'), 0, 1), three(config.get('image_std'), 1e-6, 1)
    if not config.get('do_normalize', True):
        mean, std = 3 * (0.0,), 3 * (1.0,)
    if config.get('rescale_factor', 1 / 255) != 1 / 255 or not config.get('do_rescale', True):
        mean = std = None                              # of pictures in another range
    return {'mean': mean, 'std': std,
            'filter': filter_of(config.get('resample')), 'cut': cut}


def hub_photos(folder):
    """({what: value}, the file that says so): mean and std of three numbers, filter, and cut, the
    side of the picture and the short side before its centre is cut out (0: resized straight to the
    size). What it does not say, or what blobs have no line for, is left out."""
    try:
        timm = read_config(folder).get('pretrained_cfg')
    except Refused:                                    # settings of something else
        timm = None
    if type(timm) is dict:
        found, name = of_timm(timm), 'config.json'
    else:
        config, name = read_config(folder, PROCESSOR), PROCESSOR
        found = of_transformers(config) if config else {}
    return {what: value for what, value in found.items() if value}, name
