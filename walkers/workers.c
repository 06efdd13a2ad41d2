// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

/* About as long as it takes to put a thread to sleep and to wake it again. */
enum { SPINS = 2000 };

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t queued;
	pthread_cond_t done;
	struct job *first;
	struct job **last;
	unsigned int waiting; /* jobs in the queue; read without the lock to spin */
	bool end;
	job_run *run;
	void *arg;
	unsigned int count;
	pthread_t threads[];
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Take the first job from the queue, which has one, and do it. The lock is held before and after.
 */
static void work(struct workers *workers)
{
	struct job *job = workers->first;

	workers->first = job->next;
	if (!workers->first)
		workers->last = &workers->first;
	__atomic_store_n(&workers->waiting, workers->waiting - 1, __ATOMIC_RELAXED);
	job->state = JOB_RUNNING;
	pthread_mutex_unlock(&workers->lock);
	workers->run(workers->arg, job);
	pthread_mutex_lock(&workers->lock);
	job->state = JOB_DONE;
	pthread_cond_signal(&workers->done);
}

static void *thread_main(void *arg)
{
	struct workers *workers = arg;

	pthread_mutex_lock(&workers->lock);
	while (!workers->end) {
		if (workers->first) {
			work(workers);
			continue;
		}
		pthread_mutex_unlock(&workers->lock);
		for (int i = 0; i < SPINS && !__atomic_load_n(&workers->waiting, __ATOMIC_RELAXED);
		     i++)
			pause_briefly();
		pthread_mutex_lock(&workers->lock);
		if (!workers->first && !workers->end)
			pthread_cond_wait(&workers->queued, &workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

struct workers *workers_create(unsigned int count, job_run *run, void *arg)
{
	struct workers *workers = calloc(1, sizeof(*workers) + count * sizeof(pthread_t));
	sigset_t all;
	sigset_t before;

	if (!workers)
		return NULL;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->queued, NULL);
	pthread_cond_init(&workers->done, NULL);
	workers->last = &workers->first;
	workers->run = run;
	workers->arg = arg;
	sigfillset(&all);
	/* A page of a mapped file that cannot be read, see target/file_map.c. Blocked it kills. */
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (workers->count < count &&
	       pthread_create(&workers->threads[workers->count], NULL, thread_main, workers) == 0)
		workers->count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return workers;
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->end = true;
	pthread_cond_broadcast(&workers->queued);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->done);
	pthread_cond_destroy(&workers->queued);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

void workers_submit(struct workers *workers, struct job *job)
{
	pthread_mutex_lock(&workers->lock);
	job->state = JOB_QUEUED;
	job->next = NULL;
	*workers->last = job;
	workers->last = &job->next;
	__atomic_store_n(&workers->waiting, workers->waiting + 1, __ATOMIC_RELAXED);
	pthread_cond_signal(&workers->queued);
	pthread_mutex_unlock(&workers->lock);
}

void workers_finish(struct workers *workers, struct job *job)
{
	pthread_mutex_lock(&workers->lock);
	while (job->state != JOB_DONE) {
		if (workers->first)
			work(workers);
		else
			pthread_cond_wait(&workers->done, &workers->lock);
	}
	job->state = JOB_IDLE;
	pthread_mutex_unlock(&workers->lock);
}
