/*
 * ctl_rebuild_index: registryctl rebuild-index [--config FILE | --root DIR]
 *                    [--json] [NAME…]
 *
 * Rebuilds the lists of referrers of the named repositories, or of all, from
 * their manifests: see reg_index.h; and, if none is named, the index of
 * repositories: see reg_catalog.h.  Where it stands is told on stderr, in a
 * line that is rewritten if that is a terminal, else in one line for each
 * repository.  A sum on stdout; with --json:
 *
 *     {"repositories": 2, "manifests": 31, "referrers": 12, "added": 12,
 *      "dropped": 0, "unreadable": 0, "catalog_added": 2,
 *      "catalog_dropped": 0, "failed": 0}
 *
 * CTL_FAILED if a repository could not be rebuilt (failed) or a manifest was
 * left out (unreadable).
 */

#ifndef CTL_REBUILD_INDEX_H
#define CTL_REBUILD_INDEX_H

#include "ctl_command.h"

ctl_exit_t ctl_rebuild_index(int argc, char **argv);

#endif
