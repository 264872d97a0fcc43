#include "cluster/many.h"
bool cluster__many_has_engine(struct cluster *c) { (void)c; return false; }
struct err *cluster__join(struct cluster *c, const struct cluster_opts *o, struct found *f) { (void)c,(void)o,(void)f; return err_new(ERR_NOT_IMPLEMENTED, "join"); }
struct err *cluster__many_open(struct cluster *c, const struct cluster_opts *o, struct found *f) { (void)c,(void)o,(void)f; return err_new(ERR_NOT_IMPLEMENTED, "join"); }
struct err *cluster__many_run(struct cluster *c, const struct found *f) { (void)c,(void)f; return NULL; }
void cluster__many_close(struct cluster *c) { (void)c; }
struct err *cluster__many_may_decide(struct cluster *c) { (void)c; return NULL; }
struct err *cluster__many_order(struct cluster *c, const struct diff *d) { (void)c,(void)d; return NULL; }
unsigned cluster__keys_open(const struct cluster *c, const struct state *s, struct cluster_key ret[SNAPSHOT_KEYS_MAX]) { (void)c,(void)s,(void)ret; return 0; }
