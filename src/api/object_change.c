/* api/object_change.c: what changes an object without writing content: delete, evict, rename, custom metadata, lock
 * queries. */
#include "api/objects.h"

static struct err *delete_object(struct api_req *r)
{
        r->role_target = true;
        if (api_param(r, "uploadId").p != NULL) /* who means an upload must not lose the object */
                return err_new(ERR_INVALID, "uploadId without the action mpt-abort");
        TRY(flow_delete(r->node, r->bucket, r->object));
        stat_add(&r->node->stats, STAT_DEL_N, 1);
        api_reply_empty(r, 200);
        return NULL;
}

static struct err *rename_object(struct api_req *r)
{
        char text[192];
        r->role_target = true;
        TRY_WRAP(object_name_check(r->env.name), "new name");
        if (bck_is_remote(&r->bucket->bck))
                return err_new(ERR_UNSUPPORTED, "rename in remote bucket %s is not supported",
                               bck_text(&r->bucket->bck, text));
        if (str_eq(r->env.name, r->object))
                return err_new(ERR_INVALID, "cannot rename %s/" STR_FMT " onto itself", bck_text(&r->bucket->bck, text),
                               STR_ARG(r->object));
        TRY(flow_rename(r->node, r->bucket, r->object, r->env.name));
        stat_add(&r->node->stats, STAT_REN_N, 1);
        api_reply_empty(r, 200);
        return NULL;
}

/* Pairs leave in header lines. */
static bool has_control(const char *s)
{
        for (; *s != '\0'; s++)
                if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
                        return true;
        return false;
}

struct err *api__object_patch(struct api_req *r)
{
        r->role_target = true;
        bool replace;
        TRY(api_param_bool(r, "set-new-custom", &replace));
        AUTO_BUF struct buf packed = BUF_INIT;
        const char *key;
        json_t *value;
        if (r->env.value != NULL && !json_is_null(r->env.value) && !json_is_object(r->env.value))
                return err_new(ERR_MALFORMED, "custom metadata: expecting an object of strings");
        json_object_foreach(r->env.value, key, value) {
                if (!json_is_string(value))
                        return err_new(ERR_MALFORMED, "custom metadata: value of \"%s\" is not a string", key);
                if (key[0] == '\0' || strchr(key, '=') != NULL || has_control(key) ||
                    has_control(json_string_value(value)) || store_custom_is_content(str_of(key)))
                        return err_new(ERR_INVALID, "custom metadata: \"%s\" has characters that can not be kept", key);
                buf_add_lstr(&packed, str_of(key));
                buf_add_lstr(&packed, json_str(value));
        }
        if (packed.n > 8192)
                return err_new(ERR_INVALID, "custom metadata is too large (%zu bytes, at most 8192)", packed.n);
        TRY(buf_err(&packed));
        TRY(flow_set_custom(r->node, r->bucket, r->object, buf_str(&packed), replace));
        api_reply_empty(r, 200);
        return NULL;
}

/* Readers and writers never lock a name against each other here: always "free". */
static struct err *check_lock(struct api_req *r)
{
        api_reply_empty(r, 200);
        return NULL;
}

static struct err *blob_download(struct api_req *r)
{
        char text[192];
        return err_new(ERR_NOT_REMOTE_BUCKET, "blob-download: expecting remote bucket (have %s)",
                       bck_text(&r->bucket->bck, text));
}

const struct api_route api_routes_objects[] = {
        { HTTP_GET, "objects", NULL, NEED_BUCKET | NEED_OBJECT, ACCESS_GET, api__object_get },
        { HTTP_HEAD, "objects", NULL, NEED_BUCKET | NEED_OBJECT, ACCESS_HEAD_OBJ, api__object_head },
        { HTTP_PUT, "objects", NULL, NEED_BUCKET | NEED_OBJECT, 0, api__object_put_any },
        { HTTP_POST, "objects", "mpt-upload", NEED_BUCKET | NEED_OBJECT, ACCESS_PUT, api__upload_create },
        { HTTP_POST, "objects", "mpt-complete", NEED_BUCKET | NEED_OBJECT, ACCESS_PUT, api__upload_complete },
        { HTTP_POST, "objects", "rename-obj", NEED_BUCKET | NEED_OBJECT, ACCESS_MOVE_OBJ, rename_object },
        { HTTP_POST, "objects", "check-lock", NEED_BUCKET | NEED_OBJECT, ACCESS_HEAD_OBJ, check_lock },
        { HTTP_POST, "objects", "promote", NEED_BUCKET | NEED_PRIMARY, ACCESS_PROMOTE, api__object_promote },
        { HTTP_POST, "objects", "blob-download", NEED_BUCKET, ACCESS_GET, blob_download },
        { HTTP_DELETE, "objects", "mpt-abort", NEED_BUCKET | NEED_OBJECT, ACCESS_PUT, api__upload_abort },
        { HTTP_DELETE, "objects", "evict-listrange", NEED_BUCKET | NEED_OBJECT, ACCESS_DELETE_OBJ,
          delete_object }, /* wire: evicts one */
        { HTTP_DELETE, "objects", NULL, NEED_BUCKET | NEED_OBJECT, ACCESS_DELETE_OBJ, delete_object },
        { HTTP_PATCH, "objects", NULL, NEED_BUCKET | NEED_OBJECT | NEED_ENVELOPE | NEED_ANY_ACTION, ACCESS_UPDATE_OBJ,
          api__object_patch },
        { HTTP_GET, NULL, NULL, 0, 0, NULL },
};
