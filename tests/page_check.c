/* tests/page_check.c - see page_check.h. */
#include "page_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 64, NAME = 24 };

typedef struct Checker {
    const char *at, *start;
    char        open[DEPTH][NAME];
    int         depth;
    char        problem[160];
} Checker;

static bool complain(Checker *checker, const char *what)
{
    if (!checker->problem[0])
        snprintf(checker->problem, sizeof checker->problem, "byte %td: %s near '%.40s'",
                 checker->at - checker->start, what, checker->at);
    return false;
}

static bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "link", "img", "br"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool read_entity(Checker *checker)
{
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (int i = 0; i < 5; i++)
        if (strncmp(checker->at, names[i], strlen(names[i])) == 0) {
            checker->at += strlen(names[i]);
            return true;
        }
    return complain(checker, "an ampersand that is no entity");
}

static bool read_value(Checker *checker)
{
    if (*checker->at != '"')
        return complain(checker, "an attribute without quotes");
    for (checker->at++; *checker->at != '"';) {
        if (!*checker->at || *checker->at == '<' || *checker->at == '>')
            return complain(checker, "an attribute without end");
        if (*checker->at == '&' ? !read_entity(checker) : !checker->at++)
            return false;
    }
    checker->at++;
    return true;
}

static void read_name(Checker *checker, char name[NAME])
{
    int length = 0;
    while ((isalnum((unsigned char)*checker->at) || *checker->at == '-') && length < NAME - 1)
        name[length++] = *checker->at++;
    name[length] = 0;
}

static bool read_close(Checker *checker)
{
    char name[NAME];
    read_name(checker, name);
    if (checker->depth == 0 || strcmp(checker->open[checker->depth - 1], name) != 0)
        return complain(checker, "an end tag that closes nothing");
    checker->depth--;
    return *checker->at++ == '>' || complain(checker, "an end tag without end");
}

static bool read_open(Checker *checker)
{
    char name[NAME], attribute[NAME];
    read_name(checker, name);
    if (!name[0])
        return complain(checker, "a '<' that opens no tag");
    while (*checker->at == ' ') {
        checker->at++;
        read_name(checker, attribute);
        if (!attribute[0])
            return complain(checker, "a nameless attribute");
        if (strncmp(attribute, "on", 2) == 0)
            return complain(checker, "an event handler");
        if (*checker->at == '=' && (checker->at++, !read_value(checker)))
            return false;
    }
    bool closed = *checker->at == '/';
    checker->at += closed;
    if (*checker->at++ != '>')
        return complain(checker, "a tag without end");
    if (closed || is_void(name))
        return true;
    if (checker->depth == DEPTH)
        return complain(checker, "tags too deep");
    snprintf(checker->open[checker->depth++], NAME, "%s", name);
    if (strcmp(name, "script") != 0)
        return true;
    const char *end = strstr(checker->at, "</script>");
    checker->at     = end ? end : checker->at;
    return end || complain(checker, "a script without end");
}

const char *page_problem(const char *page)
{
    static Checker checker;
    bool           ok = true;
    checker           = (Checker){.at = page, .start = page};
    if (strncmp(page, "<!DOCTYPE html>", 15) != 0)
        return "no document type";
    checker.at += 15;
    while (ok && *checker.at) {
        if (*checker.at == '<') {
            bool ends = checker.at[1] == '/';
            checker.at += 1 + ends;
            ok = ends ? read_close(&checker) : read_open(&checker);
        } else if (*checker.at == '&') {
            ok = read_entity(&checker);
        } else if (*checker.at == '>') {
            ok = complain(&checker, "a bare '>'");
        } else {
            checker.at++;
        }
    }
    if (ok && checker.depth)
        complain(&checker, "tags left open");
    return checker.problem[0] ? checker.problem : NULL;
}
