/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory cgroups: the path of the one that a kernel page is charged to.
 *
 * Linux: include/linux/memcontrol.h (page.memcg_data of kernel memory is a struct obj_cgroup and
 * bit 1; struct mem_cgroup.css.cgroup), include/linux/cgroup-defs.h (struct cgroup.kn),
 * include/linux/kernfs.h (struct kernfs_node: name, parent).
 */
#ifndef IOMMUPT_MEMCG_H
#define IOMMUPT_MEMCG_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct kernel;

/*
 * memcg_path() - the path below the cgroup mount ("/machine/vm1") that @memcg_data, of a kernel
 * page's struct page, leads to. "" for 0.
 */
struct error *memcg_path(struct kernel *kernel, uint64_t memcg_data, char *text, size_t size);

#endif
