// SPDX-License-Identifier: GPL-3.0-or-later
#include "formats/scan.h"

enum { LANES = 4, STEP = 4 * LANES };

/* A block has the alignment of its entries only. */
typedef uint64_t lanes
	__attribute__((vector_size(LANES * sizeof(uint64_t)), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline))

static const lanes zero_lanes;

/* Whether all lanes are zero. */
#define IS_ZERO(v) (((v)[0] | (v)[1] | (v)[2] | (v)[3]) == 0)

INLINE bool scan(const struct pt_plain *plain, const uint64_t *entries, unsigned int count,
		 unsigned int *used)
{
	const unsigned int whole = count - count % LANES;
	lanes in_use = zero_lanes;
	lanes odd = zero_lanes;
	uint64_t odd_rest = 0;
	unsigned int n = 0;

	for (unsigned int i = 0; i < whole; i += LANES) {
		const lanes v = *(const lanes *)(entries + i);
		const lanes mask = (lanes)((v & plain->used) != 0);

		in_use -= mask;
		odd |= ((v & plain->fixed) ^ plain->value) & mask;
	}
	for (unsigned int i = whole; i < count; i++) {
		if (!(entries[i] & plain->used))
			continue;
		n++;
		odd_rest |= (entries[i] & plain->fixed) ^ plain->value;
	}
	*used = n + (unsigned int)(in_use[0] + in_use[1] + in_use[2] + in_use[3]);
	return odd_rest == 0 && IS_ZERO(odd);
}

INLINE unsigned int scan_row(const uint64_t *entries, unsigned int count, uint64_t stride)
{
	const lanes ramp = { 0, stride, 2 * stride, 3 * stride };
	lanes expected = ramp + entries[0];
	unsigned int i = 0;

	for (; i + STEP <= count; i += STEP) {
		lanes differs = zero_lanes;

		for (unsigned int j = 0; j < STEP; j += LANES) {
			differs |= *(const lanes *)(entries + i + j) ^ expected;
			expected += LANES * stride;
		}
		if (!IS_ZERO(differs))
			break;
	}
	while (i < count && entries[i] == entries[0] + i * stride)
		i++;
	return i;
}

#ifdef __x86_64__

__attribute__((target("avx2"))) static bool scan_avx2(const struct pt_plain *plain,
						      const uint64_t *entries, unsigned int count,
						      unsigned int *used)
{
	return scan(plain, entries, count, used);
}

__attribute__((target("avx2"))) static unsigned int scan_row_avx2(const uint64_t *entries,
								  unsigned int count,
								  uint64_t stride)
{
	return scan_row(entries, count, stride);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

#else

static bool has_avx2(void)
{
	return false;
}

#define scan_avx2 scan
#define scan_row_avx2 scan_row

#endif

bool pt_scan(const struct pt_plain *plain, const uint64_t *entries, unsigned int count,
	     unsigned int *used)
{
	return has_avx2() ? scan_avx2(plain, entries, count, used)
			  : scan(plain, entries, count, used);
}

unsigned int pt_scan_row(const uint64_t *entries, unsigned int count, uint64_t stride)
{
	/* Most rows of tables without any order are one entry long. */
	if (count < 2 || entries[1] != entries[0] + stride)
		return 1;
	return has_avx2() ? scan_row_avx2(entries, count, stride)
			  : scan_row(entries, count, stride);
}
