/* s3/write_list.c: the four listings of a bucket. They differ in names of elements and in what an entry tells, which
 * the switches below say. */
#include "s3/write.h"

#include "base/xml.h"
#include "s3/priv.h"
#include "s3/write_priv.h"

static const char *const roots[] = {
        [S3_LIST_V1] = "ListBucketResult",
        [S3_LIST_V2] = "ListBucketResult",
        [S3_LIST_VERSIONS] = "ListVersionsResult",
        [S3_LIST_UPLOADS] = "ListMultipartUploadsResult",
};

void s3__write_key(struct buf *b, const char *name, struct str key, bool url)
{
        if (!url) {
                xml_text(b, name, key);
                return;
        }
        xml_open(b, name);
        s3__encode(b, key, true);
        xml_close(b, name);
}

static void write_markers(struct buf *b, const struct s3_list_head *h)
{
        switch (h->kind) {
        case S3_LIST_V1:
                s3__write_key(b, "Marker", h->marker, h->url);
                break;
        case S3_LIST_V2:
                if (h->marker.n != 0)
                        s3__write_key(b, "StartAfter", h->marker, h->url);
                s3__write_some(b, "ContinuationToken", h->token);
                break;
        case S3_LIST_VERSIONS:
                s3__write_key(b, "KeyMarker", h->marker, h->url);
                xml_text(b, "VersionIdMarker", h->id_marker);
                break;
        case S3_LIST_UPLOADS:
                s3__write_key(b, "KeyMarker", h->marker, h->url);
                xml_text(b, "UploadIdMarker", h->id_marker);
                break;
        }
}

void s3_write_list_begin(struct buf *b, const struct s3_list_head *h)
{
        s3__write_begin(b, roots[h->kind]);
        xml_text(b, h->kind == S3_LIST_UPLOADS ? "Bucket" : "Name", h->bucket);
        s3__write_key(b, "Prefix", h->prefix, h->url);
        write_markers(b, h);
        xml_uint(b, h->kind == S3_LIST_UPLOADS ? "MaxUploads" : "MaxKeys", h->max_keys);
        if (h->delimiter.n != 0)
                s3__write_key(b, "Delimiter", h->delimiter, h->url);
        if (h->url)
                xml_cstr(b, "EncodingType", "url");
}

static void write_object(struct buf *b, const struct s3_list_head *h, const struct s3_list_entry *e, const char *name)
{
        xml_open(b, name);
        s3__write_key(b, "Key", e->key, h->url);
        if (h->kind == S3_LIST_VERSIONS) {
                xml_text(b, "VersionId", e->version_id);
                xml_bool(b, "IsLatest", e->latest);
        }
        s3__write_time(b, "LastModified", e->modified_ns);
        if (!e->marker) {
                s3__write_etag(b, e->etag);
                if (e->cksum != S3_CKSUM_NONE) {
                        xml_cstr(b, "ChecksumAlgorithm", s3_cksum_name(e->cksum));
                        xml_cstr(b, "ChecksumType", s3_cksum_type_name(e->cksum_type));
                }
                xml_uint(b, "Size", e->size);
        }
        s3__write_owner(b, "Owner", e->owner);
        if (!e->marker)
                xml_text(b, "StorageClass", e->storage_class.p != NULL ? e->storage_class : STR("STANDARD"));
        xml_close(b, name);
}

static void write_upload(struct buf *b, const struct s3_list_head *h, const struct s3_list_entry *e)
{
        xml_open(b, "Upload");
        s3__write_key(b, "Key", e->key, h->url);
        xml_text(b, "UploadId", e->upload_id);
        s3__write_owner(b, "Initiator", e->owner);
        s3__write_owner(b, "Owner", e->owner);
        xml_text(b, "StorageClass", e->storage_class.p != NULL ? e->storage_class : STR("STANDARD"));
        s3__write_time(b, "Initiated", e->modified_ns);
        if (e->cksum != S3_CKSUM_NONE) {
                xml_cstr(b, "ChecksumAlgorithm", s3_cksum_name(e->cksum));
                xml_cstr(b, "ChecksumType", s3_cksum_type_name(e->cksum_type));
        }
        xml_close(b, "Upload");
}

void s3_write_list_entry(struct buf *b, const struct s3_list_head *h, const struct s3_list_entry *e)
{
        if (h->kind == S3_LIST_UPLOADS)
                write_upload(b, h, e);
        else
                write_object(b, h, e,
                             h->kind != S3_LIST_VERSIONS ? "Contents"
                             : e->marker                 ? "DeleteMarker"
                                                         : "Version");
}

void s3_write_list_prefix(struct buf *b, const struct s3_list_head *h, struct str prefix)
{
        xml_open(b, "CommonPrefixes");
        s3__write_key(b, "Prefix", prefix, h->url);
        xml_close(b, "CommonPrefixes");
}

void s3_write_list_end(struct buf *b, const struct s3_list_head *h, const struct s3_list_tail *t)
{
        if (h->kind == S3_LIST_V2)
                xml_uint(b, "KeyCount", t->count);
        xml_bool(b, "IsTruncated", t->truncated);
        if (t->truncated && t->next_marker.n != 0) {
                if (h->kind == S3_LIST_V2)
                        xml_text(b, "NextContinuationToken", t->next_marker);
                else
                        s3__write_key(b, h->kind == S3_LIST_V1 ? "NextMarker" : "NextKeyMarker", t->next_marker,
                                      h->url);
                if (h->kind == S3_LIST_VERSIONS)
                        xml_text(b, "NextVersionIdMarker", t->next_id_marker);
                if (h->kind == S3_LIST_UPLOADS)
                        xml_text(b, "NextUploadIdMarker", t->next_id_marker);
        }
        xml_close(b, roots[h->kind]);
}
