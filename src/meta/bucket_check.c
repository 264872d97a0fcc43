/* meta/bucket_check.c: rules that concern several bucket properties, or a property and the cluster. Pure; ERR_INVALID,
 * ERR_NOT_ENOUGH_TARGETS. */
#include <stdio.h>

#include "meta/bucket_priv.h"

/* "put:10 get:20" */
static struct err *check_verbs(const char *side, const char *value)
{
        struct str rest = str_of(value);
        while (rest.n) {
                struct str tokens = str_cut(&rest, ' ');
                struct str verb = str_cut(&tokens, ':');
                uint64_t n;
                if (verb.n == 0 || !str_u64(str_trim(tokens), &n) || n == 0 || n > INT32_MAX)
                        return err_new(
                                ERR_INVALID,
                                "rate limit: invalid %s.per_op_max_tokens \"%s\" (expecting e.g. \"put:10 get:20\")",
                                side, value);
        }
        return NULL;
}

static struct err *check_rate_limit(const struct bucket_props *p)
{
        int64_t burst = p->rate_limit.frontend.burst_size, tokens = p->rate_limit.frontend.max_tokens;
        if (burst <= 0 || burst > tokens / 2)
                return err_new(ERR_INVALID,
                               "rate limit: invalid frontend.burst_size %lld (expecting positive integer <= (50%% of "
                               "maxTokens %lld)",
                               (long long)burst, (long long)tokens);
        TRY(check_verbs("backend", p->rate_limit.backend.per_op_max_tokens));
        return check_verbs("frontend", p->rate_limit.frontend.per_op_max_tokens);
}

struct err *bucket__features_check(uint64_t features)
{
        static const struct { unsigned a, b; const char *text; } exclusive[] = {
                { 11, 12, "\"Disable-Cold-GET\" and \"Streaming-Cold-GET\"" },
                { 13, 27, "\"S3-Reverse-Proxy\" and \"S3-Redirect-Rebuild\"" },
        };
        for (size_t i = 0; i < ARRAY_LEN(exclusive); i++)
                if ((features >> exclusive[i].a & 1) && (features >> exclusive[i].b & 1))
                        return err_new(ERR_INVALID, "feature flags %s are mutually exclusive", exclusive[i].text);
        return NULL;
}

struct err *bucket__sections_check(const struct bucket_props *p, bool all)
{
        char limit[32], most[32];
        TRY(check_rate_limit(p));
        if (p->chunks.objsize_limit > p->chunks.max_monolithic_size)
                return err_new(ERR_INVALID,
                               "invalid chunks.objsize_limit %s - cannot be greater than chunks.max_monolithic_size %s",
                               str_size_text(p->chunks.objsize_limit, limit),
                               str_size_text(p->chunks.max_monolithic_size, most));
        if (!p->versioning.enabled && p->versioning.validate_warm_get)
                return err_new(ERR_INVALID, "versioning.validate_warm_get requires versioning to be enabled");
        if (all && p->mirror.copies < 2)
                return err_new(ERR_INVALID, "invalid mirror.copies: %lld (expected value in range [2, 32])",
                               (long long)p->mirror.copies);
        return bucket__features_check(p->features);
}

/* Data and parity and the whole object; with no limit only whole copies. */
static struct err *check_ec(const struct bucket_props *old, const struct bucket_props *p, bool force, unsigned targets)
{
        if (!p->ec.enabled)
                return NULL;
        if (old->ec.enabled) {
                if (old->ec.data_slices != p->ec.data_slices || old->ec.parity_slices != p->ec.parity_slices)
                        return err_new(ERR_INVALID,
                                       "once enabled, EC data/parity slices cannot change (old D=%lld, P=%lld; new "
                                       "D=%lld, P=%lld)",
                                       (long long)old->ec.data_slices, (long long)old->ec.parity_slices,
                                       (long long)p->ec.data_slices, (long long)p->ec.parity_slices);
                if (old->ec.objsize_limit != p->ec.objsize_limit && !force)
                        return err_new(ERR_INVALID,
                                       "cannot change EC object-size limit (%lld => %lld) while EC is enabled (tip: "
                                       "consider using '--force')",
                                       (long long)old->ec.objsize_limit, (long long)p->ec.objsize_limit);
        }
        int64_t needed =
                p->ec.objsize_limit == -1 ? p->ec.parity_slices + 1 : p->ec.data_slices + p->ec.parity_slices + 1;
        if (needed > (int64_t)targets && !force)
                return err_new(ERR_NOT_ENOUGH_TARGETS,
                               "not enough target nodes: EC configuration (D = %lld, P = %lld) requires at least %lld "
                               "targets (have %u)",
                               (long long)p->ec.data_slices, (long long)p->ec.parity_slices, (long long)needed,
                               targets);
        return NULL;
}

static struct err *check_mirror(const struct bucket_props *old, struct bucket_props *p, unsigned mountpaths)
{
        if (p->mirror.copies == 1) {
                /* One copy means "no mirroring"; switched on without a number it means the usual two. */
                if (p->mirror.enabled && !old->mirror.enabled)
                        p->mirror.copies = 2;
                else
                        p->mirror.enabled = false;
        }
        if (!p->mirror.enabled)
                return NULL;
        bool more = !old->mirror.enabled || p->mirror.copies > old->mirror.copies;
        if (more && p->mirror.copies > (int64_t)mountpaths)
                return err_new(ERR_INVALID, "number of copies (%lld) exceeds the number of mountpaths (%u)",
                               (long long)p->mirror.copies, mountpaths);
        if (p->chunks.objsize_limit)
                return err_new(ERR_INVALID,
                               "n-way mirroring and chunking cannot be enabled at the same time on the same bucket "
                               "(MPU chunking is still allowed)");
        return NULL;
}

static bool has_outer_blanks(const char *s)
{
        struct str t = str_trim(str_of(s));
        return t.n != strlen(s);
}

static struct err *check_extra(const struct bucket_props *p)
{
        const struct { const char *name, *value; } texts[] = {
                { "aws.cloud_region", p->extra.aws_region },
                { "aws.profile", p->extra.aws_profile },
                { "aws.endpoint", p->extra.aws_endpoint },
                { "oci.region", p->extra.oci_region },
        };
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                if (has_outer_blanks(texts[i].value))
                        return err_new(ERR_INVALID, "invalid extra.%s: leading/trailing whitespace", texts[i].name);
        struct str endpoint = str_of(p->extra.aws_endpoint), creds = str_of(p->extra.gcp_creds);
        if (endpoint.n && !str_starts(endpoint, STR("http://")) && !str_starts(endpoint, STR("https://")))
                return err_new(ERR_INVALID, "invalid extra.aws.endpoint \"%s\": expecting http or https", endpoint.p);
        if (creds.n && creds.p[0] != '/')
                return err_new(ERR_INVALID, "invalid extra.gcp.application_creds \"%s\" must be absolute", creds.p);
        return NULL;
}

static struct err *check_backend(const struct bucket_props *p)
{
        char text[192];
        const struct bck *b = &p->backend_bck;
        if (b->name[0] && !bck_is_remote(b))
                return err_new(ERR_INVALID, "backend bucket \"%s\" must be remote", bck_text(b, text));
        return NULL;
}

struct err *bucket__props_check(const struct bucket_props *old, struct bucket_props *p, bool force, unsigned targets,
                                unsigned mountpaths)
{
        TRY(check_backend(p));
        TRY(check_mirror(old, p, mountpaths));
        TRY(check_extra(p));
        TRY(bucket__sections_check(p, false));
        TRY(check_ec(old, p, force, targets));
        p->features &= BUCKET_FEATURES;
        return NULL;
}
