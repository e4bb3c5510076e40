"""How a picture becomes the input of a network, and how much of that the checkpoint says itself."""

import math

from architectures import CAFFE_RGB_MEAN, CIFAR_VGG_BN
from names import unwrapped
from readers.source import Misused, Refused

LARGEST_SIDE = 65535
IMAGENET_SIDE, IMAGENET_SHORT = 224, 256


class Preparation:
    """((RGB in 0..1) * scale - mean) / std, from a photo's centre: its short side is resized to
    resize_short and width x height cut out; resize_short 0 resizes straight to that size.

    told     what the file itself says, a text or ''"""

    def __init__(self, match, source_format):
        self.match, self.is_for_photos = match, match.net.reads == 'pixels'
        side, statistics = self.side_of_patches() or match.net.size, match.net.statistics
        is_cropped = side == IMAGENET_SIDE
        self.filter = 'bilinear'
        if match.net.name.startswith('vgg') and 'flat' in match.widths:
            cells = match.widths['flat'] / match.last_conv_width()
            if cells != 49 and cells > 0 and math.isqrt(int(cells)) ** 2 == cells:
                side, is_cropped = 32 * math.isqrt(int(cells)), False    # five halvings of it
                statistics = CIFAR_VGG_BN if side == 32 else statistics
        self.width = self.height = side
        self.resize_short = IMAGENET_SHORT if is_cropped else 0
        self.geometry, self.told = 'torchvision', ''
        self.order, self.scale = 'rgb', 1.0
        self.mean, self.std = statistics
        photos = match.net.photos.get(match.publisher)
        if photos:
            self.mean, self.std, self.filter = photos[:3]
            self.resize_short = photos.short(side)
        is_caffe = source_format == 'caffemodel' or (
            source_format == 'tensorflowjs' and match.net.name.startswith('vgg'))
        if is_caffe:
            self.order, self.scale = 'bgr', 255.0
            self.mean, self.std = tuple(reversed(CAFFE_RGB_MEAN)), (1.0, 1.0, 1.0)

    def grid(self):
        """(patches, pixels a patch is wide) where a network has a position for each, else None."""
        if not self.match.net.grid:
            return None
        positions, patch = (self.match.widths.get(width, width) for width in self.match.net.grid)
        return (positions - 1, patch) if type(positions) is type(patch) is int else None

    def side_of_patches(self):
        """The side of a square of patches, 0 if they make none."""
        patches, patch = self.grid() or (0, 0)
        side = math.isqrt(max(patches, 0))
        return side * patch if side * side == patches else 0

    def check_patches(self):
        patches, patch = self.grid() or (0, 0)
        if not patch:
            return
        if self.width % patch or self.height % patch or \
                (self.width // patch) * (self.height // patch) != patches:
            raise Refused(f'has positions for {patches} patches of {patch}x{patch} pixels, which '
                          f'pictures of {self.width}x{self.height} do not have; --size says which '
                          'size they have')

    def take_statistics(self, tensors):
        """Mean and std that a wrapper of the network keeps, over pictures in 0..1; the notes."""
        found = {}
        for name, tensor in tensors.items():
            kind = unwrapped(name).replace('/', '.').rpartition('.')[2].replace('new_', '')
            if kind in ('mean', 'std') and count(tensor.shape) == 3 and 'attacker' not in name:
                found.setdefault(kind, tensor)
        if len(found) < 2:
            return []
        opened = {kind: tensor.open() for kind, tensor in found.items()}
        if any(tensor.kind not in ('f32', 'f16', 'f64', 'bf16') for tensor in opened.values()):
            return []
        mean, std = (tuple(opened[kind].load()) for kind in ('mean', 'std'))
        if all(0 <= m <= 1 for m in mean) and all(1e-6 <= s <= 1 for s in std):
            self.mean, self.std = mean, std
            self.tell(f"mean and std are the file's '{found['mean'].name}' and "
                      f"'{found['std'].name}'")
            return []
        return [f"'{found['mean'].name}' and '{found['std'].name}' are not of pictures in 0..1 and "
                'were not used; --scale, --mean, --std and --order say what is right']

    def take_settings(self, found, name):
        """What the file `name` of a hub's folder says (hub_photos.py)."""
        self.mean, self.std = found.get('mean', self.mean), found.get('std', self.std)
        self.filter = found.get('filter', self.filter)
        if 'cut' in found:
            side, self.resize_short = found['cut']
            self.width = self.height = side
        if found:
            what = ['size' if key == 'cut' else key for key in found]
            self.tell(f"{', '.join(what)} as {name} says")

    def tell(self, text):
        self.told += ('; ' if self.told else '') + text

    def asked(self, chosen):
        return ', '.join(f'--{key}' for key in ('size', 'resize', 'order', 'scale', 'mean', 'std',
                                                'geometry', 'filter')
                         if getattr(chosen, key) is not None)

    def override(self, chosen):
        if not self.is_for_photos and self.asked(chosen):
            raise Misused(f'{self.match.net.name} reads texts, so there is no photo to prepare '
                          f'({self.asked(chosen)})')
        for key in ('order', 'scale', 'mean', 'std', 'geometry', 'filter'):
            if getattr(chosen, key) is not None:
                setattr(self, key, getattr(chosen, key))
        if chosen.size and chosen.size != (self.width, self.height):
            self.width, self.height = chosen.size
            if self.resize_short:                     # as 256 to 224
                longer = max(chosen.size)
                self.resize_short = (longer * IMAGENET_SHORT * 2 + IMAGENET_SIDE) \
                    // (2 * IMAGENET_SIDE)
        if chosen.resize is not None:
            self.resize_short = chosen.resize
        if 0 < self.resize_short < max(self.width, self.height):
            raise Misused(f'a short side of {self.resize_short} pixels is smaller than the '
                          f'{self.width}x{self.height} that are cut out of it; --resize takes '
                          f'{max(self.width, self.height)} or more, or 0 to resize straight to '
                          'the size')
        if self.resize_short > LARGEST_SIDE:
            raise Misused(f'a short side of {self.resize_short} pixels is over the limit of '
                          f'{LARGEST_SIDE}')

    def keys(self):
        """Those of `about` (DESIGN.md); the blob speaks RGB."""
        if not self.is_for_photos:
            return {'input': 'tokens'}
        rgb = -1 if self.order == 'bgr' else 1
        return {'width': self.width, 'height': self.height, 'resize_short': self.resize_short,
                'geometry': self.geometry,
                'filter': None if self.filter == 'bilinear' else self.filter,
                'scale': f'{self.scale:.9g}', 'mean': numbers(self.mean[::rgb]),
                'std': numbers(self.std[::rgb])}

    def text(self, chosen):
        """One line: what was assumed; nothing where there is no photo."""
        if not self.is_for_photos:
            return ''
        cut = f'short side to {self.resize_short}, centre {self.width}x{self.height} cut out' \
            if self.resize_short else f'resized to {self.width}x{self.height}'
        if self.geometry != 'torchvision' and self.resize_short:
            cut += f' ({self.geometry})'
        if self.filter != 'bilinear':
            cut += f', {self.filter}'
        asked = self.asked(chosen)
        source = '; '.join(text for text in (self.told, asked and f'{asked} as asked') if text)
        rest = 'the rest' if source else 'all of it'
        return (f'prepares photos as {self.order.upper()} in 0..{self.scale:.9g}, mean '
                f'{numbers(self.mean)}, std {numbers(self.std)}, {cut} '
                f"({source + '; ' if source else ''}{rest} assumed: --order --scale --mean --std "
                '--size --resize --filter change it)')


def numbers(values):
    return ','.join(f'{value:.9g}' for value in values)


def count(shape):
    return math.prod(shape)
