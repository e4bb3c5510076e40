/* cli/completion.c - completion scripts. Values: the words of a choice, the layers of the network
 * that -m names, finished runs, folders, files for another text, nothing for a number. */
#include "manual.h"
#include "commands.h"

#include <string.h>

static const char *const more_words[] = {"help", "version", NULL};

typedef enum Offer {
    OFFER_NOTHING,
    OFFER_WORDS,
    OFFER_LAYERS,
    OFFER_RUNS,
    OFFER_FOLDERS,
    OFFER_FILES
} Offer;

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

// What stands for a value in the help says what kind of file it is.
static Offer offer_of(const Option *option)
{
    static const char *const folders[] = {"DIR", "PROBE", "RUN", "OUT"};
    if (option_choices(option) || option->kind == ARGUMENT_UNITS)
        return OFFER_WORDS;
    if (option->kind != ARGUMENT_TEXT && option->kind != ARGUMENT_PAIR)
        return OFFER_NOTHING;
    if (strcmp(option->name, "layer") == 0)
        return OFFER_LAYERS;
    if (begins_with(option->value, "RUN") && strcmp(option->name, "out") != 0)
        return OFFER_RUNS;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strcmp(option->value, folders[i]) == 0)
            return OFFER_FOLDERS;
    return OFFER_FILES;
}

// "a|b|c" with blanks.
static void print_words(FILE *stream, const Option *option)
{
    const char *words = option_choices(option);
    for (words = words ? words : "all|detectors"; *words; words++)
        fputc(*words == '|' ? ' ' : *words, stream);
}

static Offer offer_of_inputs(const Verb *verb)
{
    return begins_with(verb->inputs, "RUN")     ? OFFER_RUNS
           : begins_with(verb->inputs, "PROBE") ? OFFER_FOLDERS
                                                : OFFER_FILES;
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

static void bash_words(FILE *stream, const Verb *verb)
{
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++) {
        fprintf(stream, " --%s", option->name);
        if (option->letter)
            fprintf(stream, " -%c", option->letter);
    }
}

static void bash_values(FILE *stream, const Verb *verb)
{
    static const char *const offers[] = {
        [OFFER_NOTHING] = "return",    [OFFER_LAYERS] = "values=$(_nemesis_layers) offer=none",
        [OFFER_RUNS] = "offer=runs",   [OFFER_FOLDERS] = "offer=folders",
        [OFFER_FILES] = "offer=files",
    };
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++) {
        if (option->kind == ARGUMENT_FLAG)
            continue;
        fprintf(stream, "    '%s --%s'", verb->name, option->name);
        if (option->letter)
            fprintf(stream, "|'%s -%c'", verb->name, option->letter);
        if (offer_of(option) == OFFER_WORDS) {
            fprintf(stream, ") values='");
            print_words(stream, option);
            fprintf(stream, "';;\n");
        } else {
            fprintf(stream, ") %s;;\n", offers[offer_of(option)]);
        }
    }
}

static const char bash_helpers[] =
    "# The layers of the network that -m names.\n"
    "_nemesis_layers()\n{\n"
    "    local i file program=${COMP_WORDS[0]/#\\~\\//$HOME/}\n"
    "    for ((i = 2; i < ${#COMP_WORDS[@]}; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        -m|--model)\n"
    "            [ \"${COMP_WORDS[i + 1]}\" = = ] && ((i++))\n"
    "            file=${COMP_WORDS[i + 1]};;\n"
    "        -m?*) file=${COMP_WORDS[i]#-m};;\n"
    "        esac\n"
    "    done\n"
    "    file=${file//\\\\/}\n"
    "    [ -z \"$file\" ] || \"$program\" inspect \"${file/#\\~\\//$HOME/}\" 2>/dev/null |\n"
    "        sed -n 's/^layers  *//p'\n}\n"
    "# Finished runs that begin with $1, and folders that hold some.\n"
    "_nemesis_runs()\n{\n"
    "    local folder\n"
    "    while IFS= read -r folder; do\n"
    "        if [ -e \"$folder/run.json\" ] || compgen -G \"$folder/*/run.json\" >/dev/null ||\n"
    "            compgen -G \"$folder/*/*/run.json\" >/dev/null; then\n"
    "            printf '%s\\n' \"$folder\"\n"
    "        fi\n"
    "    done < <(compgen -d -- \"$1\")\n}\n";

static const char bash_end[] =
    "    esac\n    if [ -n \"$values\" ]; then\n"
    "        case $word in *,*) list=${word%,*},;; esac\n"
    "        COMPREPLY=($(compgen -P \"$list\" -W \"$values\" -- \"${word##*,}\"))\n"
    "        return\n"
    "    elif [ -z \"$offer\" ] && [ \"${word:0:1}\" = - ]; then\n"
    "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
    "        return\n"
    "    fi\n"
    "    # Only here words are files: elsewhere a verb would get the slash of a folder of its "
    "name.\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    case ${offer:-$inputs} in\n"
    "    none) ;;\n"
    "    runs) mapfile -t COMPREPLY < <(_nemesis_runs \"$word\");;\n"
    "    folders) mapfile -t COMPREPLY < <(compgen -d -- \"$word\");;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\");;\n"
    "    esac\n}\ncomplete -F _nemesis nemesis\n";

static void print_bash(FILE *stream)
{
    fprintf(stream, "# bash completion of nemesis, made by `nemesis completion bash`\n%s",
            bash_helpers);
    fprintf(stream,
            "_nemesis()\n{\n"
            "    local verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} options values offer\n"
            "    local before=${COMP_WORDS[COMP_CWORD - 1]} list inputs\n"
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
        static const char *const inputs[] = {
            [OFFER_RUNS] = "runs", [OFFER_FOLDERS] = "folders", [OFFER_FILES] = "files"};
        fprintf(stream, "    %s) inputs=%s options='", verb_at(i)->name,
                inputs[offer_of_inputs(verb_at(i))]);
        bash_words(stream, verb_at(i));
        fprintf(stream, "';;\n");
    }
    fprintf(stream, "    esac\n    case \"$verb $before\" in\n");
    for (int i = 0; verb_at(i); i++)
        bash_values(stream, verb_at(i));
    fputs(bash_end, stream);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

static void zsh_value(FILE *stream, const Option *option)
{
    static const char *const offers[] = {
        [OFFER_NOTHING] = ": ",      [OFFER_LAYERS] = ":_nemesis_layers",
        [OFFER_RUNS] = ":_files -/", [OFFER_FOLDERS] = ":_files -/",
        [OFFER_FILES] = ":_files",
    };
    bool words = offer_of(option) == OFFER_WORDS;
    fputc(':', stream);
    print_quoted(stream, words ? option->name : option->value, "\\[]:", "'\\''");
    if (!words) {
        fputs(offers[offer_of(option)], stream);
        return;
    }
    fprintf(stream, option->kind == ARGUMENT_CHOICES ? ":_values -s , %s " : ":(", option->name);
    print_words(stream, option);
    fputs(option->kind == ARGUMENT_CHOICES ? "" : ")", stream);
}

static void zsh_options(FILE *stream, const Verb *verb)
{
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++) {
        const char *tail = option->kind == ARGUMENT_FLAG ? "" : "=";
        fprintf(stream, " \\\n        ");
        if (option->letter)
            fprintf(stream, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
                    option->letter, *tail ? "+" : "", option->name, tail);
        else
            fprintf(stream, "'--%s%s[", option->name, tail);
        print_quoted(stream, option->help, "\\[]:", "'\\''");
        fputc(']', stream);
        if (option->kind != ARGUMENT_FLAG)
            zsh_value(stream, option);
        fputc('\'', stream);
    }
}

static void print_zsh(FILE *stream)
{
    fprintf(stream, "#compdef nemesis\n# zsh completion, made by `nemesis completion zsh`\n"
                    "# The layers of the network that -m names; `words` begins with the verb.\n"
                    "_nemesis_layers() {\n"
                    "    local i=${words[(I)(-m|--model)]} file\n"
                    "    local -a layers\n"
                    "    (( i )) && file=${words[i + 1]}\n"
                    "    [[ -n $file ]] || file=${${words[(r)--model=*]}#--model=}\n"
                    "    file=${(Q)file}\n"
                    "    layers=(${=\"$($program inspect ${~file} 2>/dev/null |\n"
                    "        sed -n 's/^layers  *//p')\"})\n"
                    "    compadd -a layers\n}\n"
                    "_nemesis() {\n    local -a verbs\n"
                    "    local program=${~words[1]}\n    verbs=(");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "\n        '%s:", verb_at(i)->name);
        print_quoted(stream, verb_at(i)->summary, "\\:", "'\\''");
        fputc('\'', stream);
    }
    for (int i = 0; more_words[i]; i++)
        fprintf(stream, "\n        %s", more_words[i]);
    fprintf(stream, ")\n    if (( CURRENT == 2 )) || [[ $CURRENT:$words[2] == 3:help ]]; then\n"
                    "        _describe verb verbs\n        return\n    fi\n"
                    "    shift words\n    (( CURRENT-- ))\n    case $words[1] in\n");
    for (int i = 0; verb_at(i); i++) {
        fprintf(stream, "    %s) _arguments -s", verb_at(i)->name);
        zsh_options(stream, verb_at(i));
        fprintf(stream, " '*:file:_files%s';;\n",
                offer_of_inputs(verb_at(i)) == OFFER_FILES ? "" : " -/");
    }
    fprintf(stream, "    esac\n}\n_nemesis \"$@\"\n");
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_options(FILE *stream, const Verb *verb)
{
    static const char        folders[] = " -x -a '(__fish_complete_directories)'";
    static const char *const offers[]  = {
         [OFFER_NOTHING] = " -x",  [OFFER_LAYERS] = " -x -a '(__nemesis_layers)'",
         [OFFER_RUNS] = folders,   [OFFER_FOLDERS] = folders,
         [OFFER_FILES] = " -r -F",
    };
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++) {
        fprintf(stream, "complete -c nemesis -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
                option->name);
        if (option->letter)
            fprintf(stream, " -s %c", option->letter);
        if (offer_of(option) == OFFER_WORDS) {
            fprintf(stream, " -x -a '");
            print_words(stream, option);
            fputc('\'', stream);
        } else if (option->kind != ARGUMENT_FLAG) {
            fputs(offers[offer_of(option)], stream);
        }
        fprintf(stream, " -d '");
        print_quoted(stream, option->help, "\\", "\\'");
        fprintf(stream, "'\n");
    }
}

static void print_fish(FILE *stream)
{
    fprintf(stream, "# fish completion of nemesis, made by `nemesis completion fish`\n"
                    "# The layers of the network that -m names.\n"
                    "function __nemesis_layers\n"
                    "    set -l words (commandline -opc)\n"
                    "    for i in (seq 2 (count $words))\n"
                    "        set -l file (string replace -rf -- '^--model=' '' $words[$i])\n"
                    "        if contains -- $words[$i] -m --model\n"
                    "            set file $words[(math $i + 1)]\n"
                    "        end\n"
                    "        if test -n \"$file\"\n"
                    "            eval $words[1] inspect (string escape -- $file) 2>/dev/null |\n"
                    "                string replace -rf '^layers +' '' | string split ' '\n"
                    "        end\n"
                    "    end\n"
                    "end\n"
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
        fish_options(stream, verb_at(i));
}

void completion_print(int shell, FILE *stream)
{
    static void (*const shells[])(FILE *) = {print_bash, print_zsh, print_fish}; // SHELL_NAMES
    shells[shell](stream);
}
