/* net/testapp/main.c: the test application as a program, for tests/conversations/run and for measurements by hand.
 *
 *   net-testapp [--listen ADDRESS] [--tls ADDRESS CERT KEY] [--loops N] [--head-ms N] [--idle-ms N] [--grace-ms N]
 * [--linger-ms N]
 *
 * Prints one line per listener ("ready ADDRESS") when it serves; SIGHUP reloads the certificate; SIGTERM and SIGINT end
 * it. */
#include <signal.h>
#include <stdio.h>

#include "net/testapp/app.h"
#include "os/clock.h"

struct args {
        const char *listen, *tls, *cert, *key;
        struct http_server_options o;
};

static int64_t ms(const char *text)
{
        return (int64_t)strtoll(text, NULL, 10) * NS_PER_MS;
}

static bool parse(int argc, char **argv, struct args *a)
{
        for (int i = 1; i + 1 < argc; i += 2) {
                struct str name = str_of(argv[i]);
                const char *v = argv[i + 1];
                if (str_eq(name, STR("--listen"))) {
                        a->listen = v;
                } else if (str_eq(name, STR("--tls")) && i + 3 < argc) {
                        a->tls = v;
                        a->cert = argv[i + 2];
                        a->key = argv[i + 3];
                        i += 2;
                } else if (str_eq(name, STR("--loops"))) {
                        a->o.loops = (unsigned)strtoul(v, NULL, 10);
                } else if (str_eq(name, STR("--head-ms"))) {
                        a->o.limits.head_timeout_ns = ms(v);
                } else if (str_eq(name, STR("--idle-ms"))) {
                        a->o.limits.idle_timeout_ns = ms(v);
                } else if (str_eq(name, STR("--grace-ms"))) {
                        a->o.limits.min_rate_grace_ns = ms(v);
                } else if (str_eq(name, STR("--linger-ms"))) {
                        a->o.limits.linger_ns = ms(v);
                } else {
                        return false;
                }
        }
        return true;
}

static struct err *serve(struct testapp *t, struct args *a, struct tls_ctx **tls)
{
        struct http_listener listeners[2] = { { .address = a->listen }, { .address = a->tls } };
        a->o.listeners = listeners;
        a->o.nlisteners = 1;
        if (a->tls) {
                TRY(tls_server_new(a->cert, a->key, tls));
                listeners[1].tls = *tls;
                a->o.nlisteners = 2;
        }
        TRY(testapp_serve(t, &a->o));
        for (unsigned i = 0; i < a->o.nlisteners; i++) {
                char text[64];
                printf("ready %s\n", http_server_address(testapp_server(t), i, text));
        }
        (void)fflush(stdout);
        return NULL;
}

static int fail(struct err *e)
{
        char text[512];
        (void)fprintf(stderr, "net-testapp: %s\n", err_text(e, text, sizeof(text)));
        err_free(e);
        return 1;
}

int main(int argc, char **argv)
{
        struct args a = { .listen = "127.0.0.1:0" };
        struct tls_ctx *tls = NULL;
        struct testapp *t;
        sigset_t set;
        int sig;
        if (!parse(argc, argv, &a)) {
                (void)fprintf(stderr, "net-testapp: unknown option\n");
                return 2;
        }
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        struct err *e = testapp_new(16, 4096, &t);
        if (!e)
                e = serve(t, &a, &tls);
        if (e)
                return fail(e);
        while (sigwait(&set, &sig) == 0 && sig == SIGHUP) {
                e = tls ? tls_server_reload(tls) : NULL;
                if (e)
                        (void)fail(e);
        }
        testapp_free(t, 5 * NS_PER_SEC);
        tls_ctx_free(tls);
        return 0;
}
