/* flow/priv.h: what the files of this folder share. */
#ifndef ORLOP_FLOW_PRIV_H
#define ORLOP_FLOW_PRIV_H

#include "flow/flow.h"

/* Gives a NOT_FOUND of the store the wire's text (`ais://b/o does not exist`); other errors are wrapped with the object's name. Takes e; null stays null. */
struct err *flow__object_err(struct err *e, const struct bucket *b, struct str name);

#endif
