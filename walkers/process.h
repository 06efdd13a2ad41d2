/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Processes: the page tables that CPUs use for user addresses.
 *
 * They are no part of the inventory: a host may have 100000 of them, so `list` and `all`
 * leave them out. They are looked up by PID, or visited one by one by who needs them all.
 * PIDs are those of the initial PID namespace.
 */
#ifndef IOMMUPT_PROCESS_H
#define IOMMUPT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "walkers/engine.h"

struct error;
struct kernel;
struct space;

enum { COMM_BYTES = 16 }; /* TASK_COMM_LEN (include/linux/sched.h) */

/* A process that has an address space of its own; its threads share it. */
struct process {
	int64_t pid;	       /* of the process (kernel: tgid), not of a thread */
	char comm[COMM_BYTES]; /* command name of the task that was read */
	uint64_t task;	       /* kernel address of that struct task_struct */
	uint64_t mm;	       /* kernel address of its struct mm_struct */
	uint64_t pgd;	       /* kernel address of its top table: mm_struct.pgd */
	bool known;	       /* tree is valid; otherwise `reason` says why not */
	struct pt_tree tree;   /* user addresses only */
	char reason[160];      /* where the table is could not be read */
};

/* An error ends the visit and is handed up. */
typedef struct error *process_visit(void *arg, const struct process *process);

/*
 * process_for_each() - each process once, in the order of the kernel's list of tasks; of processes
 * that share an address space (vfork) the first. Kernel threads are left out, also those
 * that borrow one. A list that cannot be read to its end is an error, after what was met before
 * it has been visited.
 */
struct error *process_for_each(struct kernel *kernel, process_visit *visit, void *arg);

/*
 * process_find() - the process whose PID, or one of whose threads' IDs, is @pid. None, or a
 * kernel thread, is an error that says so.
 */
struct error *process_find(struct kernel *kernel, uint64_t pid, struct process *ret);

/* process_of_mm() - what process_for_each() would say of the struct mm_struct at @mm. */
struct error *process_of_mm(struct kernel *kernel, uint64_t mm, struct process *ret);

/* process_set_space() - fill in @space: name, owner and table of @process. */
void process_set_space(const struct process *process, struct space *space);

#endif
