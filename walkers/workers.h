/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Threads that work ahead of one that takes the results in order.
 *
 * The owner hands in jobs and later asks for each to be finished: what no thread has begun by
 * then it does itself. Threads take no signals but SIGBUS, so that SIGINT stays with the owner.
 */
#ifndef IOMMUPT_WORKERS_H
#define IOMMUPT_WORKERS_H

struct workers;

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_DONE };

/* Embedded in what is to be worked on; zeros at first. */
struct job {
	struct job *next;
	enum job_state state;
};

typedef void job_run(void *arg, struct job *job);

/* workers_create() - @count threads that call @run(@arg, job). NULL: it cannot be had now. */
struct workers *workers_create(unsigned int count, job_run *run, void *arg);
/* workers_destroy() - jobs that wait are dropped, those that run are finished. Takes NULL. */
void workers_destroy(struct workers *workers);

/* workers_submit() - have @job done; its owner leaves it alone until workers_finish(). */
void workers_submit(struct workers *workers, struct job *job);
/* workers_finish() - return when @job is done, and work in the meantime. */
void workers_finish(struct workers *workers, struct job *job);

#endif
