"""One step of the trainings of the pair of towers and of the captioner in PyTorch, in float64: the
other half of test_towers_torch.c.

    towers_torch.py contrastive|caption FOLDER UNITS

FOLDER holds start.nw, end.nw with the velocities after one step, and of UNITS images or units
`tokens` (int32 [units, row]: start, words, end, zeros); for the pair `images` (bytes [units, 3, 64,
64]) and `truth` (bytes [units, units]: caption j is true of image i), for the captioner `features`
(float32 [units, 15, features]). Prints the loss and the relative distance of all gradients
together."""

import os
import sys

import numpy as np
import torch
from torch.nn import functional as F

from objective_torch import together
from training_torch import read_blob

TEXT_HEADS, TEMPERATURE, EXEMPLARS = 4, 0.07, 15
MEAN, STD = 0.5, 0.25  # of the mini world's pixels


def clip_images(w, x):
    places = ((0, 2), (5, 7), (10, 12), (15, 17))
    for stage, convolutions in enumerate(places):
        x = F.max_pool2d(x, 2) if stage else x
        for place in convolutions:
            base = f'features.{place}'
            x = F.relu(F.conv2d(x, w[base + '.weight'], w[base + '.bias'], padding=1))
    return x.mean((2, 3)) @ w['image_projection']


def clip_texts(w, tokens):
    def norm(x, base):
        return F.layer_norm(x, x.shape[-1:], w[base + '.weight'], w[base + '.bias'])

    def dense(x, base, joint='.'):
        return F.linear(x, w[f'{base}{joint}weight'], w[f'{base}{joint}bias'])

    row = tokens.shape[1]
    x = w['token_embedding.weight'][tokens] + w['positional_embedding'][:row]
    later = torch.full((row, row), -np.inf, dtype=x.dtype).triu(1)
    block = 0
    while f'transformer.resblocks.{block}.ln_1.weight' in w:
        base = f'transformer.resblocks.{block}.'
        packed = dense(norm(x, base + 'ln_1'), base + 'attn.in_proj', '_')
        q, k, v = (part.unflatten(2, (TEXT_HEADS, -1)).transpose(1, 2)
                   for part in packed.chunk(3, 2))
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + later
        x = x + dense((scores.softmax(3) @ v).transpose(1, 2).flatten(2), base + 'attn.out_proj')
        y = dense(norm(x, base + 'ln_2'), base + 'mlp.c_fc')
        x = x + dense(y * torch.sigmoid(1.702 * y), base + 'mlp.c_proj')
        block += 1
    ends = x[torch.arange(len(x)), tokens.argmax(1)]
    return norm(ends, 'ln_final') @ w['text_projection']


def contrastive(w, numbers, tokens):
    """An image is near the captions that are true of it, and a caption near its images."""
    units = len(tokens)
    x = (numbers('images', np.uint8, units, 3, 64, 64).double() / 255 - MEAN) / STD
    truth = numbers('truth', np.uint8, units, units).double()
    images, texts = F.normalize(clip_images(w, x)), F.normalize(clip_texts(w, tokens))
    scores = images @ texts.T / TEMPERATURE
    halves = [(F.log_softmax(s, 1) * t / t.sum(1, keepdim=True)).sum(1).mean()
              for s, t in ((scores, truth), (scores.T, truth.T))]
    return -sum(halves) / 2


def lstm(w, base, end, x, h, c):
    gates = (F.linear(x, w[f'{base}.weight_ih{end}'], w[f'{base}.bias_ih{end}']) +
             F.linear(h, w[f'{base}.weight_hh{end}'], w[f'{base}.bias_hh{end}']))
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def caption(w, numbers, tokens):
    """Mean cross-entropies of the next word, by the decoder and by the language model; a sentence
    ends with its stop."""
    def dense(x, base):
        return F.linear(x, w[base + '.weight'], w[base + '.bias'])

    units, start, stop = len(tokens), len(w['embedding.weight']) - 4, len(w['embedding.weight']) - 3
    features = numbers('features', np.float32, units, EXEMPLARS, -1).double()
    # Ids of a captioner: a row of the pair's tokens without its start, in which the largest ends.
    words = tokens[:, 1:].clone()
    ends = words.argmax(1)
    words[torch.arange(units), ends] = stop
    counts = torch.arange(words.shape[1]) <= ends[:, None]
    pooled = features.mean(1)
    h, c = dense(pooled, 'init_h.0').tanh(), dense(pooled, 'init_c.0').tanh()
    zero = torch.zeros(units, w['lm.lstm.weight_hh_l0'].shape[1], dtype=torch.float64)
    heard, total, last = [(zero, zero), (zero, zero)], 0, torch.full((units,), start)
    for step in range(words.shape[1]):
        key = dense(features, 'attend.key_to_hidden')
        query = dense(h, 'attend.query_to_hidden')[:, None]
        attention = dense((key + query).tanh(), 'attend.output.0')[..., 0].softmax(1)
        seen = (attention[:, None] @ features)[:, 0] * dense(h, 'feature_gate.0').sigmoid()
        h, c = lstm(w, 'lstm', '', torch.cat([w['embedding.weight'][last], seen], 1), h, c)
        x = w['lm.embedding.weight'][last]
        for layer in range(2):
            heard[layer] = lstm(w, 'lm.lstm', f'_l{layer}', x, *heard[layer])
            x = heard[layer][0]
        last = words[:, step]
        for logits in (dense(h, 'output.1'), dense(x, 'lm.output.0')):
            losses = F.cross_entropy(logits, last, reduction='none')
            total = total + (losses * counts[:, step]).sum()
    return total / counts.sum()


def main(objective, folder, units):
    def numbers(name, kind, *shape):
        return torch.tensor(np.fromfile(os.path.join(folder, name), kind)).reshape(shape)

    velocities = {name[len('state.first.'):]: tensor.double() for name, tensor in
                  read_blob(os.path.join(folder, 'end.nw')).items()
                  if name.startswith('state.first.')}
    w = {name: tensor.double().requires_grad_(name in velocities) for name, tensor in
         read_blob(os.path.join(folder, 'start.nw')).items()}
    tokens = numbers('tokens', np.int32, int(units), -1).long()
    loss = {'contrastive': contrastive, 'caption': caption}[objective](w, numbers, tokens)
    loss.backward()
    print('%.12g' % loss.item(), together(velocities, {name: w[name].grad for name in velocities}))


main(*sys.argv[1:])
