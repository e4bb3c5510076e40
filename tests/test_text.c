/* tests/test_text.c - text to token ids: cleaning, words, merges, sequences, published ids. */
#include "../text/text.h"
#include "../base/file.h"
#include "../format/json.h"
#include "../models/tokens.h"
#include "../text/clean.h"
#include "../text/split.h"
#include "../text/unicode.h"
#include "blob_builder.h"
#include "program.h"
#include "test.h"
#include "token_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SmallTables small;

/* ---- Unicode --------------------------------------------------------------------------------- */

static void classes_are_those_of_unicode_14(void)
{
    int         counts[4] = {0}, blanks = 0;
    const char *letters = "aZ\xC3\xA9\xCE\xA3\xD0\x96\xE4\xBD\xA0\xC7\x85\xC2\xAA";
    uint32_t    points[64];
    size_t      count = points_read(letters, strlen(letters), points);
    CHECK(count == 8);
    for (size_t i = 0; i < count; i++)
        CHECK(point_class(points[i]) == POINT_LETTER);
    CHECK(point_class('7') == POINT_NUMBER && point_class(0xB2) == POINT_NUMBER);
    CHECK(point_class(0x661) == POINT_NUMBER && point_class(0x2167) == POINT_NUMBER);
    CHECK(point_class(0x301) == POINT_OTHER && point_class(0x200B) == POINT_OTHER);
    CHECK(point_class(0x1F600) == POINT_OTHER && point_class('_') == POINT_OTHER);
    CHECK(point_class(0x3000) == POINT_SPACE && point_class(0x85) == POINT_SPACE);
    CHECK(point_class(0x1C) == POINT_OTHER && point_is_blank(0x1C) && !point_is_blank(0x200B));
    for (uint32_t point = 0; point < 0x110000; point++) {
        counts[point_class(point)]++;
        blanks += point_is_blank(point);
    }
    CHECK(counts[POINT_LETTER] == 131756 && counts[POINT_NUMBER] == 1791);
    CHECK(counts[POINT_SPACE] == 25 && blanks == 29);
}

static void utf8_goes_and_comes_back(void)
{
    uint8_t  bytes[4];
    uint32_t back[4];
    for (uint32_t point = 0; point < 0x110000; point++) {
        if (point >= 0xD800 && point <= 0xDFFF)
            continue;
        size_t length = point_write(point, bytes);
        if (points_read((const char *)bytes, length, back) != 1 || back[0] != point ||
            length != point_write(point, NULL)) {
            CHECK(false);
            return;
        }
    }
    static const char broken[] = "a\xC3\x28\xF0\x9F\x98z\xED\xA0\x80\xC0\xAF";
    static const int  wanted[] = {'a', 0xFFFD, '(',    0xFFFD, 0xFFFD, 0xFFFD,
                                  'z', 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD};
    uint32_t          points[sizeof broken];
    REQUIRE(points_read(broken, sizeof broken - 1, points) == 12);
    for (int i = 0; i < 12; i++)
        CHECK(points[i] == (uint32_t)wanted[i]);
}

// The text that CLIP makes of a text.
static const char *cleaned(const char *text)
{
    static char out[512];
    uint32_t    points[128], lower[256];
    size_t      count = points_read(text, strlen(text), points), used = 0;
    count = text_clean(points, count, lower);
    for (size_t i = 0; i < count; i++)
        used += point_write(lower[i], (uint8_t *)out + used);
    out[used] = 0;
    return out;
}

static void clip_makes_lower_case(void)
{
    CHECK_TEXT(cleaned("HELLO W\xC3\x96RLD"), "hello w\xC3\xB6rld");
    CHECK_TEXT(cleaned("\xC4\xB0"), "i\xCC\x87");                      // U+0130
    CHECK_TEXT(cleaned("\xC7\x85 \xE1\xBA\x9E"), "\xC7\x86 \xC3\x9F"); // U+01C5, U+1E9E
    CHECK_TEXT(cleaned("\xCE\x91\xCE\xA3"), "\xCE\xB1\xCF\x82");       // a final sigma
    CHECK_TEXT(cleaned("\xCE\xA3\xCE\x91"), "\xCF\x83\xCE\xB1");       // not a final one
    CHECK_TEXT(cleaned("\xCE\x91'\xCE\xA3'"), "\xCE\xB1'\xCF\x82'");   // seen through quotes
    CHECK_TEXT(cleaned("\xCE\x91\xCE\xA3'b"), "\xCE\xB1\xCF\x83'b");
    CHECK_TEXT(cleaned("\xCE\xA3"), "\xCF\x83");
    CHECK_TEXT(cleaned("\xF0\x90\x90\x80\xEF\xBC\xA1"), "\xF0\x90\x90\xA8\xEF\xBD\x81");
    CHECK_TEXT(cleaned("\xC8\xBA"), "\xE2\xB1\xA5"); // longer than before
}

static void clip_makes_one_space_of_white_space(void)
{
    CHECK_TEXT(cleaned("  a \t\n b\r\n\xE3\x80\x80\xC2\xA0"
                       "c \x1C"),
               "a b c");
    CHECK_TEXT(cleaned("a\x1C\x1F"
                       "b"),
               "a\x1C\x1F"
               "b");
    CHECK_TEXT(cleaned(" \n\xE2\x80\xA8 "), "");
    CHECK_TEXT(cleaned(""), "");
}

static void clip_resolves_entities_twice(void)
{
    static const char *const pairs[][2] = {
        {"&lt;b&gt; &amp; &quot;&apos;", "<b> & \"'"},
        {"&amp;lt;", "<"},
        {"&amp;amp;lt;", "&lt;"},
        {"&#65;&#x42;&#X43&#68", "abcd"},
        {"&eacute;&NotEqualTilde;", "\xC3\xA9\xE2\x89\x82\xCC\xB8"},
        {"&ampx &notit; &notin;", "&x \xC2\xACit; \xE2\x88\x89"},
        {"&unknown; & &; &# &#x &#xg;", "&unknown; & &; &# &#x &#xg;"},
        {"&#128;&#0;&#xD800;&#99999999999999999999;",
         "\xE2\x82\xAC\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a&#1;b&#xFFFE;c&#127;d&#11;e", "abcde"},
        {"&CounterClockwiseContourIntegral;", "\xE2\x88\xB3"},
        {"&CounterClockwiseContourIntegralx;", "&counterclockwisecontourintegralx;"},
        {"&lt\xC3\xA9;&gt", "<\xC3\xA9;>"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        CHECK_TEXT(cleaned(pairs[i][0]), pairs[i][1]);
    char     text[] = "&lt\0;";
    uint32_t points[8], lower[16];
    CHECK(text_clean(points, points_read(text, 5, points), lower) == 3 && lower[1] == 0);
}

/* ---- words ----------------------------------------------------------------------------------- */

// The words of a text with bars between them.
static const char *words(SplitRule *split, const char *text)
{
    static char out[512];
    uint32_t    points[128];
    size_t      count = points_read(text, strlen(text), points), used = 0, start = 0, end = 0;
    for (; split(points, count, &start, &end); start = end) {
        if (used)
            out[used++] = '|';
        for (size_t i = start; i < end; i++)
            used += point_write(points[i], (uint8_t *)out + used);
    }
    out[used] = 0;
    return out;
}

static void clip_cuts_words(void)
{
    CHECK_TEXT(words(split_clip, "a dog-like animal."), "a|dog|-|like|animal|.");
    CHECK_TEXT(words(split_clip, "it's we're i'm they've you'll he'd don't"),
               "it|'s|we|'re|i|'m|they|'ve|you|'ll|he|'d|don|'t");
    CHECK_TEXT(words(split_clip, "12 x34!? '' 's"), "1|2|x|3|4|!?|''|'s");
    CHECK_TEXT(words(split_clip, "a<|endoftext|><|startoftext|>b"),
               "a|<|endoftext|>|<|startoftext|>|b");
    CHECK_TEXT(words(split_clip, "!<|endoftext|>"), "!<||endoftext||>");
    CHECK_TEXT(words(split_clip, "o'\xC5\xBFt"), "o|'\xC5\xBF|t"); // a long s
    CHECK_TEXT(words(split_clip, "x\xCD\x85y"), "x|y");            // U+0345 is lost
    CHECK_TEXT(words(split_clip, " \n"), "");
}

static void gpt2_cuts_words_and_loses_nothing(void)
{
    CHECK_TEXT(words(split_gpt2, "a dog-like animal."), "a| dog|-|like| animal|.");
    CHECK_TEXT(words(split_gpt2, "it's IT'S 's"), "it|'s| IT|'|S| '|s");
    CHECK_TEXT(words(split_gpt2, "12 345x !? 7"), "12| 345|x| !?| 7");
    CHECK_TEXT(words(split_gpt2, "a   b"), "a|  | b");
    CHECK_TEXT(words(split_gpt2, "a\n\nb\tc \td"), "a|\n|\n|b|\t|c| |\t|d");
    CHECK_TEXT(words(split_gpt2, " a  "), " a|  ");
    CHECK_TEXT(words(split_gpt2, "x\xCD\x85 \xE3\x80\x80y"), "x|\xCD\x85| |\xE3\x80\x80|y");
}

/* ---- tokens ---------------------------------------------------------------------------------- */

// The tokens of a text with spaces between them, or the message of what went wrong.
static const char *tokens_of(TokenizerKind kind, const char *merges, const char *text, int64_t most,
                             LongText when_long)
{
    static char out[1024];
    Error       error     = {0};
    Tokenizer  *tokenizer = NULL;
    Tokens      tokens    = {0};
    size_t      used      = 0;
    small_tables(&small, kind, merges);
    if (!tokenizer_create(&tokenizer, kind, &small.tables, &error) ||
        !tokenizer_encode(tokenizer, text, strlen(text), most, when_long, &tokens, &error))
        snprintf(out, sizeof out, "%s", error.message);
    else
        out[0] = 0;
    for (int64_t i = 0; i < tokens.count; i++) {
        size_t      size  = 0;
        const char *token = small_token(&small, tokens.ids[i], &size);
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", i ? " " : "", (int)size,
                                 token ? token : "?");
    }
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
    return out;
}

static const char *clip_tokens(const char *merges, const char *text)
{
    return tokens_of(TOKENIZER_CLIP, merges, text, CLIP_TOKENS, LONG_TEXT_REFUSED);
}

static const char *gpt2_tokens(const char *merges, const char *text)
{
    return tokens_of(TOKENIZER_GPT2, merges, text, INT32_MAX, LONG_TEXT_REFUSED);
}

static void the_earliest_merge_comes_first(void)
{
    CHECK_TEXT(gpt2_tokens("b c\na b\n", "abc"), "a bc");
    CHECK_TEXT(gpt2_tokens("a b\nb c\n", "abc"), "ab c");
    CHECK_TEXT(gpt2_tokens("a b\nab c\nabc d\n", "abcd"), "abcd");
    CHECK_TEXT(gpt2_tokens("", "abc"), "a b c");
}

static void overlaps_are_joined_from_the_left(void)
{
    CHECK_TEXT(gpt2_tokens("a a\n", "aaaaa"), "aa aa a");
    CHECK_TEXT(gpt2_tokens("a a\naa aa\naa a\n", "aaaaaaa"), "aaaa aaa");
}

// All places of one merge go before a merge that it makes possible, even an earlier one.
static void one_merge_is_done_everywhere_first(void)
{
    CHECK_TEXT(gpt2_tokens("ab a\na b\n", "abab"), "ab ab");
    CHECK_TEXT(gpt2_tokens("ab ab\nab a\na b\n", "ababa"), "abab a");
}

static void clip_marks_the_end_of_a_word(void)
{
    static const char merges[] = "t h\nth e</w>\nh e</w>\n";
    CHECK_TEXT(clip_tokens(merges, "The he"), "<|startoftext|> the</w> he</w> <|endoftext|>");
    CHECK_TEXT(clip_tokens(merges, "then a"), "<|startoftext|> th e n</w> a</w> <|endoftext|>");
    CHECK_TEXT(clip_tokens(merges, "&eacute;"),
               "<|startoftext|> \xC3\x83 \xC2\xA9</w> <|endoftext|>");
    CHECK_TEXT(clip_tokens(merges, ""), "<|startoftext|> <|endoftext|>");
    CHECK_TEXT(clip_tokens(merges, "<|ENDOFTEXT|>"), "<|startoftext|> <|endoftext|> <|endoftext|>");
}

static void roberta_takes_the_text_as_it_is(void)
{
    static const char merges[] = "\xC4\xA0 a\nd o\n"; // a space and an a
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA, merges, "a a do", ROBERTA_TOKENS, LONG_TEXT_REFUSED),
               "<s> a \xC4\xA0"
               "a \xC4\xA0 do </s>");
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA_SLOW, merges, "a a", ROBERTA_TOKENS, LONG_TEXT_REFUSED),
               "<s> \xC4\xA0"
               "a \xC4\xA0"
               "a </s>");
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA_SLOW, merges, "\na", ROBERTA_TOKENS, LONG_TEXT_REFUSED),
               "<s> \xC4\x8A a </s>");
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA_SLOW, merges, "", ROBERTA_TOKENS, LONG_TEXT_REFUSED),
               "<s> </s>");
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA, merges, "<s>", ROBERTA_TOKENS, LONG_TEXT_REFUSED),
               "<s> < s > </s>");
    CHECK_TEXT(gpt2_tokens(merges, "\xFF"), "\xC3\xAF \xC2\xBF \xC2\xBD"); // U+FFFD
}

static void long_texts_are_refused_or_cut(void)
{
    CHECK_TEXT(tokens_of(TOKENIZER_CLIP, "", "abc", 5, LONG_TEXT_REFUSED),
               "<|startoftext|> a b c</w> <|endoftext|>");
    CHECK_TEXT(tokens_of(TOKENIZER_CLIP, "", "abc", 4, LONG_TEXT_REFUSED),
               "the text has 5 tokens, the limit is 4");
    CHECK_TEXT(tokens_of(TOKENIZER_CLIP, "", "abc", 4, LONG_TEXT_CUT),
               "<|startoftext|> a b <|endoftext|>");
    CHECK_TEXT(tokens_of(TOKENIZER_ROBERTA, "", "abc", 3, LONG_TEXT_CUT), "<s> a </s>");
    CHECK_TEXT(tokens_of(TOKENIZER_GPT2, "", "abc", 2, LONG_TEXT_CUT), "a b");
}

static void a_tokenizer_knows_its_ids(void)
{
    static const TokenizerKind kinds[]     = {TOKENIZER_CLIP, TOKENIZER_ROBERTA, TOKENIZER_GPT2};
    static const int32_t       wanted[][3] = {{516, 514, 515}, {260, 0, 1}, {260, -1, -1}};
    for (int i = 0; i < 3; i++) {
        Tokenizer *tokenizer = NULL;
        small_tables(&small, kinds[i], "a b\nab c\n");
        REQUIRE(tokenizer_create(&tokenizer, kinds[i], &small.tables, NULL));
        CHECK(tokenizer_id_count(tokenizer) == wanted[i][0]);
        CHECK(tokenizer_start_id(tokenizer) == wanted[i][1]);
        CHECK(tokenizer_end_id(tokenizer) == wanted[i][2]);
        tokenizer_free(tokenizer);
    }
    tokenizer_free(NULL);
}

/* ---- a blob ---------------------------------------------------------------------------------- */

static WeightBlob *saved(BlobBuilder *builder)
{
    WeightBlob *blob = NULL;
    CHECK(blob_builder_save(builder, in_folder("small.nw"), NULL));
    CHECK(blob_open(in_folder("small.nw"), &blob, NULL));
    return blob;
}

static void put_text(BlobBuilder *builder, const char *name, const char *text, size_t size)
{
    blob_builder_tensor(builder, name, BLOB_U8, shape_1d((int64_t)size), text);
}

// A blob without a part, or whose table of tokens has too few rows, is refused; a whole one is not.
static void a_blob_has_its_tokenizer(void)
{
    static const struct {
        bool        has_vocabulary, has_merges;
        int64_t     rows;
        const char *message;
    } cases[] = {
        {false, true, 516, "has no 'vocabulary'"},
        {true, false, 516, "has no 'merges'"},
        {true, true, 514, "'vocabulary' has 515 tokens, 'token_embedding.weight' has 514 rows"},
        {true, true, 515, NULL}};
    small_tables(&small, TOKENIZER_CLIP, "a b\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BlobBuilder *builder   = blob_builder_new("clip_vit", 32, 32);
        Tokenizer   *tokenizer = NULL;
        Error        error     = {0};
        if (cases[i].has_vocabulary)
            put_text(builder, "vocabulary", small.vocabulary, small.tables.vocabulary_bytes);
        if (cases[i].has_merges)
            put_text(builder, "merges", small.merges, small.tables.merges_bytes);
        blob_builder_constant(builder, "token_embedding.weight", shape_2d(cases[i].rows, 1), 1);
        WeightBlob *blob = saved(builder);
        blob_builder_free(builder);
        bool is_made = blob && blob_tokenizer(blob, TOKENIZER_CLIP, &tokenizer, &error);
        CHECK(is_made == !cases[i].message);
        if (cases[i].message)
            CHECK_REFUSED("vocabulary", &error, cases[i].message);
        tokenizer_free(tokenizer);
        blob_close(blob);
    }
}

static void numbers_are_no_vocabulary(void)
{
    BlobBuilder *builder   = blob_builder_new("roberta", 32, 32);
    Tokenizer   *tokenizer = NULL;
    Error        error     = {0};
    blob_builder_constant(builder, "vocabulary", shape_1d(4), 1);
    WeightBlob *blob = saved(builder);
    blob_builder_free(builder);
    CHECK(blob && !blob_tokenizer(blob, TOKENIZER_ROBERTA, &tokenizer, &error));
    CHECK_REFUSED("vocabulary", &error, "'vocabulary' has numbers, expected bytes");
    blob_close(blob);
}

/* ---- published vocabularies ------------------------------------------------------------------ */

// Published tables as the converter puts them into a blob.
static WeightBlob *published(const char *merges, const char *vocabulary)
{
    char        command[3 * LIMIT_PATH];
    WeightBlob *blob = NULL;
    snprintf(
        command, sizeof command,
        "python3 -c 'import sys; sys.path.insert(0, \"weights\"); sys.dont_write_bytecode = 1\n"
        "from vocabulary import vocabulary_tensors as read; from blob import write_blob\n"
        "about = b\"architecture=text\\n\"; path, merges, ids = sys.argv[1:]\n"
        "write_blob(path, read(merges, ids) + [(\"about\", (len(about),), \"u8\", "
        "lambda: [about])])' '%s' '%s' '%s'",
        in_folder("text.nw"), merges, vocabulary);
    if (system(command) != 0 || !blob_open(in_folder("text.nw"), &blob, NULL))
        return NULL;
    return blob;
}

// Whether a text has the ids of a list; CLIP's are listed without start and end.
static bool has_ids(const Tokenizer *tokenizer, const char *text, const Json *json,
                    const JsonNode *ids, int64_t around)
{
    Tokens tokens = {0};
    if (!tokenizer_encode(tokenizer, text, strlen(text), CLIP_TOKENS, LONG_TEXT_REFUSED, &tokens,
                          NULL))
        return false;
    bool is_same = tokens.count == ids->count + 2 * around;
    int  child   = ids->first;
    for (int64_t i = around; is_same && child >= 0; i++, child = json->nodes[child].next)
        is_same = tokens.ids[i] == (int32_t)strtol(json->nodes[child].text, NULL, 10);
    tokens_free(&tokens);
    return is_same;
}

// How many of the 100 strings have the ids of the reference; `excepted` are not asked.
static int same_as_reference(const Tokenizer *tokenizer, const char *key,
                             const char *const *excepted)
{
    Bytes bytes = {0};
    Json  json  = {0};
    int   same  = 0;
    if (!CHECK(file_read(test_data("reference/tokens.json"), LIMIT_TEXT_FILE, &bytes, NULL) &&
               json_read(bytes.data, bytes.size, "tokens.json", &json, NULL)))
        return -1;
    for (int row = json.nodes->first; row >= 0; row = json.nodes[row].next) {
        const char *text = json_member(&json, &json.nodes[row], "text")->text;
        bool        skip = false;
        for (int i = 0; excepted && excepted[i]; i++)
            skip |= !strcmp(excepted[i], text);
        if (skip)
            continue;
        if (has_ids(tokenizer, text, &json, json_member(&json, &json.nodes[row], key), !!excepted))
            same++;
        else
            printf("  %s: '%s'\n", key, text);
    }
    json_free(&json);
    bytes_close(&bytes);
    return same;
}

static void ids_are_those_of_the_published_tokenizers(void)
{
    // What ftfy changes first: it straightens quotes, composes accents, parts a digraph.
    static const char *const repaired[] = {"\xE2\x80\x99"
                                           "curly\xE2\x80\x99 \xE2\x80\x9Cquotes\xE2\x80\x9D",
                                           "e\xCC\x81 combining", "\xC7\x85", NULL};
    static const struct {
        const char   *merges, *vocabulary, *key;
        TokenizerKind kind;
        int           same;
    } cases[] = {
        {"text/clip/bpe_simple_vocab_16e6.txt.gz", "", "clip", TOKENIZER_CLIP, 97},
        {"text/roberta/merges.txt", "text/roberta/vocab.json", "roberta_fast", TOKENIZER_ROBERTA,
         100},
        {"text/roberta/merges.txt", "text/roberta/vocab.json", "roberta_slow",
         TOKENIZER_ROBERTA_SLOW, 100},
        {"text/gpt2/vocab.bpe", "text/gpt2/encoder.json", "gpt2", TOKENIZER_GPT2, 100},
    };
    WeightBlob *blob = NULL;
    if (!test_data("reference/tokens.json") || system("command -v python3 >/dev/null 2>&1") != 0)
        SKIP("no published vocabularies, or no python3");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *ids = cases[i].vocabulary[0] ? test_data(cases[i].vocabulary) : "";
        if (cases[i].kind != TOKENIZER_ROBERTA_SLOW) {
            blob_close(blob); // of the case before
            blob = published(test_data(cases[i].merges), ids);
        }
        Tokenizer *tokenizer = NULL;
        REQUIRE(blob && blob_tokenizer(blob, cases[i].kind, &tokenizer, NULL));
        CHECK(same_as_reference(tokenizer, cases[i].key,
                                cases[i].kind == TOKENIZER_CLIP ? repaired : NULL) ==
              cases[i].same);
        tokenizer_free(tokenizer);
    }
    blob_close(blob);
}

SUITE(text)
{
    RUN(classes_are_those_of_unicode_14);
    RUN(utf8_goes_and_comes_back);
    RUN(clip_makes_lower_case);
    RUN(clip_makes_one_space_of_white_space);
    RUN(clip_resolves_entities_twice);
    RUN(clip_cuts_words);
    RUN(gpt2_cuts_words_and_loses_nothing);
    RUN(the_earliest_merge_comes_first);
    RUN(overlaps_are_joined_from_the_left);
    RUN(one_merge_is_done_everywhere_first);
    RUN(clip_marks_the_end_of_a_word);
    RUN(roberta_takes_the_text_as_it_is);
    RUN(long_texts_are_refused_or_cut);
    RUN(a_tokenizer_knows_its_ids);
    RUN(a_blob_has_its_tokenizer);
    RUN(numbers_are_no_vocabulary);
    RUN(ids_are_those_of_the_published_tokenizers);
}
