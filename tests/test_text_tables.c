/* tests/test_text_tables.c - the joining of tokens beside the published algorithm, and every table
 * and text that a stranger could hand in. */
#include "test.h"
#include "token_tables.h"

#include <stdio.h>
#include <string.h>

static SmallTables small;

/* ---- the published algorithm, slowly --------------------------------------------------------- */

enum { WORD = 40, RULES = 24, PART = 16 };

typedef struct Rule {
    char left[PART], right[PART];
} Rule;

// Joins by texts: the best pair of all, everywhere, from the left, until there is none.
static void join_slowly(const Rule *rules, int rule_count, const char *word, char *out, size_t room)
{
    char parts[WORD][2 * PART];
    int  count = (int)strlen(word), used = 0;
    for (int i = 0; i < count; i++)
        snprintf(parts[i], sizeof parts[i], "%c", word[i]);
    for (int rule = 0; rule < rule_count;) {
        const char *left = rules[rule].left, *right = rules[rule].right;
        int         kept = 0;
        for (int i = 0; i < count; i++, kept++) {
            bool is_pair = i + 1 < count && !strcmp(parts[i], left) && !strcmp(parts[i + 1], right);
            memmove(parts[kept], parts[i], sizeof parts[i]);
            if (is_pair)
                snprintf(parts[kept], sizeof parts[kept], "%s%s", left, right);
            i += is_pair;
        }
        rule  = kept < count ? 0 : rule + 1; // from the best on, once more
        count = kept;
    }
    for (int i = 0; i < count; i++)
        used += snprintf(out + used, room - (size_t)used, "%s%s", i ? " " : "", parts[i]);
}

// Rules whose parts are letters or what any rule makes, earlier or later.
static int draw_rules(Random *random, Rule *rules, char *text, size_t room)
{
    int    count = 0;
    size_t used  = 0;
    text[0]      = 0;
    while (count < RULES) {
        Rule drawn = {{0}, {0}};
        for (int side = 0; side < 2; side++) {
            char *part = side ? drawn.right : drawn.left;
            int   from = (int)random_below(random, (uint32_t)count + 3);
            if (from < 3)
                snprintf(part, PART, "%c", 'a' + from);
            else
                snprintf(part, PART, "%.7s%.7s", rules[from - 3].left, rules[from - 3].right);
        }
        bool is_new = strlen(drawn.left) + strlen(drawn.right) < PART / 2;
        for (int i = 0; i < count; i++)
            if (!strcmp(rules[i].left, drawn.left) && !strcmp(rules[i].right, drawn.right))
                is_new = false;
        if (is_new)
            rules[count++] = drawn;
        else if (random_below(random, 8) == 0)
            break;
    }
    for (int i = count - 1; i > 0; i--) { // in any order: a part may come after its use
        int  other   = (int)random_below(random, (uint32_t)i + 1);
        Rule kept    = rules[i];
        rules[i]     = rules[other];
        rules[other] = kept;
    }
    for (int i = 0; i < count; i++)
        used +=
            (size_t)snprintf(text + used, room - used, "%s %s\n", rules[i].left, rules[i].right);
    return count;
}

// The tokens that GPT-2's tokenizer makes of a word, with spaces between them.
static void join_quickly(const Tokenizer *tokenizer, const char *word, char *out, size_t room)
{
    Tokens tokens = {0};
    size_t used   = 0;
    out[0]        = 0;
    if (!CHECK(tokenizer_encode(tokenizer, word, strlen(word), INT32_MAX, LONG_TEXT_REFUSED,
                                &tokens, NULL)))
        return;
    for (int64_t i = 0; i < tokens.count; i++) {
        size_t      size  = 0;
        const char *token = small_token(&small, tokens.ids[i], &size);
        used += (size_t)snprintf(out + used, room - used, "%s%.*s", i ? " " : "", (int)size, token);
    }
    tokens_free(&tokens);
}

static void joining_is_the_published_algorithm(void)
{
    Random random = random_stream(test_seed(), "merges");
    Rule   rules[RULES];
    char   text[RULES * 2 * PART], word[WORD + 1], wanted[2 * WORD + 1], found[2 * WORD + 1];
    for (int round = 0; round < 100; round++) {
        Tokenizer *tokenizer = NULL;
        int        count     = draw_rules(&random, rules, text, sizeof text);
        small_tables(&small, TOKENIZER_GPT2, text);
        REQUIRE(tokenizer_create(&tokenizer, TOKENIZER_GPT2, &small.tables, NULL));
        for (int i = 0; i < 20; i++) {
            int length = 1 + (int)random_below(&random, WORD - 1);
            for (int k = 0; k < length; k++)
                word[k] = (char)('a' + random_below(&random, 3));
            word[length] = 0;
            join_slowly(rules, count, word, wanted, sizeof wanted);
            join_quickly(tokenizer, word, found, sizeof found);
            if (!CHECK_TEXT(found, wanted)) {
                printf("  merges:\n%s", text);
                break;
            }
        }
        tokenizer_free(tokenizer);
    }
}

/* ---- hostile tables -------------------------------------------------------------------------- */

// `tables` is refused with a message that holds `message`, and nothing is left.
static void refused(const char *format, TokenizerKind kind, const char *message)
{
    Error      error     = {0};
    Tokenizer *tokenizer = NULL;
    int64_t    blocks    = memory_live_blocks();
    CHECK(!tokenizer_create(&tokenizer, kind, &small.tables, &error) && !tokenizer);
    CHECK_REFUSED(format, &error, message);
    CHECK(memory_live_blocks() == blocks);
}

static void append(const char *text)
{
    memcpy(small.vocabulary + small.tables.vocabulary_bytes, text, strlen(text));
    small.tables.vocabulary_bytes += strlen(text);
}

static void hostile_vocabularies_are_refused(void)
{
    static char long_line[LIMIT_TOKEN_BYTES + 3];
    memset(long_line, 'x', sizeof long_line - 2);
    long_line[sizeof long_line - 2] = '\n';
    const char *const cases[][2]    = {
           {"x", "small.nw: the last line of 'vocabulary' has no end"},
           {"\n", "line 259 of 'vocabulary' is empty"},
           {"x y\n", "line 259 of 'vocabulary' holds a space"},
           {"x\ty\n", "line 259 of 'vocabulary' holds a control character"},
           {"x\x7F\n", "line 259 of 'vocabulary' holds a control character"},
           {"xyz\nxyz\n", "lines 259 and 260 of 'vocabulary' are the same token"},
           {"a\n", "lines 67 and 259 of 'vocabulary' are the same token"},
           {long_line, "line 259 of 'vocabulary' has a token of 1025 bytes, the limit is 1024"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_tables(&small, TOKENIZER_GPT2, "");
        append(cases[i][0]);
        refused("vocabulary", TOKENIZER_GPT2, cases[i][1]);
    }
    small_tables(&small, TOKENIZER_GPT2, "");
    refused("vocabulary", TOKENIZER_CLIP, "no token for byte 0x00 at the end of a word");
    small.vocabulary[strlen("<s>\n</s>\n")] = '\xFF'; // where the exclamation mark was
    refused("vocabulary", TOKENIZER_GPT2, "'vocabulary' has no token for byte 0x21");
    small.tables.vocabulary_bytes = 0;
    refused("vocabulary", TOKENIZER_GPT2, "'vocabulary' has no token for byte 0x00");
    small.tables.vocabulary_bytes = (size_t)LIMIT_TABLE_BYTES + 1;
    refused("vocabulary", TOKENIZER_GPT2, "'vocabulary' has 67108865 bytes, the limit is 67108864");
    small_tables(&small, TOKENIZER_CLIP, "");
    small.tables.vocabulary_bytes -= strlen("<|endoftext|>\n");
    refused("vocabulary", TOKENIZER_CLIP, "'vocabulary' has no token '<|endoftext|>'");
    refused("vocabulary", TOKENIZER_ROBERTA, "'vocabulary' has no token '<s>'");
}

static void too_many_tokens_are_refused(void)
{
    size_t size = 2 * ((size_t)LIMIT_TABLE_LINES + 1);
    char  *text = memory_new(size, 1, NULL);
    REQUIRE(text);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? '\n' : 'x';
    small_tables(&small, TOKENIZER_GPT2, "");
    small.tables.vocabulary       = text;
    small.tables.vocabulary_bytes = size;
    refused("vocabulary", TOKENIZER_GPT2, "'vocabulary' has more than 1048576 lines");
    memory_free(text);
}

static void hostile_merges_are_refused(void)
{
    static char long_line[LIMIT_TOKEN_BYTES + 6];
    memset(long_line, 'x', sizeof long_line);
    memcpy(long_line + sizeof long_line - 4, " x\n", 4);
    const char *const cases[][2] = {
        {"a b", "small.nw: the last line of 'merges' has no end"},
        {"a b\n\n", "line 2 of 'merges' has no space, expected two tokens"},
        {"ab\n", "line 1 of 'merges' has no space, expected two tokens"},
        {"a b c\n", "line 1 of 'merges' has more than one space, expected two tokens"},
        {"a  b\n", "line 1 of 'merges' has more than one space, expected two tokens"},
        {" b\n", "line 1 of 'merges' begins with what is no token of 'vocabulary'"},
        {"xy b\n", "line 1 of 'merges' begins with what is no token of 'vocabulary'"},
        {"a \n", "line 1 of 'merges' ends with what is no token of 'vocabulary'"},
        {"a xy\n", "line 1 of 'merges' ends with what is no token of 'vocabulary'"},
        {"a c\n", "line 1 of 'merges' makes what is no token of 'vocabulary'"},
        {"a b\na\tb\n", "line 2 of 'merges' holds a control character"},
        {"a b\nb a\na b\n", "lines 1 and 3 of 'merges' join the same two"},
        {long_line, "line 1 of 'merges' has a token of 1026 bytes, the limit is 1024"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_tables(&small, TOKENIZER_GPT2, "a b\nb a\n");
        small.tables.merges       = cases[i][0];
        small.tables.merges_bytes = strlen(cases[i][0]);
        refused("merges", TOKENIZER_GPT2, cases[i][1]);
    }
    small.tables.merges_bytes = (size_t)LIMIT_TABLE_BYTES + 1;
    refused("merges", TOKENIZER_GPT2, "'merges' has 67108865 bytes, the limit is 67108864");
}

/* ---- hostile texts --------------------------------------------------------------------------- */

static void no_text_takes_long(void)
{
    enum { LENGTH = LIMIT_TEXT_BYTES / 2 };
    static const char *const units[] = {
        "a",        "ab", "\xFF",         "\xC4\xB0", "&",  "&abc",          "\xCE\xA3'",
        "'",        " ",  "<|endoftext|", "7",        "'s", "&#99999999999", "\n ",
        "\xCE\xA3."};
    char  *text  = memory_new(LENGTH, 1, NULL);
    double start = clock_seconds();
    REQUIRE(text);
    for (int kind = TOKENIZER_CLIP; kind <= TOKENIZER_ROBERTA; kind++) {
        Tokenizer *tokenizer = NULL;
        small_tables(&small, (TokenizerKind)kind, "a b\na a\naa aa\naaaa aaaa\n");
        REQUIRE(tokenizer_create(&tokenizer, (TokenizerKind)kind, &small.tables, NULL));
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            Tokens tokens = {0};
            size_t length = strlen(units[i]);
            for (size_t at = 0; at < LENGTH; at++)
                text[at] = units[i][at % length];
            CHECK(tokenizer_encode(tokenizer, text, LENGTH, INT32_MAX, LONG_TEXT_REFUSED, &tokens,
                                   NULL));
            CHECK(tokens.count >= 2);
            tokens_free(&tokens);
        }
        tokenizer_free(tokenizer);
    }
    memory_free(text);
    CHECK(clock_seconds() - start < 60); // a square of its length would take hours
}

static void texts_have_a_limit(void)
{
    Tokenizer *tokenizer = NULL;
    Tokens     tokens    = {0};
    Error      error     = {0};
    char      *text      = memory_new(LIMIT_TEXT_BYTES + 1, 1, NULL); // zero bytes are text too
    small_tables(&small, TOKENIZER_GPT2, "");
    REQUIRE(text && tokenizer_create(&tokenizer, TOKENIZER_GPT2, &small.tables, NULL));
    CHECK(tokenizer_encode(tokenizer, text, LIMIT_TEXT_BYTES, INT32_MAX, LONG_TEXT_REFUSED, &tokens,
                           NULL));
    CHECK(tokens.count == LIMIT_TEXT_BYTES);
    tokens_free(&tokens);
    CHECK(!tokenizer_encode(tokenizer, text, LIMIT_TEXT_BYTES + 1, INT32_MAX, LONG_TEXT_REFUSED,
                            &tokens, &error));
    CHECK_REFUSED("text", &error, "a text has 262145 bytes, the limit is 262144");
    tokenizer_free(tokenizer);
    memory_free(text);
}

static void out_of_memory_leaves_nothing(void)
{
    static const TokenizerKind kinds[] = {TOKENIZER_CLIP, TOKENIZER_ROBERTA_SLOW};
    static const char          text[]  = "a text with &amp; and aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (int kind = 0; kind < 2; kind++) {
        bool done = false;
        small_tables(&small, kinds[kind], "a b\na a\n");
        for (int call = 1; !done && call < 64; call++) {
            int64_t    blocks    = memory_live_blocks();
            Tokenizer *tokenizer = NULL;
            Tokens     tokens    = {0};
            Error      error     = {0};
            memory_fail_at(call, false);
            done = tokenizer_create(&tokenizer, kinds[kind], &small.tables, &error) &&
                   tokenizer_encode(tokenizer, text, sizeof text - 1, INT32_MAX, LONG_TEXT_REFUSED,
                                    &tokens, &error);
            memory_fail_at(0, false);
            CHECK(done || error.code == ERROR_MEMORY);
            tokens_free(&tokens);
            tokenizer_free(tokenizer);
            CHECK(memory_live_blocks() == blocks);
        }
        CHECK(done);
    }
}

SUITE(text_tables)
{
    RUN(joining_is_the_published_algorithm);
    RUN(hostile_vocabularies_are_refused);
    RUN(too_many_tokens_are_refused);
    RUN(hostile_merges_are_refused);
    RUN(no_text_takes_long);
    RUN(texts_have_a_limit);
    RUN(out_of_memory_leaves_nothing);
}
