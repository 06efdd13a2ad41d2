// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/node_stats.h"

#include <stddef.h>

#include "target/error.h"
#include "target/kernel.h"

enum { NODES_MAX = 1024, CPUS_MAX = 8192 };

enum field { PGDAT_PERCPU, DIFF, CPUMASK, FIELDS };

static const struct type_query fields[FIELDS] = {
	[PGDAT_PERCPU] = { "pglist_data", "per_cpu_nodestats", NULL },
	[DIFF] = { "per_cpu_nodestat", "vm_node_stat_diff", NULL },
	[CPUMASK] = { "cpumask", NULL, NULL },
};

struct stats {
	struct kernel *kernel;
	struct member members[FIELDS];
	uint64_t index;
	uint64_t offsets;  /* __per_cpu_offset[] */
	uint64_t possible; /* the bitmap of possible CPUs */
};

static bool cpu_is_possible(const struct stats *stats, unsigned int cpu)
{
	uint64_t word = 0;
	struct error *err = kernel_read(stats->kernel, stats->possible + cpu / 64 * sizeof(word),
					&word, sizeof(word));

	if (err) {
		error_free(err);
		return false;
	}
	return word >> (cpu % 64) & 1;
}

/* What the CPUs have counted for the node at @pgdat and not added yet. */
static struct error *add_cpu_differences(const struct stats *stats, uint64_t pgdat, int64_t *sum)
{
	const unsigned int cpus = stats->members[CPUMASK].size * 8;
	uint64_t percpu = 0;
	struct error *err =
		kernel_get(stats->kernel, pgdat, &stats->members[PGDAT_PERCPU], &percpu);

	for (unsigned int cpu = 0; cpu < cpus && cpu < CPUS_MAX && !err; cpu++) {
		uint64_t offset = 0;
		int8_t difference = 0;

		if (!cpu_is_possible(stats, cpu))
			continue;
		err = kernel_read(stats->kernel, stats->offsets + cpu * sizeof(offset), &offset,
				  sizeof(offset));
		if (!err)
			err = kernel_read(stats->kernel,
					  percpu + offset + stats->members[DIFF].offset +
						  stats->index,
					  &difference, sizeof(difference));
		*sum += difference;
	}
	return err;
}

/* node_data[] is an array of pointers; where there is none, contig_page_data is the only node. */
static struct error *add_nodes(const struct stats *stats, int64_t *sum)
{
	uint64_t nodes = 0;
	struct error *err = NULL;

	if (!kernel_symbol(stats->kernel, "node_data", &nodes)) {
		if (!kernel_symbol(stats->kernel, "contig_page_data", &nodes))
			return error_new("this kernel has neither node_data nor contig_page_data");
		return add_cpu_differences(stats, nodes, sum);
	}
	for (unsigned int node = 0; node < NODES_MAX && !err; node++) {
		uint64_t pgdat = 0;

		err = kernel_read(stats->kernel, nodes + node * sizeof(pgdat), &pgdat,
				  sizeof(pgdat));
		/* Nodes that exist come first; holes are rare and their counters are global anyway.
		 */
		if (err || pgdat == 0)
			break;
		err = add_cpu_differences(stats, pgdat, sum);
	}
	return err;
}

struct error *node_stat_read(struct kernel *kernel, const char *item, bool *found, int64_t *ret)
{
	struct stats stats = { .kernel = kernel };
	uint64_t counters = 0;
	int64_t index = 0;
	struct error *err = kernel_enumerator(kernel, "node_stat_item", item, found, &index);

	*ret = 0;
	if (err || !*found)
		return err;
	stats.index = (uint64_t)index;
	if (!kernel_symbol(kernel, "vm_node_stat", &counters) ||
	    !kernel_symbol(kernel, "__per_cpu_offset", &stats.offsets) ||
	    !kernel_symbol(kernel, "__cpu_possible_mask", &stats.possible))
		return error_new(
			"vm_node_stat, __per_cpu_offset or __cpu_possible_mask is not known");
	err = kernel_resolve(kernel, fields, stats.members, FIELDS);
	if (!err)
		err = kernel_read(kernel, counters + stats.index * sizeof(*ret), ret, sizeof(*ret));
	return err ? err : add_nodes(&stats, ret);
}
