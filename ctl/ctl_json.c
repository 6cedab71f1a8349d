#include "ctl_json.h"

#include <stdio.h>

#include <jansson.h>


int
ctl_json_print_new(json_t *object)
{
    int  rc = object != NULL && json_dumpf(object, stdout, 0) == 0
              && putchar('\n') != EOF ? 0 : -1;

    json_decref(object);

    return rc;
}
