/* daemon/control_command.c: `orlopd control`, which `orlop control` runs: looks at the ordered state of a stopped voter,
 * prints it, or makes the voter the only one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cluster/offline.h"
#include "daemon/serve.h"

struct options {
        bool json, yes;
        const char *verb, *dir;
};

static void usage(FILE *f)
{
        fputs("usage: orlopd control inspect|export|recover [--json] [--yes] STATE-DIR\n\n"
              "For a voter that is stopped. STATE-DIR is its --state, or its first DIR.\n\n"
              "  inspect   term, last entry, hash of the state, and who votes\n"
              "  export    every document of the state, one JSON document per line; they hold keys: keep them safe\n"
              "  recover   makes this voter the only one, for when the majority is lost for good. The directory is copied first.\n"
              "            All other voters must be stopped, and join anew. Only says what it would do, unless --yes is given.\n\n"
              "Exit code: 0 done, 1 the state is damaged or in use, 2 usage.\n", f);
}

static void inspect_text(const struct offline_voter *v)
{
        const struct raft_inspection *in = &v->now;
        printf("cluster     %s\nmember      %s, voter %" PRIu64 "%s\nterm        %" PRIu64 "\nlast entry  %" PRIu64 "\ndocuments   %" PRIu64
               "\nhash        %016" PRIx64 "\n", v->cluster, v->member, v->id, v->address[0] ? "" : " (not a voter now)", in->term, in->last_index,
               in->documents, in->state_hash);
        for (unsigned i = 0; i < in->voters; i++)
                printf("%s %" PRIu64 " %s\n", in->voter[i].voting ? "voter      " : "spare      ", in->voter[i].id, in->voter[i].address);
}

static struct err *print_buf(struct buf *b)
{
        TRY(buf_err(b));
        buf_addc(b, '\n');
        fwrite(b->p, 1, b->n, stdout);
        return NULL;
}

static struct err *inspect_json(const struct offline_voter *v)
{
        AUTO_BUF struct buf b = BUF_INIT;
        const struct raft_inspection *in = &v->now;
        struct json_w w;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", v->cluster);
        jw_cstr(&w, "member", v->member);
        jw_u64s(&w, "voter", v->id);
        jw_u64s(&w, "term", in->term);
        jw_u64s(&w, "last_index", in->last_index);
        jw_u64s(&w, "documents", in->documents);
        jw_strf(&w, "state_hash", "%016" PRIx64, in->state_hash);
        jw_array(&w, "voters");
        for (unsigned i = 0; i < in->voters; i++) {
                jw_object(&w, NULL);
                jw_u64s(&w, "id", in->voter[i].id);
                jw_cstr(&w, "address", in->voter[i].address);
                jw_bool(&w, "voting", in->voter[i].voting);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        return print_buf(&b);
}

static struct err *export_doc(void *arg, const struct doc *d)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        AUTO_JSON json_t *parsed = NULL;
        struct err *e = json_parse(d->body, SIZE_MAX, &parsed);
        (void)arg;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_str(&w, "key", d->key);
        jw_u64s(&w, "modified", d->modified);
        if (e) /* all of ours are JSON; whatever else there is must be seen too */
                jw_str(&w, "text", d->body);
        else
                jw_raw(&w, "body", d->body);
        err_free(e);
        jw_object_end(&w);
        return print_buf(&b);
}

static struct err *recover(const struct options *o, const struct offline_voter *v)
{
        if (!o->yes) {
                printf("member %s of cluster %s would become its only voter, with entry %" PRIu64 " of term %" PRIu64 " as the last.\n"
                       "What the other voters know beyond it is lost. None of them may be started again with its old directory.\n"
                       "Give --yes to do it.\n", v->member, v->cluster, v->now.last_index, v->now.term);
                return NULL;
        }
        TRY(cluster_offline_recover(v));
        printf("member %s is the only voter of cluster %s now: start it, then let the others join anew\n", v->member, v->cluster);
        return NULL;
}

static struct err *run(const struct options *o)
{
        struct offline_voter v;
        TRY(cluster_offline_inspect(o->dir, &v));
        if (strcmp(o->verb, "export") == 0)
                return cluster_offline_export(&v, export_doc, NULL);
        if (strcmp(o->verb, "recover") == 0)
                return recover(o, &v);
        if (o->json)
                return inspect_json(&v);
        inspect_text(&v);
        return NULL;
}

/* False: wrong, and said so. */
static bool parse(int argc, char **argv, struct options *o, bool *ret_help)
{
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--help") == 0) {
                        *ret_help = true;
                        return true;
                }
                if (strcmp(argv[i], "--json") == 0)
                        o->json = true;
                else if (strcmp(argv[i], "--yes") == 0)
                        o->yes = true;
                else if (argv[i][0] != '-' && !o->verb)
                        o->verb = argv[i];
                else if (argv[i][0] != '-' && !o->dir)
                        o->dir = argv[i];
                else {
                        fprintf(stderr, "orlopd control: unexpected argument %s (see --help)\n", argv[i]);
                        return false;
                }
        }
        if (o->dir && (strcmp(o->verb, "inspect") == 0 || strcmp(o->verb, "export") == 0 || strcmp(o->verb, "recover") == 0))
                return true;
        usage(stderr);
        return false;
}

int control_command(int argc, char **argv)
{
        struct options o = { .verb = NULL };
        bool help = false;
        if (!parse(argc, argv, &o, &help))
                return 2;
        if (help) {
                usage(stdout);
                return 0;
        }
        struct err *e = run(&o);
        if (e == NULL)
                return fflush(stdout) == 0 ? 0 : 1;
        char text[2048];
        fprintf(stderr, "orlopd control: %s\n", err_text(e, text, sizeof(text)));
        err_free(e);
        return 1;
}
