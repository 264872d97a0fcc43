/* client/send.c: one exchange with the server: the request, redirects, waiting when it is busy, and errors out of answers.
 *
 * A body that can be sent once only is announced with "Expect: 100-continue", so that a redirect comes before its first byte; after the
 * first redirected body every later one is announced too. The token goes to the endpoint's host alone. */
#include <stdio.h>

#include "client/priv.h"
#include "os/clock.h"

#define REDIRECTS_MAX 5
#define BUSY_TRIES 4
#define REPLY_MAX ((size_t)256 << 20)
#define ERROR_MAX ((size_t)64 << 10)

/* The caller's source seen by the HTTP client; remembers whether bytes were taken. */
struct feed {
        const struct orlop_source *source;
        bool started;
};

static struct err *feed_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct feed *f = arg;
        f->started = true;
        return f->source->read(f->source->arg, p, n, ret_n) ? NULL : err_static(ERR_CANCELLED);
}

static struct err *feed_rewind(void *arg)
{
        struct feed *f = arg;
        if (!f->started)
                return NULL;
        if (!f->source->rewind || !f->source->rewind(f->source->arg))
                return err_new(ERR_INVALID, "the body cannot be sent a second time");
        f->started = false;
        return NULL;
}

/* Where the next attempt goes. Strings borrow the handle's endpoint, the request's target, or `location`. */
struct hop {
        struct http_endpoint at;
        struct str target;
        char *location; /* heap */
};

/* "http://host:port/path?query" or "/path?query" relative to the current hop. Takes `location` over. */
static struct err *hop_follow(struct hop *hop, char *location)
{
        struct str url = str_of(location);
        if (url.n && url.p[0] == '/' && !str_starts(url, STR("//"))) {
                /* The endpoint's strings may lie in the location that is given up. */
                if (hop->location)
                        return free(location), err_new(ERR_MALFORMED, "a second redirect that names no host");
                hop->target = url;
                hop->location = location;
                return NULL;
        }
        ptrdiff_t scheme = str_find_str(url, STR("://"));
        struct str rest = scheme < 0 ? STR_NONE : str_skip(url, (size_t)scheme + 3);
        ptrdiff_t slash = str_find(rest, '/');
        if (slash < 0) {
                struct err *e = err_new(ERR_MALFORMED, "redirect to \"%s\"", location);
                free(location);
                return e;
        }
        struct str target = str_skip(rest, (size_t)slash);
        struct http_endpoint at;
        struct err *e = http_endpoint_parse((struct str){ url.p, (size_t)(target.p - url.p) }, &at);
        if (e) {
                free(location);
                return err_wrap(e, "redirect");
        }
        free(hop->location);
        *hop = (struct hop){ at, target, location };
        return NULL;
}

static bool token_allowed(const struct orlop *h, const struct http_endpoint *at)
{
        return h->token && str_eq(at->host, h->at.host) && (at->tls || !h->at.tls);
}

static struct err *send_once(struct orlop *h, const struct client_request *rq, const struct hop *hop, struct feed *feed, struct http_reply **ret)
{
        AUTO_BUF struct buf head = BUF_INIT;
        buf_adds(&head, buf_str(&rq->head));
        if (token_allowed(h, &hop->at))
                buf_printf(&head, "Authorization: Bearer %s\r\n", h->token);
        if (rq->body.p)
                buf_adds(&head, STR("Content-Type: application/json\r\n"));
        TRY(buf_err(&head));
        struct http_client_request out = {
                .method = rq->method,
                .endpoint = hop->at,
                .target = hop->target,
                .head = buf_str(&head),
                .body = rq->body,
        };
        if (rq->source) {
                bool repeatable = rq->source->rewind != NULL;
                out.body_read = feed_read;
                out.body_rewind = repeatable ? feed_rewind : NULL;
                out.body_arg = feed;
                out.body_length = rq->source->length;
                out.expect_continue = rq->source->length != 0 && (!repeatable || atomic_load(&h->redirects));
        }
        return http_client_send(h->http, &out, ret);
}

static bool is_redirect(int status)
{
        return status == 301 || status == 302 || status == 307 || status == 308;
}

/* Seconds to wait before another try, 0 not to try: only what the server answered before doing anything. */
static unsigned busy_wait_ms(const struct http_reply *r, unsigned attempt)
{
        int status = http_reply_status(r);
        if ((status != 503 && status != 429) || attempt + 1 >= BUSY_TRIES)
                return 0;
        uint64_t s;
        if (str_u64(http_reply_header(r, STR("Retry-After")), &s))
                return s <= 10 ? (unsigned)MAX(s, 1u) * 1000 : 0;
        return 100u << (2 * attempt);
}

static struct err *rewind_for_retry(const struct client_request *rq, struct feed *feed)
{
        return rq->source ? feed_rewind(feed) : NULL;
}

/* Until an answer that is neither a redirect nor "busy, come again". *started tells whether bytes of the source were taken, on errors too. */
static struct err *send_all(struct orlop *h, struct client_request *rq, struct hop *hop, struct http_reply **ret, bool *started)
{
        struct feed feed = { rq->source, false };
        unsigned redirects = 0, busy = 0;
        for (;;) {
                struct http_reply *r = NULL;
                struct err *e = send_once(h, rq, hop, &feed, &r);
                *started = feed.started;
                if (e)
                        return e;
                int status = http_reply_status(r);
                unsigned wait_ms = busy_wait_ms(r, busy);
                if (!is_redirect(status) && (!wait_ms || (feed.started && !rq->source->rewind))) {
                        *ret = r;
                        return NULL;
                }
                char *location = is_redirect(status) ? str_dup(http_reply_header(r, STR("Location"))) : NULL;
                http_reply_close(r);
                if (is_redirect(status)) {
                        if (!location)
                                return err_static(ERR_NO_MEMORY);
                        if (++redirects > REDIRECTS_MAX)
                                return free(location), err_new(ERR_MALFORMED, "more than %d redirects", REDIRECTS_MAX);
                        if (rq->source)
                                atomic_store(&h->redirects, true);
                        TRY(hop_follow(hop, location));
                } else {
                        busy++;
                        clock_sleep_ns((int64_t)wait_ms * NS_PER_MS);
                }
                TRY(rewind_for_retry(rq, &feed));
        }
}

/* The error that an answer of status 400 or above stands for; ends the reply. */
static enum orlop_code fail_reply(struct client_request *rq, struct http_reply *r, struct orlop_error *ret_error)
{
        AUTO_BUF struct buf text = BUF_INIT;
        int status = http_reply_status(r);
        struct str header = http_reply_header(r, STR("Hdr-Error"));
        if (header.n)
                buf_adds(&text, header);
        else if (strcmp(rq->method, "HEAD") != 0)
                err_free(http_reply_read_all(r, ERROR_MAX, &text)); /* the status says enough without its text */
        http_reply_close(r);
        return client__error_status(ret_error, status, buf_str(&text));
}

enum orlop_code client__send(struct orlop *h, struct client_request *rq, struct http_reply **ret, struct orlop_error *ret_error)
{
        struct err *bad = err_first(buf_err(&rq->target), buf_err(&rq->head));
        if (bad) {
                err_free(bad);
                return client__error(ret_error, ORLOP_INVALID, "a header of the request holds control bytes, or memory is short");
        }
        AUTO_BUF struct buf target = BUF_INIT;
        buf_adds(&target, h->at.base);
        buf_adds(&target, buf_str(&rq->target));
        struct err *e = buf_err(&target);
        struct hop hop = { h->at, buf_str(&target), NULL };
        struct http_reply *r = NULL;
        bool started = false;
        if (!e)
                e = send_all(h, rq, &hop, &r, &started);
        free(hop.location);
        if (e) {
                /* Headers were checked above, and bodies count as started: what is invalid now is the address. */
                bool address = err_code(e) == ERR_INVALID && !started;
                enum orlop_code code = client__error_of(ret_error, e);
                if (address && ret_error)
                        ret_error->code = ORLOP_CONNECTION;
                return address ? ORLOP_CONNECTION : code;
        }
        if (http_reply_status(r) >= 400)
                return fail_reply(rq, r, ret_error);
        if (http_reply_status(r) >= 300) {
                int status = http_reply_status(r);
                http_reply_close(r);
                return client__error(ret_error, ORLOP_FAILED, "unexpected answer: HTTP status %d", status);
        }
        *ret = r;
        return ORLOP_OK;
}

enum orlop_code client__do(struct orlop *h, struct client_request *rq, struct buf *b, struct http_reply **ret_reply,
                           struct orlop_error *ret_error)
{
        struct http_reply *r;
        enum orlop_code code = client__send(h, rq, &r, ret_error);
        if (code)
                return code;
        AUTO_BUF struct buf drop = BUF_INIT;
        struct err *e = http_reply_read_all(r, REPLY_MAX, b ? b : &drop);
        if (e || !ret_reply)
                http_reply_close(r);
        if (e)
                return client__error_of(ret_error, e);
        if (ret_reply)
                *ret_reply = r;
        return ORLOP_OK;
}

void client__copy_header(const struct http_reply *r, const char *name, char *dst, size_t size)
{
        str_copy(dst, size, http_reply_header(r, str_of(name)));
}

/* All "key=value" headers of custom metadata, as far as there is room. */
static void copy_custom(const struct http_reply *r, struct orlop_info *ret)
{
        struct str name, value;
        size_t used = 0;
        for (unsigned i = 0; http_reply_header_at(r, i, &name, &value); i++) {
                if (!str_eq_nocase(name, STR("Ais-Custom-Md")) || used + value.n + 1 > sizeof(ret->custom))
                        continue;
                str_copy(ret->custom + used, sizeof(ret->custom) - used, value);
                used += value.n + 1;
                ret->ncustom++;
        }
}

void client__info(const struct http_reply *r, struct orlop_info *ret)
{
        *ret = (struct orlop_info){ .present = true };
        int64_t length = http_reply_length(r);
        ret->size = length > 0 ? (uint64_t)length : 0;
        client__copy_header(r, "Ais-Checksum-Type", ret->cksum_type, sizeof(ret->cksum_type));
        client__copy_header(r, "Ais-Checksum-Value", ret->cksum_value, sizeof(ret->cksum_value));
        client__copy_header(r, "Ais-Version", ret->version, sizeof(ret->version));
        client__copy_header(r, "Etag", ret->etag, sizeof(ret->etag));
        client__copy_header(r, "Last-Modified", ret->last_modified, sizeof(ret->last_modified));
        client__copy_header(r, "Ais-Location", ret->location, sizeof(ret->location));
        uint64_t copies = 1;
        (void)str_i64(http_reply_header(r, STR("Ais-Atime")), &ret->atime_ns);
        (void)str_u64(http_reply_header(r, STR("Ais-Mirror-Copies")), &copies);
        ret->copies = (unsigned)MIN(copies, 1000u);
        struct str present = http_reply_header(r, STR("Ais-Present"));
        if (present.n)
                (void)str_bool(present, &ret->present);
        copy_custom(r, ret);
}
