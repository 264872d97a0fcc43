/* cluster/many.h (inside cluster): what a process with a cluster port has besides: engine, feed, beats, duties. */
#ifndef ORLOP_CLUSTER_MANY_H
#define ORLOP_CLUSTER_MANY_H

#include "cluster/priv.h"

/* What the state directory, or the cluster that was joined, gave at the start. */
struct found {
        struct docs table;
        uint64_t index;
        enum state_engine engine;
        struct state local; /* mountpaths only */
};

/* control.c: a new identity; uuid null: a new cluster's. INVALID. */
MUST_CHECK struct err *cluster__identity_new(const struct cluster_opts *o, const char *uuid, struct identity *ret);

/* Whether a voter's directory is there. */
bool cluster__many_has_engine(struct cluster *c);
/* Joins by the token of the options: identity, credentials and first state are written; the identity last. */
MUST_CHECK struct err *cluster__join(struct cluster *c, const struct cluster_opts *o, struct found *f);
/* Makes c->many: credentials, engine. The engine's state, if it is newer, replaces what was found. */
MUST_CHECK struct err *cluster__many_open(struct cluster *c, const struct cluster_opts *o, struct found *f);
/* After the first snapshot: brings the state of a cluster of one along, starts publishing. */
MUST_CHECK struct err *cluster__many_run(struct cluster *c, const struct found *f);
/* Ends it. Nothing there is fine. */
void cluster__many_close(struct cluster *c);
/* Whether this process may decide. NOT_PRIMARY, UNAVAILABLE. */
MUST_CHECK struct err *cluster__many_may_decide(struct cluster *c);
/* Orders what differs; returns when it is published here. Errors of engine_propose. */
MUST_CHECK struct err *cluster__many_order(struct cluster *c, const struct diff *d);

#endif
