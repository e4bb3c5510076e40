"""The tensors of a blob to be, and the changes they go through on their way into it."""

import array
import math
import struct

from architectures import EPSILON, NORM_PARTS
from readers.source import MAX_TENSORS, Refused


def check_finite(name, block):
    """The top byte 0x7f or 0xff is rare, so numbers are looked at only where it occurs."""
    top = block[3::4]
    if (b'\x7f' in top or b'\xff' in top):
        values = array.array('f')
        values.frombytes(block)
        if not math.isfinite(sum(values)):            # a sum of finite floats cannot overflow
            raise Refused(f"'{name}' holds a NaN or an infinity")
    return block


def check_variance(name, values, epsilon):
    if not min(values) + epsilon > 0:
        raise Refused(f"'{name}' holds a negative variance")


def swap_first_channels(values, shape):
    """Blue, green, red -> red, green, blue on the input channels of [out, 3, h, w]."""
    plane = shape[2] * shape[3]
    out = array.array('f')
    for start in range(0, len(values), 3 * plane):
        for channel in (2, 1, 0):
            out += values[start + channel * plane:start + (channel + 1) * plane]
    return out


def flatten_channels_first(values, shape, channels):
    """Columns of a dense layer from (row, column, channel) to (channel, row, column)."""
    outputs, columns = shape
    out = array.array('f', bytes(4 * len(values)))
    cells = columns // channels
    for start in range(0, len(values), columns):
        row = values[start:start + columns]
        for channel in range(channels):
            at = start + channel * cells
            out[at:at + cells] = row[channel::channels]
    return out


def scale_rows(values, factors):
    step = len(values) // len(factors)
    for row, factor in enumerate(factors):
        at = row * step
        values[at:at + step] = array.array('f', [factor * v for v in values[at:at + step]])
    return values


def to_half(name, block):
    values = array.array('f')
    values.frombytes(block)
    try:
        return struct.pack(f'<{len(values)}e', *values)
    except OverflowError:
        raise Refused(f"'{name}' holds numbers too large for float16") from None


class Contents:
    """The tensors of the blob to be: {name: (shape, function that yields float32 blocks)}."""

    def __init__(self, match):
        self.match, self.items, self.epsilon = match, {}, EPSILON
        if len(match.tensors) >= MAX_TENSORS:         # `about` is one more
            raise Refused(f'{match.net.name} has {len(match.tensors)} tensors, the limit of a blob '
                          f'is {MAX_TENSORS - 1}')
        for name, tensor in match.tensors.items():
            tensor = tensor.open()
            if tensor.kind not in ('f32', 'f16', 'bf16', 'f64'):
                raise Refused(f"'{tensor.name}' holds {tensor.kind}, expected little-endian "
                              'floating-point numbers')
            if len(tensor.shape) > 4 or 0 in tensor.shape:
                raise Refused(f"'{tensor.name}' is empty or has more than 4 dimensions")
            shape = tensor.shape or (1,)              # a single number
            if len(shape) == 4 and len(match.net.slots[name].shape) == 2:
                shape = (shape[0], math.prod(shape[1:]))   # a dense layer kept as a convolution
            self.items[name] = (shape, tensor.blocks)

    def load(self, name):
        values = array.array('f')
        for block in self.items[name][1]():
            values.frombytes(block)
        return values

    def change(self, name, function):
        """From now on the tensor is function(its values, its shape), computed when written."""
        shape, blocks = self.items[name]

        def changed():
            values = array.array('f')
            for block in blocks():
                values.frombytes(block)
            yield function(values, shape).tobytes()

        self.items[name] = (shape, changed)

    def take_rgb(self):
        """What was trained on blue, green, red takes red, green, blue: the first convolution, and
        a norm of the pixels before it."""
        self.change(self.match.net.first, swap_first_channels)
        for name, slot in self.match.net.slots.items():
            if slot.shape == (3,):
                self.change(name, lambda values, _: values[::-1])

    def set_epsilons(self, epsilons):
        """All norms of a blob add one number to their variance: where they differ it is EPSILON,
        and the rest goes into the variance itself."""
        norms = [norm for norm in self.match.net.norms if f'{norm}.running_var' in self.items]
        every = {epsilons.get(norm, EPSILON) for norm in norms}
        self.epsilon = every.pop() if len(every) == 1 else EPSILON
        for norm in norms:
            more = epsilons.get(norm, EPSILON) - self.epsilon
            if more:
                self.change(f'{norm}.running_var', lambda values, _, m=more:
                            array.array('f', [value + m for value in values]))

    def fold(self):
        """Makes one of every convolution and the batch norm that directly follows it."""
        for conv, norm in self.match.net.pairs:
            parts = [f'{norm}.{part}' for part in NORM_PARTS]
            if f'{conv}.weight' not in self.items or not all(p in self.items for p in parts):
                continue
            gamma, beta, mean, variance = map(self.load, parts)
            check_variance(parts[-1], variance, self.epsilon)
            bias = self.load(f'{conv}.bias') if f'{conv}.bias' in self.items else [0.0] * len(beta)
            factor = [g / math.sqrt(v + self.epsilon) for g, v in zip(gamma, variance)]
            shift = array.array('f', [(b - m) * f + t
                                      for b, m, f, t in zip(bias, mean, factor, beta)])
            self.change(f'{conv}.weight', lambda values, _, f=factor: scale_rows(values, f))
            self.items[f'{conv}.bias'] = ((len(shift),), lambda s=shift: iter([s.tobytes()]))
            for part in parts:
                del self.items[part]

    def bn_epsilon(self):
        """The key of `about`, or None where no norm is left or it is as usual."""
        is_left = any(f'{norm}.running_var' in self.items for norm in self.match.net.norms)
        return f'{self.epsilon:.9g}' if is_left and self.epsilon != EPSILON else None

    def norm_state(self):
        if not self.match.net.pairs:
            return 'none'
        unfolded = any(f'{norm}.running_var' in self.items for _, norm in self.match.net.pairs)
        return 'unfolded' if unfolded else 'folded'

    def tensors(self, half):
        def finished(name, blocks):
            for block in blocks():
                check_finite(name, block)
                if name.endswith('.running_var'):
                    check_variance(name, array.array('f', block), self.epsilon)
                yield to_half(name, block) if half else block

        return [(name, shape, 'f16' if half else 'f32',
                 lambda n=name, b=blocks: finished(n, b))
                for name, (shape, blocks) in self.items.items()]


