/*
 * reg_lru: things in the order in which they were used, so that what was used
 * least recently can go first.
 *
 *     typedef struct {
 *         reg_lru_node_t  lru;            the first member
 *         …
 *     } thing_t;
 *
 *     reg_lru_t  all = REG_LRU_INIT;
 *
 *     reg_lru_add(&all, &thing->lru);     it is the newest
 *     reg_lru_use(&all, &thing->lru);     it is so again
 *     thing = (void *) all.oldest;        or NULL
 *     reg_lru_remove(&all, &thing->lru);
 *
 * Whose the things are, how many there may be and who may look at them at the
 * same time is the caller's affair.
 *
 * Blocks: never
 */

#ifndef REG_LRU_H
#define REG_LRU_H

typedef struct reg_lru_node_s  reg_lru_node_t;

struct reg_lru_node_s {
    reg_lru_node_t  *newer;
    reg_lru_node_t  *older;
};

typedef struct {
    reg_lru_node_t  *newest;
    reg_lru_node_t  *oldest;
} reg_lru_t;

#define REG_LRU_INIT  { NULL, NULL }


/* One that is in no order yet. */
void reg_lru_add(reg_lru_t *lru, reg_lru_node_t *node);

void reg_lru_use(reg_lru_t *lru, reg_lru_node_t *node);
void reg_lru_remove(reg_lru_t *lru, reg_lru_node_t *node);

#endif
