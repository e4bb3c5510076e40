/* cli/completion.c - completion scripts. Values: the words of a choice, nothing for a number, files
 * for a text. */
#include "manual.h"
#include "commands.h"

#include <string.h>

static const char *const more_words[] = {"help", "version", NULL};

static bool is_choice(const Option *option)
{
    return option_choices(option) != NULL;
}

static bool is_text(const Option *option)
{
    return option->kind == ARGUMENT_TEXT || option->kind == ARGUMENT_PAIR;
}

// "a|b|c" with blanks.
static void print_choices(FILE *stream, const Option *option)
{
    for (const char *choices = option_choices(option); *choices; choices++)
        fputc(*choices == '|' ? ' ' : *choices, stream);
}

// Text inside single quotes: a backslash before what is in `special`, and `quote` for a quote.
static void print_quoted(FILE *stream, const char *text, const char *special, const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs(quote, stream);
            continue;
        }
        if (strchr(special, *text))
            fputc('\\', stream);
        fputc(*text, stream);
    }
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void bash_words(FILE *stream, const Option *options)
{
    for (const Option *option = options; option && option->name; option++) {
        fprintf(stream, " --%s", option->name);
        if (option->letter)
            fprintf(stream, " -%c", option->letter);
    }
}

// `verb` is a pattern: a name, or * for the options that all share.
static void bash_values(FILE *stream, const char *verb, const Option *options)
{
    for (const Option *option = options; option && option->name; option++) {
        if (option->kind == ARGUMENT_FLAG)
            continue;
        fprintf(stream, "    %s' --%s'", verb, option->name);
        if (option->letter)
            fprintf(stream, "|%s' -%c'", verb, option->letter);
        if (is_choice(option)) {
            fprintf(stream, ") values='");
            print_choices(stream, option);
            fprintf(stream, "';;\n");
        } else {
            fprintf(stream, ") %s;;\n", is_text(option) ? "files=1" : "return");
        }
    }
}

static void print_bash(FILE *stream)
{
    fprintf(
        stream,
        "# bash completion of nemesis, made by `nemesis completion bash`\n_nemesis()\n{\n"
        "    local verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} options values files list\n"
        "    local before=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    if [ \"$word\" = = ]; then\n"
        "        word=\n"
        "    elif [ \"$before\" = = ]; then\n"
        "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    fi\n    COMPREPLY=()\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ] || [ \"$COMP_CWORD:$verb\" = 2:help ]; then\n"
        "        COMPREPLY=($(compgen -W '");
    for (int i = 0; verb_at(i); i++)
        fprintf(stream, "%s ", verb_at(i)->name);
    for (int i = 0; more_words[i]; i++)
        fprintf(stream, "%s%s", i ? " " : "", more_words[i]);
    fprintf(stream, "' -- \"$word\"))\n        return\n    fi\n    case $verb in\n");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "    %s) options='", verb_at(i)->name);
        bash_words(stream, verb_at(i)->options);
        bash_words(stream, shared_options);
        fprintf(stream, "';;\n");
    }
    fprintf(stream, "    esac\n    case \"$verb $before\" in\n");
    for (int i = 0; verb_at(i); i++)
        bash_values(stream, verb_at(i)->name, verb_at(i)->options);
    bash_values(stream, "*", shared_options);
    fprintf(stream,
            "    esac\n    if [ -n \"$values\" ]; then\n"
            "        case $word in *,*) list=${word%%,*},;; esac\n"
            "        COMPREPLY=($(compgen -P \"$list\" -W \"$values\" -- \"${word##*,}\"))\n"
            "    elif [ -z \"$files\" ] && [ \"${word:0:1}\" = - ]; then\n"
            "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
            "    else\n"
            "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
            "    fi\n}\ncomplete -o filenames -F _nemesis nemesis\n");
}

/* ---- zsh ------------------------------------------------------------------------------------- */

static void zsh_options(FILE *stream, const Option *options)
{
    for (const Option *option = options; option && option->name; option++) {
        const char *tail = option->kind == ARGUMENT_FLAG ? "" : "=";
        fprintf(stream, " \\\n        ");
        if (option->letter)
            fprintf(stream, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
                    option->letter, *tail ? "+" : "", option->name, tail);
        else
            fprintf(stream, "'--%s%s[", option->name, tail);
        print_quoted(stream, option->help, "\\[]:", "'\\''");
        fputc(']', stream);
        if (option->kind != ARGUMENT_FLAG) {
            fputc(':', stream);
            print_quoted(stream, is_choice(option) ? option->name : option->value,
                         "\\[]:", "'\\''");
            if (is_choice(option)) {
                fprintf(stream, option->kind == ARGUMENT_CHOICES ? ":_values -s , %s " : ":(",
                        option->name);
                print_choices(stream, option);
                fputs(option->kind == ARGUMENT_CHOICES ? "" : ")", stream);
            } else {
                fputs(is_text(option) ? ":_files" : ": ", stream);
            }
        }
        fputc('\'', stream);
    }
}

static void print_zsh(FILE *stream)
{
    fprintf(stream, "#compdef nemesis\n# zsh completion, made by `nemesis completion zsh`\n"
                    "_nemesis() {\n    local -a verbs shared\n    verbs=(");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "\n        '%s:", verb_at(i)->name);
        print_quoted(stream, verb_at(i)->summary, "\\:", "'\\''");
        fputc('\'', stream);
    }
    for (int i = 0; more_words[i]; i++)
        fprintf(stream, "\n        %s", more_words[i]);
    fprintf(stream, ")\n    shared=(");
    zsh_options(stream, shared_options);
    fprintf(stream, ")\n    if (( CURRENT == 2 )) || [[ $CURRENT:$words[2] == 3:help ]]; then\n"
                    "        _describe verb verbs\n        return\n    fi\n"
                    "    shift words\n    (( CURRENT-- ))\n    case $words[1] in\n");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "    %s) _arguments -s $shared", verb_at(i)->name);
        zsh_options(stream, verb_at(i)->options);
        fprintf(stream, " '*:file:_files';;\n");
    }
    fprintf(stream, "    esac\n}\n_nemesis \"$@\"\n");
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_options(FILE *stream, const char *verb, const Option *options)
{
    for (const Option *option = options; option && option->name; option++) {
        fprintf(stream, "complete -c nemesis -n '%s%s' -l %s",
                verb ? "__fish_seen_subcommand_from " : "not __fish_use_subcommand",
                verb ? verb : "", option->name);
        if (option->letter)
            fprintf(stream, " -s %c", option->letter);
        if (is_choice(option)) {
            fprintf(stream, " -x -a '");
            print_choices(stream, option);
            fputc('\'', stream);
        } else if (option->kind != ARGUMENT_FLAG) {
            fputs(is_text(option) ? " -r -F" : " -x", stream);
        }
        fprintf(stream, " -d '");
        print_quoted(stream, option->help, "\\", "\\'");
        fprintf(stream, "'\n");
    }
}

static void print_fish(FILE *stream)
{
    fprintf(stream, "# fish completion of nemesis, made by `nemesis completion fish`\n"
                    "complete -c nemesis -n __fish_use_subcommand -f\n");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "complete -c nemesis -n __fish_use_subcommand -a %s -d '",
                verb_at(i)->name);
        print_quoted(stream, verb_at(i)->summary, "\\", "\\'");
        fprintf(stream, "'\n");
    }
    for (int i = 0; more_words[i]; i++)
        fprintf(stream, "complete -c nemesis -n __fish_use_subcommand -a %s\n", more_words[i]);
    for (int i = 0; verb_at(i); i++)
        fish_options(stream, verb_at(i)->name, verb_at(i)->options);
    fish_options(stream, NULL, shared_options);
}

void completion_print(int shell, FILE *stream)
{
    static void (*const shells[])(FILE *) = {print_bash, print_zsh, print_fish}; // SHELL_NAMES
    shells[shell](stream);
}
