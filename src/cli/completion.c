/* cli/completion.c: completion scripts, out of the table of commands. Buckets are asked from the server when a URI is being typed. */
#include <string.h>

#include "cli/priv.h"

/* ---- what all shells need ---- */

/* Words that may come after the given words ("" for the start), each once. */
static void next_words(FILE *f, const char *before, const char *sep)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        struct str last = STR_NONE, prefix = str_of(before);
        for (unsigned i = 0; i < n; i++) {
                struct str name = str_of(all[i].name);
                if (prefix.n) {
                        if (!str_starts(name, prefix) || name.n == prefix.n || name.p[prefix.n] != ' ')
                                continue;
                        name = str_skip(name, prefix.n + 1);
                }
                struct str word = str_cut(&name, ' ');
                if (str_eq(word, last))
                        continue;
                fprintf(f, "%s" STR_FMT, last.n ? sep : "", STR_ARG(word));
                last = word;
        }
}

static void option_words(FILE *f, const struct cli_option *list)
{
        for (const struct cli_option *o = list; o && o->name; o++)
                fprintf(f, " --%s", o->name);
}

static const char *kind_name(enum cli_complete k)
{
        static const char *const names[] = { "none", "file", "dir", "uri", "bucket" };
        return names[k];
}

/* ---- bash ---- */

static const char bash_head[] = "# bash completion of orlop; source it, or put it into /etc/bash_completion.d\n"
                                "_orlop_uris() {\n"
                                "    orlop ls --timeout 2s 2>/dev/null | sed 's|$|/|'\n"
                                "}\n"
                                "_orlop() {\n"
                                "    local line=${COMP_LINE:0:COMP_POINT} cur cmd= opts= kind=none w i\n"
                                "    cur=${line##* }\n"
                                "    local -a words=()\n"
                                "    read -ra words <<<\"${line%\"$cur\"}\"\n"
                                "    for ((i = 1; i < ${#words[@]}; i++)); do\n"
                                "        w=${words[i]}\n"
                                "        [[ $w == -* ]] && continue\n"
                                "        case \"$cmd${cmd:+ }$w\" in\n";

static void bash_groups(FILE *f)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        /* Every beginning of a command's words moves the state on. */
        for (unsigned i = 0; i < n; i++) {
                struct str name = str_of(all[i].name);
                for (size_t k = 0; k <= name.n; k++)
                        if (k == name.n || name.p[k] == ' ')
                                fprintf(f, "        \"%.*s\") cmd='%.*s' ;;\n", (int)k, name.p, (int)k, name.p);
        }
}

static void bash(FILE *f)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        fputs(bash_head, f);
        bash_groups(f);
        fprintf(f, "        esac\n    done\n    case \"$cmd\" in\n    '') opts='");
        next_words(f, "", " ");
        fprintf(f, "' ;;\n");
        for (unsigned i = 0; i < n; i++) {
                fprintf(f, "    '%s') kind=%s opts='", all[i].name, kind_name(all[i].complete));
                next_words(f, all[i].name, " ");
                option_words(f, all[i].options);
                option_words(f, cli_global_options);
                fprintf(f, "' ;;\n");
        }
        fprintf(f, "    bucket) opts='");
        next_words(f, "bucket", " ");
        fprintf(f, "' ;;\n    'bucket props') opts='");
        next_words(f, "bucket props", " ");
        for (const char *const *g = (const char *const[]){ "config", "mountpath", "job", NULL }; *g; g++) {
                fprintf(f, "' ;;\n    %s) opts='", *g);
                next_words(f, *g, " ");
        }
        fputs("' ;;\n    esac\n"
              "    COMPREPLY=()\n"
              "    if [[ $cur == -* || $kind == none ]]; then\n"
              "        COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n"
              "        return\n"
              "    fi\n"
              "    case $kind in\n"
              "    file) COMPREPLY=($(compgen -f -- \"$cur\") $(compgen -W \"$(_orlop_uris)\" -- \"$cur\")) ;;\n"
              "    dir) COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
              "    uri | bucket) COMPREPLY=($(compgen -W \"$(_orlop_uris)\" -- \"$cur\")) ;;\n"
              "    esac\n"
              "    # bash splits words at colons: give back what follows the last one\n"
              "    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
              "        local head=${cur%\"${cur##*:}\"}\n"
              "        COMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
              "    fi\n"
              "}\n"
              "complete -o nospace -o default -F _orlop orlop\n",
              f);
}

/* ---- zsh: the same function under its emulation ---- */

static void zsh(FILE *f)
{
        fputs("#compdef orlop\n# zsh completion of orlop; source it after compinit\nautoload -U +X bashcompinit && bashcompinit\n", f);
        bash(f);
}

/* ---- fish ---- */

static void fish_quoted(FILE *f, const char *text)
{
        fputc('\'', f);
        for (const char *p = text; *p; p++) {
                if (*p == '\'' || *p == '\\')
                        fputc('\\', f);
                fputc(*p, f);
        }
        fputc('\'', f);
}

static void fish_option(FILE *f, const char *command, const struct cli_option *o)
{
        fprintf(f, "complete -c orlop");
        if (command)
                fprintf(f, " -n '__orlop_is %s'", command);
        if (o->letter)
                fprintf(f, " -s %c", o->letter);
        fprintf(f, " -l %s%s -d ", o->name, o->value ? " -r" : "");
        fish_quoted(f, o->help);
        fputc('\n', f);
}

static void fish_command(FILE *f, const struct cli_command *c)
{
        struct str rest = str_of(c->name), before = { c->name, 0 };
        /* The last word, offered where the words before it stand. */
        ptrdiff_t last = -1;
        for (size_t i = 0; i < rest.n; i++)
                if (rest.p[i] == ' ')
                        last = (ptrdiff_t)i;
        before.n = last < 0 ? 0 : (size_t)last;
        fprintf(f, "complete -c orlop -f -n '__orlop_is " STR_FMT "' -a %s -d ", STR_ARG(before), c->name + (last + 1));
        fish_quoted(f, c->summary);
        fputc('\n', f);
        for (const struct cli_option *o = c->options; o && o->name; o++)
                fish_option(f, c->name, o);
        if (c->complete == CLI_URI || c->complete == CLI_BUCKET || c->complete == CLI_FILE)
                fprintf(f, "complete -c orlop%s -n '__orlop_is %s' -a '(__orlop_uris)'\n", c->complete == CLI_FILE ? "" : " -f", c->name);
}

static void fish(FILE *f)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        fputs("# fish completion of orlop\n"
              "function __orlop_uris\n    orlop ls --timeout 2s 2>/dev/null | string replace -r '$' '/'\nend\n"
              "function __orlop_is\n"
              "    set -l words (commandline -opc)\n"
              "    set -e words[1]\n"
              "    set -l plain\n"
              "    for w in $words\n"
              "        string match -q -- '-*' $w; or set -a plain $w\n"
              "    end\n"
              "    test (count $argv) -eq 0; and test (count $plain) -eq 0; and return 0\n"
              "    test (count $argv) -gt 0; and test \"$plain[1..(count $argv)]\" = \"$argv\"\n"
              "end\n",
              f);
        /* First words of groups, once each. */
        struct str last = STR_NONE;
        for (unsigned i = 0; i < n; i++) {
                struct str rest = str_of(all[i].name), word = str_cut(&rest, ' ');
                if (rest.n && !str_eq(word, last))
                        fprintf(f, "complete -c orlop -f -n '__orlop_is' -a " STR_FMT "\n", STR_ARG(word));
                last = word;
        }
        for (const struct cli_option *o = cli_global_options; o->name; o++)
                fish_option(f, NULL, o);
        for (unsigned i = 0; i < n; i++)
                fish_command(f, &all[i]);
}

bool cli__completion(FILE *f, const char *shell)
{
        if (strcmp(shell, "bash") == 0)
                bash(f);
        else if (strcmp(shell, "zsh") == 0)
                zsh(f);
        else if (strcmp(shell, "fish") == 0)
                fish(f);
        else
                return false;
        return true;
}
