/* s3/write.c: the documents of answers about buckets, objects and uploads, in the order of elements that S3 has.
 * Listings are in write_list.c. */
#include "s3/write.h"

#include <stdio.h>

#include "base/xml.h"
#include "s3/when.h"
#include "s3/write_priv.h"

void s3__write_begin(struct buf *b, const char *name)
{
        xml_begin(b);
        xml_open_ns(b, name, "http://s3.amazonaws.com/doc/2006-03-01/");
}

void s3__write_some(struct buf *b, const char *name, struct str s)
{
        if (s.p != NULL)
                xml_text(b, name, s);
}

void s3__write_time(struct buf *b, const char *name, int64_t ns)
{
        char text[25];
        xml_cstr(b, name, s3_when_iso_text(ns, text));
}

void s3__write_etag(struct buf *b, struct str etag)
{
        if (etag.p == NULL)
                return;
        xml_open(b, "ETag");
        buf_adds(b, STR("&quot;"));
        xml_escape(b, etag);
        buf_adds(b, STR("&quot;"));
        xml_close(b, "ETag");
}

void s3__write_owner(struct buf *b, const char *name, const struct s3_owner *o)
{
        if (o == NULL)
                return;
        xml_open(b, name);
        xml_text(b, "ID", o->id);
        s3__write_some(b, "DisplayName", o->name);
        xml_close(b, name);
}

static void write_cksum(struct buf *b, enum s3_cksum k, struct str text)
{
        if (text.p != NULL && s3_cksum_element(k) != NULL)
                xml_text(b, s3_cksum_element(k), text);
}

/* ---- buckets ---- */

void s3_write_buckets_begin(struct buf *b, const struct s3_owner *owner)
{
        s3__write_begin(b, "ListAllMyBucketsResult");
        s3__write_owner(b, "Owner", owner);
        xml_open(b, "Buckets");
}

void s3_write_bucket(struct buf *b, struct str name, int64_t created_ns, struct str region)
{
        xml_open(b, "Bucket");
        xml_text(b, "Name", name);
        s3__write_time(b, "CreationDate", created_ns);
        s3__write_some(b, "BucketRegion", region);
        xml_close(b, "Bucket");
}

void s3_write_buckets_end(struct buf *b, struct str prefix, struct str continuation_token)
{
        xml_close(b, "Buckets");
        s3__write_some(b, "ContinuationToken", continuation_token);
        s3__write_some(b, "Prefix", prefix);
        xml_close(b, "ListAllMyBucketsResult");
}

void s3_write_location(struct buf *b, struct str region)
{
        s3__write_begin(b, "LocationConstraint");
        if (!str_eq(region, STR("us-east-1")))
                xml_escape(b, region);
        xml_close(b, "LocationConstraint");
}

/* ---- multipart ---- */

void s3_write_create_upload(struct buf *b, struct str bucket, struct str key, struct str upload_id)
{
        s3__write_begin(b, "InitiateMultipartUploadResult");
        xml_text(b, "Bucket", bucket);
        xml_text(b, "Key", key);
        xml_text(b, "UploadId", upload_id);
        xml_close(b, "InitiateMultipartUploadResult");
}

void s3_write_complete_upload(struct buf *b, struct str location, struct str bucket, struct str key, struct str etag,
                              enum s3_cksum cksum, enum s3_cksum_type type, struct str cksum_text)
{
        s3__write_begin(b, "CompleteMultipartUploadResult");
        xml_text(b, "Location", location);
        xml_text(b, "Bucket", bucket);
        xml_text(b, "Key", key);
        s3__write_etag(b, etag);
        write_cksum(b, cksum, cksum_text);
        if (cksum_text.p != NULL)
                xml_cstr(b, "ChecksumType", s3_cksum_type_name(type));
        xml_close(b, "CompleteMultipartUploadResult");
}

void s3_write_parts_begin(struct buf *b, const struct s3_parts_head *h)
{
        s3__write_begin(b, "ListPartsResult");
        xml_text(b, "Bucket", h->bucket);
        s3__write_key(b, "Key", h->key, h->url);
        xml_text(b, "UploadId", h->upload_id);
        xml_uint(b, "PartNumberMarker", h->marker);
        if (h->truncated)
                xml_uint(b, "NextPartNumberMarker", h->next_marker);
        xml_uint(b, "MaxParts", h->max_parts);
        if (h->url)
                xml_cstr(b, "EncodingType", "url");
        xml_bool(b, "IsTruncated", h->truncated);
        s3__write_owner(b, "Initiator", h->owner);
        s3__write_owner(b, "Owner", h->owner);
        xml_cstr(b, "StorageClass", "STANDARD");
        if (h->cksum != S3_CKSUM_NONE) {
                xml_cstr(b, "ChecksumAlgorithm", s3_cksum_name(h->cksum));
                xml_cstr(b, "ChecksumType", s3_cksum_type_name(h->cksum_type));
        }
}

void s3_write_part(struct buf *b, unsigned number, struct str etag, uint64_t size, int64_t modified_ns,
                   enum s3_cksum cksum, struct str cksum_text)
{
        xml_open(b, "Part");
        xml_uint(b, "PartNumber", number);
        s3__write_time(b, "LastModified", modified_ns);
        s3__write_etag(b, etag);
        xml_uint(b, "Size", size);
        write_cksum(b, cksum, cksum_text);
        xml_close(b, "Part");
}

void s3_write_parts_end(struct buf *b)
{
        xml_close(b, "ListPartsResult");
}

/* ---- objects ---- */

void s3_write_copy(struct buf *b, bool part, struct str etag, int64_t modified_ns, enum s3_cksum cksum,
                   struct str cksum_text)
{
        const char *name = part ? "CopyPartResult" : "CopyObjectResult";
        s3__write_begin(b, name);
        s3__write_etag(b, etag);
        s3__write_time(b, "LastModified", modified_ns);
        write_cksum(b, cksum, cksum_text);
        xml_close(b, name);
}

void s3_write_delete_begin(struct buf *b)
{
        s3__write_begin(b, "DeleteResult");
}

void s3_write_deleted(struct buf *b, struct str key, struct str version_id, bool marker, struct str marker_version_id)
{
        xml_open(b, "Deleted");
        xml_text(b, "Key", key);
        s3__write_some(b, "VersionId", version_id);
        if (marker) {
                xml_bool(b, "DeleteMarker", true);
                s3__write_some(b, "DeleteMarkerVersionId", marker_version_id);
        }
        xml_close(b, "Deleted");
}

void s3_write_delete_error(struct buf *b, struct str key, struct str version_id, enum s3_code c, struct str message)
{
        xml_open(b, "Error");
        xml_text(b, "Key", key);
        s3__write_some(b, "VersionId", version_id);
        xml_cstr(b, "Code", s3_code_name(c));
        xml_text(b, "Message", message.n != 0 ? message : str_of(s3_code_text(c)));
        xml_close(b, "Error");
}

void s3_write_delete_end(struct buf *b)
{
        xml_close(b, "DeleteResult");
}

void s3_write_attributes(struct buf *b, const struct s3_attributes *t)
{
        s3__write_begin(b, "GetObjectAttributesResponse");
        s3__write_some(b, "ETag", t->etag); /* here alone without quotes */
        if (t->cksum_text.p != NULL) {
                xml_open(b, "Checksum");
                write_cksum(b, t->cksum, t->cksum_text);
                xml_cstr(b, "ChecksumType", s3_cksum_type_name(t->cksum_type));
                xml_close(b, "Checksum");
        }
        if (t->parts != 0) {
                xml_open(b, "ObjectParts");
                xml_uint(b, "PartsCount", t->parts);
                xml_close(b, "ObjectParts");
        }
        if (t->storage_class)
                xml_cstr(b, "StorageClass", "STANDARD");
        if (t->size)
                xml_uint(b, "ObjectSize", t->size_bytes);
        xml_close(b, "GetObjectAttributesResponse");
}

void s3_write_post(struct buf *b, struct str location, struct str bucket, struct str key, struct str etag)
{
        xml_begin(b);
        xml_open(b, "PostResponse");
        xml_text(b, "Location", location);
        xml_text(b, "Bucket", bucket);
        xml_text(b, "Key", key);
        s3__write_etag(b, etag);
        xml_close(b, "PostResponse");
}

/* ---- configurations ---- */

void s3_write_tagging(struct buf *b, const struct s3_tags *t)
{
        s3__write_begin(b, "Tagging");
        xml_open(b, "TagSet");
        for (unsigned i = 0; i < t->n; i++) {
                xml_open(b, "Tag");
                xml_text(b, "Key", t->tags[i].key);
                xml_text(b, "Value", t->tags[i].value);
                xml_close(b, "Tag");
        }
        xml_close(b, "TagSet");
        xml_close(b, "Tagging");
}

void s3_write_versioning(struct buf *b, enum s3_versioning v)
{
        s3__write_begin(b, "VersioningConfiguration");
        if (v != S3_VERSIONING_OFF)
                xml_cstr(b, "Status", v == S3_VERSIONING_ENABLED ? "Enabled" : "Suspended");
        xml_close(b, "VersioningConfiguration");
}

static void write_grant(struct buf *b, const struct s3_owner *owner, const char *group, const char *permission)
{
        xml_open(b, "Grant");
        buf_printf(b, "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"%s\">",
                   group != NULL ? "Group" : "CanonicalUser");
        if (group != NULL) {
                xml_open(b, "URI");
                buf_printf(b, "http://acs.amazonaws.com/groups/global/%s", group);
                xml_close(b, "URI");
        } else {
                xml_text(b, "ID", owner->id);
                s3__write_some(b, "DisplayName", owner->name);
        }
        xml_close(b, "Grantee");
        xml_cstr(b, "Permission", permission);
        xml_close(b, "Grant");
}

void s3_write_acl(struct buf *b, const struct s3_owner *owner, enum s3_acl acl)
{
        s3__write_begin(b, "AccessControlPolicy");
        s3__write_owner(b, "Owner", owner);
        xml_open(b, "AccessControlList");
        write_grant(b, owner, NULL, "FULL_CONTROL");
        if (acl == S3_ACL_PUBLIC_READ || acl == S3_ACL_PUBLIC_READ_WRITE)
                write_grant(b, owner, "AllUsers", "READ");
        if (acl == S3_ACL_PUBLIC_READ_WRITE)
                write_grant(b, owner, "AllUsers", "WRITE");
        if (acl == S3_ACL_AUTHENTICATED_READ)
                write_grant(b, owner, "AuthenticatedUsers", "READ");
        xml_close(b, "AccessControlList");
        xml_close(b, "AccessControlPolicy");
}

void s3_write_object_lock(struct buf *b, const struct s3_object_lock *o)
{
        s3__write_begin(b, "ObjectLockConfiguration");
        xml_cstr(b, "ObjectLockEnabled", "Enabled");
        if (o->mode != S3_LOCK_NONE) {
                xml_open(b, "Rule");
                xml_open(b, "DefaultRetention");
                xml_cstr(b, "Mode", s3_lock_mode_name(o->mode));
                xml_uint(b, o->days != 0 ? "Days" : "Years", o->days != 0 ? o->days : o->years);
                xml_close(b, "DefaultRetention");
                xml_close(b, "Rule");
        }
        xml_close(b, "ObjectLockConfiguration");
}

void s3_write_retention(struct buf *b, const struct s3_retention *r)
{
        s3__write_begin(b, "Retention");
        xml_cstr(b, "Mode", s3_lock_mode_name(r->mode));
        s3__write_time(b, "RetainUntilDate", r->until_ns);
        xml_close(b, "Retention");
}

void s3_write_legal_hold(struct buf *b, bool on)
{
        s3__write_begin(b, "LegalHold");
        xml_cstr(b, "Status", on ? "ON" : "OFF");
        xml_close(b, "LegalHold");
}

void s3_write_encryption(struct buf *b)
{
        s3__write_begin(b, "ServerSideEncryptionConfiguration");
        xml_open(b, "Rule");
        xml_open(b, "ApplyServerSideEncryptionByDefault");
        xml_cstr(b, "SSEAlgorithm", "AES256");
        xml_close(b, "ApplyServerSideEncryptionByDefault");
        xml_bool(b, "BucketKeyEnabled", false);
        xml_close(b, "Rule");
        xml_close(b, "ServerSideEncryptionConfiguration");
}

void s3_write_policy_status(struct buf *b, bool is_public)
{
        s3__write_begin(b, "PolicyStatus");
        xml_bool(b, "IsPublic", is_public);
        xml_close(b, "PolicyStatus");
}
