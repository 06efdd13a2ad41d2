// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/live.h"

#include <string.h>

void pt_add_witness(struct pt_tree *tree, uint64_t phys, const uint64_t *words, unsigned int count)
{
	if (tree->witness_count == PT_WITNESSES_MAX || count > PT_WITNESS_WORDS)
		return;
	struct pt_witness *witness = &tree->witnesses[tree->witness_count++];
	witness->phys = phys;
	witness->count = count;
	memcpy(witness->words, words, count * sizeof(*words));
}

bool live_witnessed(const struct pt_tree *tree, struct memory *memory)
{
	for (unsigned int i = 0; i < tree->witness_count; i++) {
		const struct pt_witness *witness = &tree->witnesses[i];
		uint64_t now[PT_WITNESS_WORDS];
		const size_t bytes = witness->count * sizeof(*now);

		if (memory_read(memory, witness->phys, now, (uint32_t)bytes) != BLOCK_OK ||
		    memcmp(now, witness->words, bytes) != 0)
			return false;
	}
	return true;
}

bool live_holds(const struct pt_tree *tree, struct memory *memory, const struct live_path *path)
{
	for (size_t i = path->count; i-- > 0;) {
		uint64_t now = 0;

		if (memory_read(memory, path->words[i].phys, &now, sizeof(now)) != BLOCK_OK ||
		    now != path->words[i].value)
			return false;
	}
	return live_witnessed(tree, memory);
}

void live_count(struct memory *memory)
{
	__atomic_fetch_add(&memory->reread, 1, __ATOMIC_RELAXED);
}

void live_read(const struct pt_tree *tree, struct memory *memory, const struct live_path *path,
	       struct block_request *request, void *scratch, bool *moved)
{
	*moved = false;
	for (int tries = 0; tries < LIVE_TRIES; tries++) {
		request->status = memory_read(memory, request->phys, request->data, request->len);
		*moved = !live_holds(tree, memory, path);
		if (*moved)
			break;
		if (request->status != BLOCK_OK)
			return;
		if (memory_read(memory, request->phys, scratch, request->len) == BLOCK_OK &&
		    memcmp(request->data, scratch, request->len) == 0)
			return;
		live_count(memory);
	}
	request->status = BLOCK_CHANGED;
}

/* Whether @address has bits of levels that lie between @level and the table that @run leads to. */
static bool skips(const struct pt_geometry *geometry, unsigned int level, const struct pt_run *run,
		  uint64_t address)
{
	const unsigned int lg2 =
		pt_entry_lg2(geometry, run->next_level) + pt_table_lg2(geometry, run->next_level);

	return (address & ((1ULL << pt_entry_lg2(geometry, level)) - 1)) >> lg2 != 0;
}

void live_descend(const struct pt_tree *tree, struct memory *memory, uint64_t address,
		  unsigned int level, struct live_way *ret)
{
	const struct pt_geometry *geometry = &tree->geometry;
	struct pt_run above = pt_root_run(tree);

	*ret = (struct live_way){ .status = BLOCK_OK };
	while (ret->path.count < PT_MAX_LEVELS) {
		struct live_word *word = &ret->path.words[ret->path.count];
		const uint64_t mask = (1ULL << pt_table_lg2(geometry, above.next_level)) - 1;
		const unsigned int index =
			(unsigned int)(address >> pt_entry_lg2(geometry, above.next_level) & mask);

		ret->level = above.next_level;
		ret->entry_addr = above.address + index * sizeof(uint64_t);
		word->phys = ret->entry_addr;
		ret->status = memory_read(memory, word->phys, &word->value, sizeof(word->value));
		if (ret->status != BLOCK_OK)
			return;
		ret->path.count++;
		geometry->format->decode(geometry, ret->level, &word->value, index, 1, &ret->run);
		pt_inherit(geometry, &above, &ret->run);
		if (ret->run.kind == PT_TABLE && skips(geometry, ret->level, &ret->run, address))
			ret->run.kind = PT_EMPTY;
		if (ret->run.kind != PT_TABLE || ret->run.next_level <= level)
			return;
		above = ret->run;
	}
}
