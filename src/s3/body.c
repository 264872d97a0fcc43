/* s3/body.c: bodies, decoded and checked. States:
 *
 *   PLAIN ── source ends ──► DONE
 *   SIZE ── "hex[;chunk-signature=…]" ──► DATA ── all bytes, signature right, CRLF ──► SIZE
 *   SIZE ── size 0, signature right ──► TRAILER ── empty line or end of the source ──► DONE
 *
 * On the way into DONE the promises are checked. Any failure ends in FAILED, which answers with the same fault for
 * ever. Framing lines pass through the stage; long runs of data go from the source into the caller's memory. */
#include "s3/body.h"

#include <stdio.h>

enum { PLAIN, SIZE, DATA, DATA_END, TRAILER, DONE, FAILED };

#define LINE_MAX_ 1024 /* of a chunk's head or a line of the trailer */
#define TRAILER_LINES_MAX 8u

void s3_body_init(struct s3_body *b, const struct s3_body_rules *rules, http_body_read_fn *source, void *arg)
{
        memset(b, 0, offsetof(struct s3_body, stage));
        b->rules = *rules;
        b->source = source;
        b->arg = arg;
        b->state = rules->payload == S3_PAYLOAD_UNSIGNED || rules->payload == S3_PAYLOAD_SHA256 ? PLAIN : SIZE;
        s3_cksum_init(&b->cksum, rules->cksum);
        s3_cksum_init(&b->md5, rules->has_md5 ? S3_CKSUM_MD5 : S3_CKSUM_NONE);
        digest_init(&b->chunk, DIGEST_SHA256);
        digest_init(&b->trailer, DIGEST_SHA256);
}

static struct err *refuse(struct s3_body *b, enum s3_code c, const char *text)
{
        b->state = FAILED;
        (void)s3_fault_set(&b->fault, c, text != NULL ? "%s" : NULL, text);
        enum err_code code = c == S3_SIGNATURE_DOES_NOT_MATCH                ? ERR_FORBIDDEN
                             : c == S3_BAD_DIGEST || c == S3_SHA256_MISMATCH ? ERR_BAD_CHECKSUM
                                                                             : ERR_MALFORMED;
        return err_new(code, "upload refused: %s: %s", s3_code_name(c), text != NULL ? text : s3_code_text(c));
}

static bool is_signed(const struct s3_body *b)
{
        return b->rules.payload == S3_PAYLOAD_STREAM || b->rules.payload == S3_PAYLOAD_STREAM_TRAILER;
}

/* ---- the source, by way of the stage ---- */

static struct err *fill(struct s3_body *b, bool *ret_end)
{
        size_t n;
        if (b->stage_at > 0) {
                memmove(b->stage, b->stage + b->stage_at, b->stage_n - b->stage_at);
                b->stage_n -= b->stage_at;
                b->stage_at = 0;
        }
        TRY(b->source(b->arg, b->stage + b->stage_n, sizeof(b->stage) - b->stage_n, &n));
        b->stage_n += n;
        *ret_end = n == 0;
        return NULL;
}

/* A line that ends in CRLF, without it; borrowed until the next call. p null: the source ended before one byte of it.
 */
static struct err *read_line(struct s3_body *b, struct str *ret)
{
        for (;;) {
                struct str in = { b->stage + b->stage_at, b->stage_n - b->stage_at };
                ptrdiff_t at = str_find(in, '\n');
                bool end = false;
                if (at >= 0) {
                        if (at == 0 || in.p[at - 1] != '\r' || at > LINE_MAX_)
                                return refuse(b, S3_INVALID_REQUEST, "a line of the chunked body is malformed");
                        b->stage_at += (size_t)at + 1;
                        *ret = (struct str){ in.p, (size_t)at - 1 };
                        return NULL;
                }
                if (in.n > LINE_MAX_)
                        return refuse(b, S3_INVALID_REQUEST, "a line of the chunked body is too long");
                TRY(fill(b, &end));
                if (end && in.n == 0) {
                        *ret = STR_NONE;
                        return NULL;
                }
                if (end)
                        return refuse(b, S3_INCOMPLETE_BODY, NULL);
        }
}

/* Up to n bytes of content, from the stage or past it. */
static struct err *read_data(struct s3_body *b, char *p, size_t n, size_t *ret_n)
{
        size_t here = b->stage_n - b->stage_at;
        if (here == 0)
                return b->source(b->arg, p, n, ret_n);
        n = MIN(n, here);
        memcpy(p, b->stage + b->stage_at, n);
        b->stage_at += n;
        *ret_n = n;
        return NULL;
}

/* ---- the end: every promise ---- */

static struct err *check_all(struct s3_body *b)
{
        unsigned char v[DIGEST_MAX];
        char text[128];
        if (b->rules.length >= 0 && b->got != (uint64_t)b->rules.length)
                return refuse(b, S3_INCOMPLETE_BODY, NULL);
        if (b->rules.payload == S3_PAYLOAD_SHA256) {
                (void)digest_final(&b->chunk, v);
                if (!hash_equal_ct(v, b->rules.sha256, 32))
                        return refuse(b, S3_SHA256_MISMATCH, NULL);
        }
        if (b->rules.has_md5) {
                s3_cksum_final(&b->md5, v);
                if (memcmp(v, b->rules.md5, sizeof(b->rules.md5)) != 0)
                        return refuse(b, S3_BAD_DIGEST, "The Content-MD5 you specified did not match what we received");
        }
        if (b->rules.cksum == S3_CKSUM_NONE)
                return NULL;
        s3_cksum_final(&b->cksum, b->cksum_value);
        if ((b->rules.cksum_known || b->trailer_seen) &&
            memcmp(b->cksum_value, b->rules.cksum_value, s3_cksum_size(b->rules.cksum)) != 0) {
                snprintf(text, sizeof(text), "The %s you specified did not match the calculated checksum",
                         s3_cksum_name(b->rules.cksum));
                return refuse(b, S3_BAD_DIGEST, text);
        }
        return NULL;
}

static struct err *finish(struct s3_body *b)
{
        TRY(check_all(b));
        b->state = DONE;
        explicit_bzero(&b->rules.chain, sizeof(b->rules.chain));
        return NULL;
}

/* ---- states ---- */

static struct err *check_chunk_signature(struct s3_body *b)
{
        unsigned char d[DIGEST_MAX];
        char expected[S3_SIGNATURE_CHARS + 1];
        if (!is_signed(b) || b->rules.unproven)
                return NULL;
        (void)digest_final(&b->chunk, d);
        digest_init(&b->chunk, DIGEST_SHA256);
        s3_sig_chain_chunk(&b->rules.chain, d, expected);
        if (!hash_equal_ct(expected, b->chunk_signature, S3_SIGNATURE_CHARS))
                return refuse(b, S3_SIGNATURE_DOES_NOT_MATCH, "The signature of a chunk does not match");
        return NULL;
}

static struct err *on_size(struct s3_body *b)
{
        struct str line, size;
        uint64_t n;
        TRY(read_line(b, &line));
        if (line.p == NULL)
                return refuse(b, S3_INCOMPLETE_BODY, NULL);
        bool has_extension = str_find(line, ';') >= 0;
        size = str_cut(&line, ';');
        if (!str_hex64(size, &n) || size.n > 16)
                return refuse(b, S3_INVALID_REQUEST, "the size of a chunk is malformed");
        if (is_signed(b)) {
                if (!str_starts(line, STR("chunk-signature=")) || line.n != 16 + S3_SIGNATURE_CHARS)
                        return refuse(b, S3_SIGNATURE_DOES_NOT_MATCH, "A chunk is not signed");
                memcpy(b->chunk_signature, line.p + 16, S3_SIGNATURE_CHARS);
        } else if (has_extension) {
                return refuse(b, S3_INVALID_REQUEST, "a chunk has an extension that was not announced");
        }
        if (b->rules.length >= 0 && n > (uint64_t)b->rules.length - b->got)
                return refuse(b, S3_INCOMPLETE_BODY, "The chunks are longer than x-amz-decoded-content-length");
        b->left = n;
        b->state = DATA;
        if (n != 0)
                return NULL;
        TRY(check_chunk_signature(b));
        b->state = TRAILER;
        return NULL;
}

static struct err *on_data_end(struct s3_body *b)
{
        struct str line;
        TRY(check_chunk_signature(b));
        TRY(read_line(b, &line));
        if (line.p == NULL || line.n != 0)
                return refuse(b, line.p == NULL ? S3_INCOMPLETE_BODY : S3_INVALID_REQUEST, NULL);
        b->state = SIZE;
        return NULL;
}

static struct err *take_trailer_line(struct s3_body *b, struct str line)
{
        struct str value = line, name = str_cut(&value, ':');
        enum s3_cksum k;
        value = str_trim(value);
        if (++b->trailer_lines > TRAILER_LINES_MAX || b->rules.payload == S3_PAYLOAD_STREAM || b->trailer_signed)
                return refuse(b, S3_MALFORMED_TRAILER, NULL);
        if (str_eq_nocase(name, STR("x-amz-trailer-signature")) && is_signed(b)) {
                unsigned char d[DIGEST_MAX];
                char expected[S3_SIGNATURE_CHARS + 1];
                (void)digest_final(&b->trailer, d);
                s3_sig_chain_trailer(&b->rules.chain, d, expected);
                if (!b->rules.unproven &&
                    (value.n != S3_SIGNATURE_CHARS || !hash_equal_ct(expected, value.p, S3_SIGNATURE_CHARS)))
                        return refuse(b, S3_SIGNATURE_DOES_NOT_MATCH, "The signature of the trailer does not match");
                b->trailer_signed = true;
                return NULL;
        }
        if (!b->rules.cksum_trails || b->trailer_seen || !s3_cksum_from_header(name, &k) || k != b->rules.cksum)
                return refuse(b, S3_MALFORMED_TRAILER, NULL);
        if (!s3_cksum_parse(k, value, b->rules.cksum_value))
                return refuse(b, S3_INVALID_REQUEST, "The value of the checksum in the trailer is invalid");
        b->trailer_seen = true;
        digest_update(&b->trailer, s3_cksum_header(k), strlen(s3_cksum_header(k)));
        digest_update(&b->trailer, ":", 1);
        digest_update(&b->trailer, value.p, value.n);
        digest_update(&b->trailer, "\n", 1);
        return NULL;
}

/* One empty line too many is what some clients send; anything else is refused. */
static struct err *check_nothing_follows(struct s3_body *b, bool end)
{
        while (!end && b->stage_n - b->stage_at <= 2)
                TRY(fill(b, &end));
        struct str rest = { b->stage + b->stage_at, b->stage_n - b->stage_at };
        if (rest.n != 0 && !str_eq(rest, STR("\r\n")))
                return refuse(b, S3_INVALID_REQUEST, "there are bytes behind the last chunk");
        return NULL;
}

/* The guide's own example lacks the last empty line: the end of the source is as good, if all is there. Nothing may
 * follow. */
static struct err *on_trailer(struct s3_body *b)
{
        struct str line;
        TRY(read_line(b, &line));
        if (line.n != 0)
                return take_trailer_line(b, line);
        /* Between the chunks and the trailer some clients leave an empty line. */
        if (line.p != NULL && b->rules.cksum_trails && !b->trailer_seen && b->trailer_lines == 0) {
                b->trailer_lines++;
                return NULL;
        }
        if (b->rules.cksum_trails && !b->trailer_seen)
                return refuse(b, S3_MALFORMED_TRAILER, NULL);
        if (b->rules.payload == S3_PAYLOAD_STREAM_TRAILER && !b->trailer_signed)
                return refuse(b, S3_SIGNATURE_DOES_NOT_MATCH, "The trailer is not signed");
        TRY(check_nothing_follows(b, line.p == NULL));
        return finish(b);
}

static void count(struct s3_body *b, const char *p, size_t n)
{
        b->got += n;
        if ((is_signed(b) && !b->rules.unproven) || b->rules.payload == S3_PAYLOAD_SHA256)
                digest_update(&b->chunk, p, n);
        s3_cksum_update(&b->cksum, p, n);
        s3_cksum_update(&b->md5, p, n);
}

static struct err *on_plain(struct s3_body *b, char *p, size_t n, size_t *ret_n)
{
        TRY(b->source(b->arg, p, n, ret_n));
        if (*ret_n == 0)
                return finish(b);
        if (b->rules.length >= 0 && *ret_n > (uint64_t)b->rules.length - b->got)
                return refuse(b, S3_INCOMPLETE_BODY, NULL);
        count(b, p, *ret_n);
        return NULL;
}

static struct err *on_data(struct s3_body *b, char *p, size_t n, size_t *ret_n)
{
        TRY(read_data(b, p, (size_t)MIN((uint64_t)n, b->left), ret_n));
        if (*ret_n == 0)
                return refuse(b, S3_INCOMPLETE_BODY, NULL);
        count(b, p, *ret_n);
        b->left -= *ret_n;
        if (b->left == 0)
                b->state = DATA_END;
        return NULL;
}

/* The next run of content; *ret_n = 0 and state DONE at the end. */
static struct err *next(struct s3_body *b, char *p, size_t n, size_t *ret_n)
{
        *ret_n = 0;
        while (*ret_n == 0 && b->state != DONE) {
                switch (b->state) {
                case PLAIN:
                        TRY(on_plain(b, p, n, ret_n));
                        break;
                case SIZE:
                        TRY(on_size(b));
                        break;
                case DATA:
                        TRY(on_data(b, p, n, ret_n));
                        break;
                case DATA_END:
                        TRY(on_data_end(b));
                        break;
                case TRAILER:
                        TRY(on_trailer(b));
                        break;
                default:
                        return err_new(ERR_MALFORMED, "upload refused: %s", s3_code_name(b->fault.code));
                }
        }
        return NULL;
}

struct err *s3_body_read(void *body, void *p, size_t n, size_t *ret_n)
{
        struct s3_body *b = body;
        char *out = p, one;
        size_t k;
        *ret_n = 0;
        if (n == 0)
                return NULL;
        for (;;) {
                size_t have = b->held;
                if (have != 0 && n == 1) {
                        TRY(next(b, &one, 1, &k));
                        out[0] = b->held_byte;
                        b->held_byte = one;
                        b->held = k != 0;
                        *ret_n = 1;
                        return NULL;
                }
                TRY(next(b, out + have, n - have, &k));
                if (have != 0)
                        out[0] = b->held_byte;
                b->held = k != 0;
                if (k == 0) {
                        *ret_n = have;
                        return NULL;
                }
                b->held_byte = out[have + k - 1];
                *ret_n = have + k - 1;
                if (*ret_n != 0)
                        return NULL;
        }
}
