/* nem/milan/decode.c - see decode.h. */
#include "decode.h"

#include <string.h>

typedef struct Candidate {
    double  score;
    int64_t row; // the sentence it goes on
    int32_t word;
} Candidate;

struct Decoder {
    Captioner   captioner;
    WordList   *words;
    DecodeRules rules;
    Sentences   sentences;
    int32_t     start, stop;
    int32_t    *tokens, *grown; // [rows]; [rows, length]
    real       *h, *c, *moved;  // [rows, hidden]; room for either, or for a language model's
    real       *heard;          // states of the language model
    double     *language;       // [rows]
    double     *row_score;      // [words] of one row
    Candidate  *best;           // [rows]
};

/* ---- settings -------------------------------------------------------------------------------- */

bool decode_rules(DecodeRules *out, const WeightBlob *blob, int64_t beam, Error *error)
{
    static const char *const names[] = {"rerank", "beam", "greedy"};
    const char              *name    = blob_about(blob, "strategy");
    double                   length = 15, temperature = 0.2, width = 50;
    int                      strategy = 0;
    while (name && strategy < 3 && strcmp(names[strategy], name) != 0)
        strategy++;
    if (strategy == 3)
        return fail(error, ERROR_DATA,
                    "%s: 'about' has strategy=%.64s, expected rerank, beam or greedy",
                    blob_path(blob), name);
    if (!blob_number(blob, "length", 1, DECODE_MOST_WORDS, &length, error) ||
        !blob_number(blob, "temperature", 0, 100, &temperature, error) ||
        !blob_number(blob, "beam_size", 1, DECODE_MOST_BEAM, &width, error))
        return false;
    if (beam < 0 || beam > DECODE_MOST_BEAM)
        return fail(error, ERROR_USAGE, "a beam of %lld sentences, expected 1 to %d",
                    (long long)beam, DECODE_MOST_BEAM);
    *out = (DecodeRules){.strategy    = (DecodeStrategy)strategy,
                         .beam        = beam ? beam : (int64_t)width,
                         .length      = (int)length,
                         .temperature = temperature};
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool open_words(Decoder *self, const WeightBlob *blob, Error *error)
{
    const BlobTensor *words = blob_lookup(blob, "words");
    if (!words || words->type != BLOB_U8)
        return fail(error, ERROR_DATA, "%s: has no list of words ('words')", blob_path(blob));
    if (!word_list_open(&self->words, words->data, words->bytes, blob_path(blob), error))
        return false;
    self->start   = word_list_special(self->words, WORD_START);
    self->stop    = word_list_special(self->words, WORD_STOP);
    int64_t count = word_list_count(self->words) + (int64_t)SPECIAL_WORDS;
    if (count != self->captioner.words)
        return fail(error, ERROR_DATA,
                    "%s: lists %lld words, special ones included, its tables have %lld rows",
                    blob_path(blob), (long long)count, (long long)self->captioner.words);
    return count >= self->captioner.rows ||
           fail(error, ERROR_DATA, "%s: has %lld words, fewer than the %lld sentences of a beam",
                blob_path(blob), (long long)count, (long long)self->captioner.rows);
}

static bool open_room(Decoder *self, Error *error)
{
    const Captioner *captioner = &self->captioner;
    size_t           rows = (size_t)captioner->rows, length = (size_t)self->rules.length;
    size_t           hidden = (size_t)captioner->hidden, heard = (size_t)captioner->language_hidden;
    size_t           widest = hidden > heard ? hidden : heard;
    size_t           layers = (size_t)captioner->language_layers;
    self->sentences.length  = self->rules.length;
    self->sentences.tokens  = memory_new(rows * length, sizeof(int32_t), error);
    self->sentences.score   = memory_new(rows, sizeof(double), error);
    self->tokens            = memory_new(rows, sizeof *self->tokens, error);
    self->grown             = memory_new(rows * length, sizeof *self->grown, error);
    self->h                 = memory_new(rows * hidden, sizeof(real), error);
    self->c                 = memory_new(rows * hidden, sizeof(real), error);
    self->moved             = memory_new(rows * widest, sizeof(real), error);
    self->heard             = memory_new(2 * layers * rows * heard, sizeof(real), error);
    self->language          = memory_new(rows, sizeof *self->language, error);
    self->row_score         = memory_new((size_t)captioner->words, sizeof *self->row_score, error);
    self->best              = memory_new(rows, sizeof *self->best, error);
    return self->sentences.tokens && self->sentences.score && self->tokens && self->grown &&
           self->h && self->c && self->moved && self->heard && self->language && self->row_score &&
           self->best;
}

bool decoder_open(Decoder **out, WeightBlob *blob, const DecodeRules *rules, int64_t images,
                  Error *error)
{
    Decoder *self = memory_new(1, sizeof *self, error);
    if (!self)
        return false;
    self->rules  = *rules;
    int64_t rows = rules->strategy == DECODE_GREEDY ? 1 : rules->beam;
    if (!captioner_open(&self->captioner, blob, rows, images, error) ||
        !open_words(self, blob, error) || !open_room(self, error)) {
        decoder_close(self);
        return false;
    }
    *out = self;
    return true;
}

void decoder_close(Decoder *decoder)
{
    if (!decoder)
        return;
    captioner_close(&decoder->captioner);
    word_list_close(decoder->words);
    memory_free(decoder->sentences.tokens);
    memory_free(decoder->sentences.score);
    memory_free(decoder->tokens);
    memory_free(decoder->grown);
    memory_free(decoder->h);
    memory_free(decoder->c);
    memory_free(decoder->moved);
    memory_free(decoder->heard);
    memory_free(decoder->language);
    memory_free(decoder->row_score);
    memory_free(decoder->best);
    memory_free(decoder);
}

int64_t decoder_features(const Decoder *decoder)
{
    return decoder->captioner.features;
}

/* ---- one step -------------------------------------------------------------------------------- */

static void set_all(int32_t *tokens, int64_t count, int32_t token)
{
    for (int64_t i = 0; i < count; i++)
        tokens[i] = token;
}

// Before the first word: every row in the same state.
static void begin(Decoder *self, const real *features)
{
    const Captioner *captioner = &self->captioner;
    size_t           hidden = (size_t)captioner->hidden, rows = (size_t)captioner->rows;
    captioner_look(&self->captioner, features, self->h, self->c);
    for (size_t row = 1; row < rows; row++) {
        memcpy(self->h + row * hidden, self->h, hidden * sizeof(real));
        memcpy(self->c + row * hidden, self->c, hidden * sizeof(real));
    }
    memset(self->heard, 0,
           2 * (size_t)captioner->language_layers * rows * (size_t)captioner->language_hidden *
               sizeof(real));
    set_all(self->tokens, captioner->rows, self->start);
}

typedef struct StepScores {
    const real *seen, *heard; // log p [rows, words]; heard NULL without a temperature
} StepScores;

// The decoder, and with a temperature the language model, read self->tokens.
static StepScores step(Decoder *self, double temperature)
{
    const real *seen = captioner_step(&self->captioner, self->tokens, self->h, self->c);
    return (StepScores){seen, temperature != 0
                                  ? captioner_language(&self->captioner, self->tokens, self->heard)
                                  : NULL};
}

// What each word adds to the score of a row: [words] in self->row_score.
static const double *row_scores(Decoder *self, StepScores scores, double temperature, int64_t row)
{
    int64_t     words = self->captioner.words;
    const real *seen  = scores.seen + row * words;
    const real *heard = scores.heard ? scores.heard + row * words : NULL;
    for (int64_t word = 0; word < words; word++)
        self->row_score[word] =
            (double)seen[word] - (heard ? temperature * (double)heard[word] : 0);
    return self->row_score;
}

/* ---- beam search (N8) ------------------------------------------------------------------------ */

// Puts a candidate where it belongs among the best, behind equal ones. False: it is not one.
static bool place(Candidate *best, int64_t room, int64_t *count, Candidate candidate)
{
    int64_t at = *count;
    if (at == room) {
        if (!(candidate.score > best[room - 1].score))
            return false;
        at--;
    } else {
        ++*count;
    }
    for (; at > 0 && candidate.score > best[at - 1].score; at--)
        best[at] = best[at - 1];
    best[at] = candidate;
    return true;
}

// Every word may follow: the best `rows` sentences of all. A sentence that has ended stays as it
// is.
static void choose(Decoder *self, StepScores scores, double temperature, int64_t live)
{
    int64_t rows = self->captioner.rows, count = 0;
    for (int64_t row = 0; row < live; row++) {
        double so_far = self->sentences.score[row];
        if (self->tokens[row] == self->stop) {
            place(self->best, rows, &count, (Candidate){so_far, row, self->stop});
            continue;
        }
        const double *score = row_scores(self, scores, temperature, row);
        for (int32_t word = 0; word < self->captioner.words; word++)
            if (count < rows || so_far + score[word] > self->best[rows - 1].score)
                place(self->best, rows, &count, (Candidate){so_far + score[word], row, word});
    }
}

static void move_rows(Decoder *self, real *states, int64_t hidden)
{
    size_t size = (size_t)hidden * sizeof *states, rows = (size_t)self->captioner.rows;
    for (size_t row = 0; row < rows; row++)
        memcpy(self->moved + row * (size_t)hidden,
               states + (size_t)self->best[row].row * (size_t)hidden, size);
    memcpy(states, self->moved, rows * size);
}

// The chosen sentences take the places of those they go on.
static void follow(Decoder *self, int at, bool has_language)
{
    const Captioner *captioner = &self->captioner;
    int              length    = self->rules.length;
    int64_t          block     = captioner->rows * captioner->language_hidden;
    for (int64_t row = 0; row < captioner->rows; row++) {
        Candidate chosen = self->best[row];
        int32_t  *to     = self->grown + row * length;
        memcpy(to, self->sentences.tokens + chosen.row * length, (size_t)at * sizeof *to);
        to[at]                     = chosen.word;
        self->tokens[row]          = chosen.word;
        self->sentences.score[row] = chosen.score;
    }
    memcpy(self->sentences.tokens, self->grown,
           (size_t)(captioner->rows * length) * sizeof *self->grown);
    move_rows(self, self->h, captioner->hidden);
    move_rows(self, self->c, captioner->hidden);
    for (int i = 0; has_language && i < 2 * captioner->language_layers; i++)
        move_rows(self, self->heard + i * block, captioner->language_hidden);
}

static bool all_ended(const Decoder *self)
{
    for (int64_t row = 0; row < self->captioner.rows; row++)
        if (self->tokens[row] != self->stop)
            return false;
    return true;
}

const Sentences *decoder_beam(Decoder *decoder, const real *features, double temperature)
{
    Sentences *sentences = &decoder->sentences;
    int        length    = decoder->rules.length;
    sentences->count     = decoder->captioner.rows;
    set_all(sentences->tokens, sentences->count * length, decoder->stop);
    set_all(decoder->grown, sentences->count * length, decoder->stop);
    begin(decoder, features);
    sentences->score[0] = 0;
    for (int at = 0; at < length && (at == 0 || !all_ended(decoder)); at++) {
        choose(decoder, step(decoder, temperature), temperature, at ? sentences->count : 1);
        follow(decoder, at, temperature != 0);
    }
    return sentences;
}

/* ---- greedy ---------------------------------------------------------------------------------- */

const Sentences *decoder_greedy(Decoder *decoder, const real *features, double temperature)
{
    Sentences *sentences = &decoder->sentences;
    sentences->count     = 1;
    sentences->score[0]  = 0;
    begin(decoder, features);
    for (int at = 0; at < decoder->rules.length; at++) {
        const double *score = row_scores(decoder, step(decoder, temperature), temperature, 0);
        int32_t       word  = 0;
        for (int32_t i = 1; i < decoder->captioner.words; i++)
            word = score[i] > score[word] ? i : word;
        sentences->tokens[at] = word;
        sentences->score[0] += score[word];
        set_all(decoder->tokens, decoder->captioner.rows, word);
    }
    return sentences;
}

/* ---- rerank (N9) ----------------------------------------------------------------------------- */

// How many words of a sentence the language model scores.
static int words_scored(const Decoder *self, const int32_t *tokens, int length, bool extra_stop)
{
    int count = 0;
    while (count < length && tokens[count] != self->stop)
        count++;
    count += 1 + extra_stop;
    return count < length ? count : length;
}

void decoder_language(Decoder *decoder, const Sentences *sentences, bool extra_stop, double *out)
{
    Captioner *captioner = &decoder->captioner;
    int        length = sentences->length, most = 0;
    int        scored[DECODE_MOST_BEAM] = {0};
    memset(decoder->heard, 0,
           2 * (size_t)captioner->language_layers * (size_t)captioner->rows *
               (size_t)captioner->language_hidden * sizeof(real));
    set_all(decoder->tokens, captioner->rows, decoder->start);
    for (int64_t row = 0; row < sentences->count; row++) {
        out[row]    = 0;
        scored[row] = words_scored(decoder, sentences->tokens + row * length, length, extra_stop);
        most        = scored[row] > most ? scored[row] : most;
    }
    for (int at = 0; at < most; at++) {
        const real *log_p = captioner_language(captioner, decoder->tokens, decoder->heard);
        for (int64_t row = 0; row < sentences->count; row++) {
            int32_t word = sentences->tokens[row * length + at];
            if (at < scored[row])
                out[row] += (double)log_p[row * captioner->words + word];
            decoder->tokens[row] = word;
        }
    }
}

/* ---- a caption ------------------------------------------------------------------------------- */

bool decoder_caption(Decoder *decoder, const real *features, char **text, double *score,
                     Error *error)
{
    const DecodeRules *rules    = &decoder->rules;
    int64_t            best     = 0;
    double             stepwise = rules->strategy == DECODE_RERANK ? 0 : rules->temperature;
    const Sentences   *found    = rules->strategy == DECODE_GREEDY
                                      ? decoder_greedy(decoder, features, stepwise)
                                      : decoder_beam(decoder, features, stepwise);
    *score                      = found->score[0];
    if (rules->strategy == DECODE_RERANK) {
        decoder_language(decoder, found, rules->extra_stop, decoder->language);
        for (int64_t row = 0; row < found->count; row++) {
            double information = found->score[row] - rules->temperature * decoder->language[row];
            if (row == 0 || information > *score) {
                best   = row;
                *score = information;
            }
        }
    }
    return word_list_text(decoder->words, found->tokens + best * found->length, found->length, text,
                          error);
}
