"""Which network a checkpoint holds, and whether it is that network and no other.

A tensor that is no part of the architecture is either behind every layer that can be probed
(another head) or outside the network (another encoder, a loss): then it is left out and named.
Everything else changes layers that can be probed, so the checkpoint is refused."""

import re

from architectures import NORM_PARTS, Share, all_architectures
from names import WRAPPERS, cleaned, roots, taken_apart
from others import (GROUPED_ALEXNET, OTHER_NETWORKS, PARTS_OF_OTHERS, REPARAMETRISED,
                    is_grouped_alexnet, known_as)
from readers.source import ELEMENT_BYTES, Refused
from spellings import spelled

MOST_LISTED = 12
HOLDS_ANOTHER = ('holds the tensors of {}, which is not supported (--list-architectures lists '
                 'what is)')


def listed(names, most=MOST_LISTED):
    names = list(names)
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def plural(count, noun='tensor'):
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---- one architecture ----------------------------------------------------------------------------

class Match:
    """How named tensors fit one architecture; `publisher` is whose names they had, '' its own."""

    def __init__(self, net, named, publisher=''):
        self.publisher = publisher
        self.net, self.tensors, self.widths = net, {}, {}
        self.extra, self.misshapen, self.sources, self.grouped = {}, [], {}, []
        for source, tensor in named.items():
            name = self.canonical(source)
            if name is None:
                self.extra[source] = tensor
            elif name in self.tensors:
                raise Refused(f"'{source}' and '{self.sources[name]}' are the same tensor "
                              f"of {net.name}, '{name}'")
            else:
                self.tensors[name], self.sources[name] = tensor, source
        for name, slot in net.slots.items():
            if name in self.tensors and self.tensors[name].kind in ELEMENT_BYTES:
                self.check_shape(self.tensors[name], slot.shape)
        norms = [norm for _, norm in net.pairs]
        self.is_folded = bool(norms) and not any(
            f'{norm}.{part}' in self.tensors for norm in norms for part in NORM_PARTS)
        folded_by = {norm: conv for conv, norm in net.pairs} if self.is_folded else {}
        self.missing = [name for name, slot in net.slots.items()
                        if self.is_missing(name, slot, folded_by)]

    def canonical(self, source):
        if source in self.net.slots:
            return source
        parts = taken_apart(source)
        if not parts:
            return None
        name = f'{self.net.aliases.get(parts[0], parts[0])}.{parts[1]}'
        return name if name in self.net.slots else None

    def is_missing(self, name, slot, folded_by):
        if name in self.tensors or 'any' in slot.excused_by:
            return False
        if f'{folded_by.get(slot.base)}.bias' in self.tensors:
            return False
        return not any(excuse in self.tensors or f'{excuse}.weight' in self.tensors
                       for excuse in slot.excused_by)

    def last_conv_width(self):
        last = [slot.shape[0] for slot in self.net.slots.values() if len(slot.shape) == 4][-1]
        return self.widths.get(last, 1)

    def check_shape(self, tensor, want):
        got, shown = tensor.shape, []
        if len(want) == 2 and len(got) == 4:          # a dense layer kept as a convolution
            got = (got[0], got[1] * got[2] * got[3])
        fits, wanted = len(want) == len(got), []
        for size, dim in zip(got, want):
            if type(dim) is tuple:                    # a concatenation: the sum of widths
                dim = sum(self.widths[d] for d in dim) if all(d in self.widths for d in dim) \
                    else None
            elif isinstance(dim, Share):              # of a width that is known by now
                dim = self.widths[dim.width] // dim.groups if dim.width in self.widths else None
            elif isinstance(dim, str):
                dim = self.widths.setdefault(dim, size) if fits else self.widths.get(dim)
            wanted.append(dim)
            shown.append('any' if dim is None else str(dim))
            fits = fits and dim in (None, size)
        if fits:
            return
        shape = 'x'.join(map(str, tensor.shape)) or 'scalar'
        shown += ['any'] * (len(want) - len(shown))
        text = f"'{tensor.name}' is {shape}, expected {'x'.join(shown)}"
        if len(got) == len(want) == 4 and got[1] and wanted[1] and wanted[1] % got[1] == 0 \
                and wanted[1] > got[1]:
            self.grouped.append(f'{text} ({wanted[1] // got[1]} groups)')
        self.misshapen.append(text)

    def strays(self):
        """Names of extra tensors that change layers that can be probed."""
        return [name for name, tensor in self.extra.items()
                if tensor.is_number and not is_statistic(name)
                and not (HEAD.match(name) and known_as([name], self.net.parts) is None)]

    def key(self):
        return (self.net.first not in self.tensors, len(self.misshapen) + len(self.strays()),
                len(self.misshapen) + len(self.extra), len(self.missing))


HEAD = re.compile(r'(fc|heads?|classifier|linear|logits|pred\w*|proj\w*|mlp|aux\w*|last_linear|'
                  r'output|out|dense\d*|prototypes|queue\w*|contrast\w*|criterion|loss\w*|'
                  r'center\w*|neck|decode\w*|dropout|softmax|embedding|pre_logits|avgpool|'
                  r'attnpool|pooler|mask_token|metric\w*|'
                  r'\w*_head|\w*_loss|\w*_acc\w*|fc_?\w+|classifier_?\w+)([./_]|$)', re.IGNORECASE)
STATISTIC = re.compile(r'(?:.*[./])?(?:new_)?(mean|std)(?::0)?')


def is_statistic(name):
    """The mean or std of pictures, as wrappers that normalise them keep it."""
    return STATISTIC.fullmatch(name) is not None


# ---- the network in a group of tensors -----------------------------------------------------------

class Candidate:
    """A network at one root of one group: key is what --key calls it."""

    def __init__(self, group, root, match, outside):
        self.group, self.root, self.match, self.outside = group, root, match, outside
        self.key = '.'.join(part for part in (group, root.rstrip('./')) if part)

    def leave_to(self, others):
        """Tensors below the root of another network are that one's."""
        for other in others:
            if len(other.root) > len(self.root) and other.root.startswith(self.root):
                inner = other.root[len(self.root):]
                for name in [name for name in self.match.extra if name.startswith(inner)]:
                    self.outside[self.root + name] = self.match.extra.pop(name)

    def places(self):
        return {tensor.place for tensor in self.match.tensors.values()}

    def is_sound(self):
        return self.match.net.first in self.match.tensors and not self.match.misshapen


def first_bases():
    """{base of a first kernel or table of words: rank of its tensor}."""
    bases = {}
    for net in all_architectures():
        base, rank = net.first.rpartition('.')[0], len(net.slots[net.first].shape)
        bases[base] = rank
        bases.update({alias: rank for alias, to in net.aliases.items() if to == base})
    return bases


def nets_named(wanted):
    nets = [net for net in all_architectures() if wanted in (None, net.name)]
    if not nets:
        known = ', '.join(dict.fromkeys(net.name for net in all_architectures()))
        raise Refused(f"architecture '{wanted}' is not known, expected one of {known}")
    return nets


def best_match(named, nets, resolve=None):
    """The architecture that fits best; `resolve(net, named)` may know tensors by their use."""
    matches = []
    for net in nets:
        try:
            own, publisher = spelled(net, resolve(net, named) if resolve else named)
            matches.append(Match(net.fitted(own), own, publisher))
        except Refused:
            if len(nets) == 1:
                raise
    return min(matches, key=Match.key, default=None)


def candidates(groups, nets, resolve=None, unfold=None):
    """Every network in the checkpoint, sound or not; `unfold(names)` may name tensors."""
    found, bases = [], first_bases()
    for path, tensors in groups:
        names = cleaned(tensors)
        names = unfold(names) if unfold else names
        used = set()
        at = roots(names, bases) or ['']
        for root in at[:64]:
            inside = {name[len(root):]: tensor for name, tensor in names.items()
                      if name.startswith(root)}
            if root and all(id(tensor) in used for tensor in inside.values()):
                continue
            match = best_match(inside, nets, resolve)
            if not match:
                continue
            outside = {name: tensor for name, tensor in names.items() if not name.startswith(root)}
            candidate = Candidate(path, root, match, outside)
            found.append(candidate)
            if candidate.is_sound():
                used.update(id(tensor) for tensor in match.tensors.values())
    for one in found:
        one.leave_to([other for other in found if other.group == one.group and other.is_sound()])
    return found


PLAIN_GROUPS = ('', 'state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network',
                'weights', 'params', 'state')
PLAIN_ROOTS = {'model', 'net', 'network', 'backbone', 'encoder_q', 'base_encoder', 'encoder',
               'online_encoder', 'online_network', 'resnet', 'vgg', 'base_model', 'trunk', 'body',
               'feature_extractor', '_feature_blocks', 'visual', 'cnn', 'roberta',
               'vit', 'deit'}
SECOND = re.compile(r'.*(ema|shadow|averaged?|swa|momentum|target)(_.*)?|encoder_k|attacker|'
                    r'key_encoder|best\w*')


def rank(candidate):
    """0 the network itself, 1 perhaps another, 2 a second copy: an average, a momentum encoder."""
    steps = [step for step in re.split('[./]', candidate.key) if step]
    if any(SECOND.fullmatch(step) for step in steps):
        return 2
    roots_ = [step for step in re.split('[./]', candidate.root) if step]
    group_steps = candidate.group.split('.')
    is_plain = all(step in PLAIN_ROOTS for step in roots_) and \
        all(step in PLAIN_GROUPS for step in group_steps)
    return 0 if is_plain else 1


def chosen_by_key(found, key):
    wanted = [part for part in re.split('[./]', key) if part and part not in WRAPPERS]
    for fits in (lambda steps: steps == wanted, lambda steps: steps[:len(wanted)] == wanted,
                 lambda steps: steps[-len(wanted):] == wanted):
        chosen = [one for one in found if fits([s for s in re.split('[./]', one.key) if s])]
        if chosen:
            return chosen
    there = listed(f"'{one.key}'" for one in found if one.key)
    raise Refused(f"has no network under '{key}'" + (f', only under {there}' if there else ''))


def only_one(found):
    """The network that is meant, or a sentence that names them."""
    best = min(map(rank, found))
    first = [one for one in found if rank(one) == best]
    groups = [one.group for one in first]
    if best == 0 and len(set(groups)) > 1:            # `state_dict` before `model`
        order = min(groups, key=lambda group: [PLAIN_GROUPS.index(s) for s in group.split('.')])
        first = [one for one in first if one.group == order]
    for other in first[1:]:
        if other.places() != first[0].places():
            names = listed(f"'{one.key}'" for one in first)
            raise Refused(f'holds {len(first)} networks, {names}; --key says which of them is '
                          'meant')
    return first[0]


def unknown(found, groups, wanted):
    """Why no candidate is a known network."""
    partly = [one for one in found if one.match.net.first in one.match.tensors]
    best = min(partly, key=lambda one: one.match.key()) if partly else None
    for _, tensors in groups:
        names = cleaned(tensors)
        if is_grouped_alexnet(names):
            return GROUPED_ALEXNET
        other = known_as(names, OTHER_NETWORKS)
        if other and not (best and best.match.net.heads):
            return HOLDS_ANOTHER.format(other)
        part = known_as(names, REPARAMETRISED)
        if part:
            return f'keeps {part}'
    first = best.match.tensors[best.match.net.first] if best else None
    if best and len(first.shape) == 4 and first.shape[1] != 3:
        return (f"has a first kernel '{first.name}' for pictures of {first.shape[1]} channels, "
                'expected 3 (red, green, blue)')
    if best and best.match.grouped:
        return (f'is nearest to {best.match.net.name}, but has convolutions in groups of channels, '
                'which that has not: ' + listed(best.match.grouped, 3))
    if best:
        return f'does not fit {best.match.net.name}: ' + '; '.join(best.match.misshapen[:8])
    tensors = max((tensors for _, tensors in groups), key=len)
    unread = [tensor for tensor in tensors if tensor.kind not in ELEMENT_BYTES and tensor.is_number]
    if unread:
        return (f"{plural(len(unread))} hold numbers that are not read ('{unread[0].name}': "
                f'{unread[0].kind}); save the network in float32')
    first = tensors[0].name if tensors else 'nothing'
    return (f"the tensors ('{first}', ...) are not those of {wanted or 'a known architecture'} "
            '(--list-architectures lists what they are called there)')


def check_same_network(candidate):
    """Refuses what would run as another network than the one that was trained."""
    match = candidate.match
    for norm in match.net.norms:
        there = [part for part in NORM_PARTS if f'{norm}.{part}' in match.tensors]
        lacking = [part for part in NORM_PARTS if part not in there]
        if there and lacking:
            what = 'norms without statistics (group, instance or batch-dependent norms)' \
                if 'running_var' in lacking else 'incomplete batch norms'
            raise Refused(f"has {what}: '{norm}' has {', '.join(there)} and no "
                          f"{', '.join(lacking)}; {match.net.name} with such norms is not "
                          'supported')
    strays = match.strays()
    if strays:
        what = known_as(strays, match.net.parts or PARTS_OF_OTHERS)
        other = known_as(strays, OTHER_NETWORKS)
        if other and not what and not match.net.heads:
            raise Refused(HOLDS_ANOTHER.format(other))
        raise Refused(f'is not {match.net.name}: {plural(len(strays))} would change layers that '
                      f"can be probed{f' ({what})' if what else ''}: {listed(strays)}; such a "
                      'network is not supported')
    before = [name for name in candidate.outside if comes_before(candidate.root, name)]
    if before:
        raise Refused(f"has tensors that stand before the network '{candidate.key}' and would "
                      f'change what it sees: {listed(before)}; such a network is not supported')
    dilated = [name for name, tensor in (*match.extra.items(), *candidate.outside.items())
               if is_segmenting(name, tensor)]
    if dilated:
        raise Refused(f'is a segmentation network ({listed(dilated, 3)}), whose {match.net.name} '
                      'has dilated convolutions, which are not supported')


BEFORE = re.compile(r'(stem|pre|pre_?process\w*|stn|input_\w+|patch\w*|adapter)[./]')
DILATED = re.compile(r'(classifier\.\d+\.convs|aux_classifier|decode_head|auxiliary_head)\.')


def is_segmenting(name, tensor):
    """A head of those whose trunks are dilated; the last is torchvision's FCN."""
    return DILATED.match(name) is not None or \
        name == 'classifier.0.weight' and tensor.shape[2:] == (3, 3)


def comes_before(root, name):
    """In a sequence (`1.` is the network, `0.` comes first), or by its name."""
    if is_statistic(name):
        return False
    steps, others = re.split('[./]', root), re.split('[./]', name)
    for step, other in zip(steps, others):
        if step != other:
            return step.isdigit() and other.isdigit() and int(other) < int(step) \
                or BEFORE.match(other + '.') is not None
    return False


def detect(groups, wanted=None, key=None, resolve=None, unfold=None):
    """(candidate, the other networks there are); refused when nothing fits or it is not clear."""
    nets = nets_named(wanted)
    everything = found = candidates(groups, nets, resolve, unfold)
    if key and found:
        found = chosen_by_key(found, key)
    sound = [one for one in found if one.is_sound()]
    if not sound:
        raise Refused(unknown(found, groups, wanted))
    chosen = only_one(sound)
    check_same_network(chosen)
    others = [one for one in everything if one.is_sound() and one.key != chosen.key]
    for other in others:                              # they are told of, their tensors are not
        if other.group == chosen.group:
            chosen.outside = {name: tensor for name, tensor in chosen.outside.items()
                              if not name.startswith(other.root) or not other.root}
    return chosen, [other for other in others if other.places() != chosen.places()]
