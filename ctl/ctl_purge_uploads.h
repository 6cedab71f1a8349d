/*
 * ctl_purge_uploads: registryctl purge-uploads [--config FILE | --root DIR]
 *                    [--older-than TIME] [--dry-run] [--json] [NAME…]
 *
 * Removes the uploads of the named repositories, or of all, that nobody goes
 * on with: see reg_purge.h.  A sum on stdout; with --json:
 *
 *     {"repositories": 2, "uploads": 31, "purged": 12, "bytes": 73400320,
 *      "failed": 0, "dry_run": false}
 *
 * CTL_FAILED if an upload or a repository could not be dealt with (failed).
 */

#ifndef CTL_PURGE_UPLOADS_H
#define CTL_PURGE_UPLOADS_H

#include "ctl_command.h"

ctl_exit_t ctl_purge_uploads(int argc, char **argv);

#endif
