#include "reg_lru.h"

#include <stddef.h>


void
reg_lru_add(reg_lru_t *lru, reg_lru_node_t *node)
{
    node->newer = NULL;
    node->older = lru->newest;

    if (lru->newest != NULL) {
        lru->newest->newer = node;
    } else {
        lru->oldest = node;
    }

    lru->newest = node;
}


void
reg_lru_remove(reg_lru_t *lru, reg_lru_node_t *node)
{
    if (node->newer != NULL) {
        node->newer->older = node->older;
    } else {
        lru->newest = node->older;
    }

    if (node->older != NULL) {
        node->older->newer = node->newer;
    } else {
        lru->oldest = node->newer;
    }
}


void
reg_lru_use(reg_lru_t *lru, reg_lru_node_t *node)
{
    if (node != lru->newest) {
        reg_lru_remove(lru, node);
        reg_lru_add(lru, node);
    }
}
