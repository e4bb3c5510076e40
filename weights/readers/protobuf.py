"""The protobuf wire format walked by hand, without a schema; Caffe models, which are kept in it."""

from .source import MAX_TENSORS, Refused, Tensor

MAX_FIELDS = 1000000       # of one file
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Walker:
    """Counts the fields of a file so that no small file takes long."""

    def __init__(self, view):
        self.view, self.fields = view, 0

    def varint(self, view, at):
        value = 0
        data = view.read(at, min(10, view.size - at))
        for i, byte in enumerate(data):
            value |= (byte & 127) << 7 * i
            if byte < 128:
                return value & (1 << 64) - 1, at + i + 1
        raise Refused(f'{self.view.name}: a number is cut short at byte {view.offset + at}')

    def walk(self, view):
        """(field number, wire type, value): an integer, or a View of the bytes."""
        at = 0
        while at < view.size:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise Refused(f'{self.view.name}: has more than {MAX_FIELDS} fields')
            tag, at = self.varint(view, at)
            wire = tag & 7
            if wire == VARINT:
                value, at = self.varint(view, at)
            elif wire == BYTES:
                size, at = self.varint(view, at)
                value, at = view.part(at, size), at + size
            elif wire in (FIXED64, FIXED32):
                size = 8 if wire == FIXED64 else 4
                value, at = int.from_bytes(view.read(at, size), 'little'), at + size
            else:
                raise Refused(f'{self.view.name}: wire type {wire} at byte {view.offset + at} '
                              'is not known')
            yield tag >> 3, wire, value

    def message(self, value, wire):
        if wire != BYTES:
            raise Refused(f'{self.view.name}: holds a number where a message is expected')
        return value

    def text(self, value, wire):
        value = self.message(value, wire)
        if value.size > 1024:
            raise Refused(f'{self.view.name}: a name has {value.size} bytes, the limit is 1024')
        return value.read(0, value.size).decode('utf-8', 'replace')

    def integers(self, value, wire, most=16):
        """A repeated integer field, packed or single."""
        if wire == VARINT:
            return [value]
        value = self.message(value, wire)
        if value.size > 10 * most:
            raise Refused(f'{self.view.name}: a shape has more than {most} dimensions')
        data, out, number, shift = value.read(0, value.size), [], 0, 0
        for byte in data:
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                out.append(number & (1 << 64) - 1)
                number = shift = 0
            elif shift > 63:
                raise Refused(f'{self.view.name}: a number is cut short')
        if shift:
            raise Refused(f'{self.view.name}: a number is cut short')
        if len(out) > most:
            raise Refused(f'{self.view.name}: a shape has more than {most} dimensions')
        return out


def joined(walker, name, parts):
    if len(parts) != 1:
        raise Refused(f"{walker.view.name}: '{name}' has {len(parts)} pieces of data, expected 1")
    return parts[0]


# ---- Caffe: NetParameter { layers 2 (V1), layer 100 } --------------------------------------------

def read_caffemodel(view):
    walker, tensors = Walker(view), []
    for field, wire, value in walker.walk(view):
        if field == 100:
            tensors += caffe_layer(walker, walker.message(value, wire), name_field=1, blob_field=7)
        elif field == 2 and wire == BYTES:
            tensors += caffe_layer(walker, value, name_field=4, blob_field=6)
        if len(tensors) > MAX_TENSORS:
            raise Refused(f'{view.name}: holds more than {MAX_TENSORS} tensors')
    if not tensors:
        raise Refused(f'{view.name}: holds no layer with weights')
    return tensors


def caffe_layer(walker, layer, name_field, blob_field):
    name, blobs = None, []
    for field, wire, value in walker.walk(layer):
        if field == name_field:
            name = walker.text(value, wire)
        elif field == blob_field:
            blobs.append(walker.message(value, wire))
    if blobs and (name is None or len(blobs) > 2):
        raise Refused(f"{walker.view.name}: layer '{name}' has {len(blobs)} arrays, expected a "
                      'weight and a bias')
    return [caffe_blob(walker, f'{name}.{part}', blob)
            for part, blob in zip(('weight', 'bias'), blobs)]


def caffe_blob(walker, name, blob):
    legacy, shape, data, kind = {}, [], [], 'f32'
    for field, wire, value in walker.walk(blob):
        if field in (1, 2, 3, 4) and wire == VARINT:
            legacy[field] = value
        elif field == 7:
            for inner, inner_wire, dims in walker.walk(walker.message(value, wire)):
                if inner == 1:
                    shape += walker.integers(dims, inner_wire)
        elif field in (5, 8):
            data.append(walker.message(value, wire))
            kind = 'f32' if field == 5 else 'f64'
    shape = shape or [legacy.get(field, 1) for field in (1, 2, 3, 4)]
    rank = 1 if name.endswith('.bias') else 2
    while len(shape) > rank and shape[0] == 1:        # [1, 1, out, in], [1, 1, 1, out]
        shape = shape[1:]
    return Tensor(name, shape, kind, joined(walker, name, data))
