/* client/job.c: waiting for a job by asking for its snapshots. */
#include "client/priv.h"
#include "os/clock.h"

#define POLL_FIRST_NS (10 * NS_PER_MS)
#define POLL_MAX_NS (500 * NS_PER_MS)

static enum orlop_code ask(struct orlop *h, const char *id, json_t **ret, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT, reply = BUF_INIT;
        struct json_w w;
        client__request_init(&rq, "GET", "/v1/cluster");
        client__query_add(&rq, "what", "qryxstats");
        jw_init(&w, &body, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "id", id);
        jw_object_end(&w);
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(h, &rq, &reply, NULL, ret_error);
        if (code)
                return code;
        struct err *e = json_parse(buf_str(&reply), SIZE_MAX, ret);
        return e ? client__error_of(ret_error, err_wrap(e, "state of job \"%s\"", id)) : ORLOP_OK;
}

static bool snap_running(const json_t *snap)
{
        struct str end = json_str(json_object_get(snap, "end-time"));
        bool aborted = json_is_true(json_object_get(snap, "aborted"));
        return !aborted && (!end.n || str_starts(end, STR("0001-01-01")));
}

/* Looks at all nodes' snapshots: the first error, and whether any still runs. */
static bool any_running(const json_t *nodes, struct str *ret_failure)
{
        const char *node;
        json_t *snaps;
        bool running = false;
        json_object_foreach((json_t *)(uintptr_t)nodes, node, snaps)
        {
                for (size_t i = 0; i < json_array_size(snaps); i++) {
                        const json_t *s = json_array_get(snaps, i);
                        running = running || snap_running(s);
                        struct str err = json_str(json_object_get(s, "err")), abort_err = json_str(json_object_get(s, "abort-err"));
                        if (abort_err.n)
                                *ret_failure = abort_err;
                        else if (err.n && !ret_failure->n)
                                *ret_failure = err;
                        else if (json_is_true(json_object_get(s, "aborted")) && !ret_failure->n)
                                *ret_failure = STR("aborted");
                }
        }
        return running;
}

enum orlop_code orlop_job_wait(struct orlop *h, const char *id, unsigned timeout_ms, struct orlop_error *ret_error)
{
        int64_t deadline = timeout_ms ? clock_mono_ns() + (int64_t)timeout_ms * NS_PER_MS : INT64_MAX;
        for (int64_t wait = POLL_FIRST_NS;; wait = MIN(wait * 2, POLL_MAX_NS)) {
                AUTO_JSON json_t *nodes = NULL;
                struct str failure = STR_NONE;
                enum orlop_code code = ask(h, id, &nodes, ret_error);
                if (code)
                        return code;
                if (!any_running(nodes, &failure))
                        return failure.n ? client__error(ret_error, ORLOP_FAILED, "job %s: " STR_FMT, id, STR_ARG(failure)) : ORLOP_OK;
                if (clock_mono_ns() >= deadline)
                        return client__error(ret_error, ORLOP_TIMEOUT, "job %s is still running", id);
                clock_sleep_ns(wait);
        }
}
