/*
 * fcgi_worker: one worker process, from the opened store to the last answer.
 */

#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include "fcgi_log.h"
#include "reg_config.h"
#include "reg_metrics.h"
#include "reg_throttle.h"

/* Serves until SIGTERM or SIGINT, which the caller has blocked.  throttle and
 * metrics are shared with the other processes.  Returns the exit status; if it
 * is not 0, threads may still run. */
int fcgi_worker_run(const reg_config_t *config, int listener, fcgi_log_t *log,
    reg_throttle_t *throttle, reg_metrics_t *metrics);

#endif
