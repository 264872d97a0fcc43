/* cli/args.c: options may stand anywhere, as --name VALUE, --name=VALUE, -n VALUE, -nVALUE or joined flags -rl; "--" ends them. "-" alone is an
 * argument. The command is the longest run of leading words that the table knows. */
#include "cli/args.h"

#include <string.h>

#include "base/str.h"

static const struct cli_option *option_find(const struct cli_option *list, struct str name, char letter)
{
        for (const struct cli_option *o = list; o && o->name; o++)
                if (letter ? o->letter == letter : str_eq(str_of(o->name), name))
                        return o;
        return NULL;
}

static const struct cli_option *option_of(const struct cli_args *a, struct str name, char letter)
{
        const struct cli_option *o = a->command ? option_find(a->command->options, name, letter) : NULL;
        return o ? o : option_find(cli_global_options, name, letter);
}

static struct err *option_set(struct cli_args *a, const struct cli_option *o, const char *value)
{
        if (a->nset == CLI_OPTIONS_MAX)
                return err_new(ERR_INVALID, "more than %d options", CLI_OPTIONS_MAX);
        a->set[a->nset].option = o;
        a->set[a->nset++].value = value;
        if (strcmp(o->name, "help") == 0)
                a->help = true;
        if (strcmp(o->name, "version") == 0)
                a->version = true;
        return NULL;
}

/* --name, --name=value, --name value. *i moves on when the value is the next word. */
static struct err *parse_long(struct cli_args *a, int argc, char **argv, int *i)
{
        struct str rest = str_of(argv[*i] + 2);
        bool joined = str_find(rest, '=') >= 0;
        struct str name = str_cut(&rest, '=');
        const struct cli_option *o = option_of(a, name, 0);
        if (!o)
                return err_new(ERR_INVALID, "unknown option --" STR_FMT, STR_ARG(name));
        if (!o->value) {
                if (joined)
                        return err_new(ERR_INVALID, "option --%s takes no value", o->name);
                return option_set(a, o, "");
        }
        if (joined)
                return option_set(a, o, rest.p);
        if (*i + 1 >= argc)
                return err_new(ERR_INVALID, "option --%s needs a value: %s", o->name, o->value);
        return option_set(a, o, argv[++*i]);
}

/* -a, -abc, -nVALUE, -n VALUE. */
static struct err *parse_short(struct cli_args *a, int argc, char **argv, int *i)
{
        for (const char *p = argv[*i] + 1; *p; p++) {
                const struct cli_option *o = option_of(a, STR_NONE, *p);
                if (!o)
                        return err_new(ERR_INVALID, "unknown option -%c", *p);
                if (!o->value) {
                        TRY(option_set(a, o, ""));
                        continue;
                }
                if (p[1])
                        return option_set(a, o, p + 1);
                if (*i + 1 >= argc)
                        return err_new(ERR_INVALID, "option -%c needs a value: %s", *p, o->value);
                return option_set(a, o, argv[++*i]);
        }
        return NULL;
}

/* How many of the given words spell `name` from its start, if all of its words are there; else 0. */
static unsigned words_match(const char *name, const char *const *words, unsigned n)
{
        struct str rest = str_of(name);
        unsigned k = 0;
        while (rest.n) {
                struct str word = str_cut(&rest, ' ');
                if (k == n || !str_eq(word, str_of(words[k])))
                        return 0;
                k++;
        }
        return k;
}

static unsigned command_find(const char *const *words, unsigned n, const struct cli_command **ret)
{
        unsigned count, best = 0;
        const struct cli_command *all = cli_commands(&count);
        for (unsigned i = 0; i < count; i++) {
                unsigned k = MAX(words_match(all[i].name, words, n), all[i].alias ? words_match(all[i].alias, words, n) : 0);
                if (k > best) {
                        best = k;
                        *ret = &all[i];
                }
        }
        return best;
}

static bool group_known(const char *word)
{
        unsigned count;
        const struct cli_command *all = cli_commands(&count);
        size_t n = strlen(word);
        for (unsigned i = 0; i < count; i++)
                if (strncmp(all[i].name, word, n) == 0 && all[i].name[n] == ' ')
                        return true;
        return false;
}

/* The words before which options of the command cannot be told from its arguments: leading words without dashes, global options skipped. */
static struct err *find_command(int argc, char **argv, struct cli_args *a, unsigned char *is_word)
{
        const char *words[4];
        int at[4];
        unsigned n = 0;
        for (int i = 0; i < argc && n < ARRAY_LEN(words); i++) {
                if (argv[i][0] == '-' && argv[i][1]) {
                        if (strcmp(argv[i], "--") == 0)
                                break;
                        bool is_long = argv[i][1] == '-';
                        const struct cli_option *o = is_long ? option_of(a, str_of(argv[i] + 2), 0) : option_of(a, STR_NONE, argv[i][1]);
                        if (o && o->value && (is_long || !argv[i][2]))
                                i++;
                        continue;
                }
                at[n] = i;
                words[n++] = argv[i];
        }
        if (n == 0)
                return NULL;
        unsigned used = command_find(words, n, &a->command);
        for (unsigned k = 0; k < used; k++)
                is_word[at[k]] = 1;
        if (used)
                return NULL;
        if (!group_known(words[0]))
                return err_new(ERR_INVALID, "unknown command \"%s\"", words[0]);
        a->group = words[0];
        is_word[at[0]] = 1;
        if (n > 1)
                return err_new(ERR_INVALID, "unknown command \"%s %s\"", words[0], words[1]);
        return NULL;
}

static struct err *check_count(const struct cli_args *a)
{
        const struct cli_command *c = a->command;
        if (!c || a->help)
                return NULL;
        if (a->npos < c->min_args)
                return err_new(ERR_INVALID, "%s: missing argument, expected: %s", c->name, c->synopsis);
        if (a->npos > c->max_args)
                return err_new(ERR_INVALID, "%s: unexpected argument \"%s\"", c->name, a->pos[c->max_args]);
        return NULL;
}

struct err *cli_args_parse(int argc, char **argv, struct cli_args *ret)
{
        *ret = (struct cli_args){ 0 };
        ret->pos = calloc((size_t)argc + 1, sizeof(*ret->pos));
        AUTO_FREE unsigned char *is_word = calloc((size_t)argc + 1, 1);
        if (!ret->pos || !is_word)
                return err_static(ERR_NO_MEMORY);
        TRY(find_command(argc, argv, ret, is_word));
        bool options = true;
        for (int i = 0; i < argc; i++) {
                if (is_word[i])
                        continue;
                if (options && strcmp(argv[i], "--") == 0)
                        options = false;
                else if (options && argv[i][0] == '-' && argv[i][1] == '-')
                        TRY(parse_long(ret, argc, argv, &i));
                else if (options && argv[i][0] == '-' && argv[i][1])
                        TRY(parse_short(ret, argc, argv, &i));
                else
                        ret->pos[ret->npos++] = argv[i];
        }
        return check_count(ret);
}

void cli_args_fini(struct cli_args *a)
{
        free(a->pos);
        a->pos = NULL;
}

/* Some command has this option: what else a caller asks for is a slip of ours. */
static bool option_exists(const char *name)
{
        unsigned count;
        const struct cli_command *all = cli_commands(&count);
        for (unsigned i = 0; i < count; i++)
                if (option_find(all[i].options, str_of(name), 0))
                        return true;
        return option_find(cli_global_options, str_of(name), 0) != NULL;
}

const char *cli_opt_nth(const struct cli_args *a, const char *name, unsigned i)
{
        ASSERT(option_exists(name));
        for (unsigned k = 0; k < a->nset; k++)
                if (strcmp(a->set[k].option->name, name) == 0 && i-- == 0)
                        return a->set[k].value;
        return NULL;
}

const char *cli_opt(const struct cli_args *a, const char *name)
{
        const char *last = NULL, *v;
        for (unsigned i = 0; (v = cli_opt_nth(a, name, i)); i++)
                last = v;
        return last;
}

bool cli_has(const struct cli_args *a, const char *name)
{
        return cli_opt(a, name) != NULL;
}

struct err *cli_opt_number(const struct cli_args *a, const char *name, uint64_t min, uint64_t max, uint64_t otherwise, uint64_t *ret)
{
        const char *text = cli_opt(a, name);
        uint64_t v = otherwise;
        if (text && (!str_u64(str_of(text), &v) || v < min || v > max))
                return err_new(ERR_INVALID, "--%s: expected a number from %llu to %llu, not \"%s\"", name, (unsigned long long)min,
                               (unsigned long long)max, text);
        *ret = v;
        return NULL;
}

struct err *cli_opt_size(const struct cli_args *a, const char *name, uint64_t otherwise, uint64_t *ret)
{
        const char *text = cli_opt(a, name);
        uint64_t v = otherwise;
        if (text && !str_size(str_of(text), &v))
                return err_new(ERR_INVALID, "--%s: expected a size like 64MiB, not \"%s\"", name, text);
        *ret = v;
        return NULL;
}

struct err *cli_opt_duration(const struct cli_args *a, const char *name, int64_t otherwise, int64_t *ret)
{
        const char *text = cli_opt(a, name);
        int64_t v = otherwise;
        if (text && (!str_duration(str_of(text), &v) || v < 0))
                return err_new(ERR_INVALID, "--%s: expected a duration like 30s or 5m, not \"%s\"", name, text);
        *ret = v;
        return NULL;
}
