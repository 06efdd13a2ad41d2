/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's own page counters of NUMA nodes (/proc/vmstat, /proc/meminfo), by name.
 *
 * Linux: include/linux/mmzone.h (enum node_stat_item, struct pglist_data, per_cpu_nodestat),
 * mm/vmstat.c (vm_node_stat[], and per-CPU differences that have not been added yet).
 */
#ifndef IOMMUPT_NODE_STATS_H
#define IOMMUPT_NODE_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct kernel;

/*
 * node_stat_read() - the pages that the kernel counts under @item ("NR_IOMMU_PAGES"), all nodes
 * together, exact: differences that single CPUs still hold are included. *found is false when
 * this kernel has no such counter.
 */
struct error *node_stat_read(struct kernel *kernel, const char *item, bool *found, int64_t *ret);

#endif
