// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * KVM on x86: virtual machines, the roots of their second-stage tables (EPT, NPT), their memslots.
 *
 * Linux: include/linux/kvm_host.h (struct kvm, kvm_vcpu, kvm_memslots, kvm_memory_slot),
 * arch/x86/include/asm/kvm_host.h (struct kvm_arch, kvm_mmu, union kvm_mmu_page_role),
 * arch/x86/kvm/mmu/mmu_internal.h (struct kvm_mmu_page), mmu/spte.h (what KVM writes into entries),
 * mmu/tdp_mmu.c, mmu/mmu.c. The formats of the tables: formats/ept.c, formats/x86_64.c (NPT).
 *
 * A VM has a root for each address space (the second one is that of system management mode)
 * and each role in use. The TDP MMU lists its roots itself; the older MMU's are found among
 * its pages, and with them the shadow tables of nested guests. A VCPU's current root is looked at,
 * too: it is all that there is to see without the module's types.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"
#include "walkers/kvm_memslots.h"

enum field {
	KVM_LIST,
	KVM_MM,
	KVM_PID,
	KVM_VCPU_XARRAY, /* since 5.16 */
	KVM_VCPU_ARRAY,	 /* before */
	KVM_ONLINE_VCPUS,
	KVM_TDP_ROOTS,
	KVM_ACTIVE_PAGES,
	VCPU_ROOT_MMU,
	VCPU_GUEST_MMU,
	MMU_ROOT,      /* since 5.18 */
	MMU_ROOT_OLD,  /* before */
	MMU_LEVEL,     /* since 5.19 */
	MMU_LEVEL_OLD, /* before */
	MMU_SMM,
	MMU_SMM_OLD,
	PAGE_LINK,
	PAGE_SPT,
	PAGE_ROOT_COUNT,
	PAGE_PARENTS,
	PAGE_LEVEL,
	PAGE_DIRECT,
	PAGE_INVALID,
	PAGE_SMM,
	PAGE_GUEST_MODE,
	PAGE_AD_DISABLED,
	MM_OWNER,
	TASK_COMM,
	OPS_NAME,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[KVM_LIST] = { "kvm", "vm_list", NULL },
	[KVM_MM] = { "kvm", "mm", NULL },
	[KVM_PID] = { "kvm", "userspace_pid", NULL },
	[KVM_VCPU_XARRAY] = { "kvm", "vcpu_array", NULL },
	[KVM_VCPU_ARRAY] = { "kvm", "vcpus", NULL },
	[KVM_ONLINE_VCPUS] = { "kvm", "online_vcpus", NULL },
	[KVM_TDP_ROOTS] = { "kvm", "arch.tdp_mmu_roots", NULL },
	[KVM_ACTIVE_PAGES] = { "kvm", "arch.active_mmu_pages", NULL },
	[VCPU_ROOT_MMU] = { "kvm_vcpu", "arch.root_mmu", NULL },
	[VCPU_GUEST_MMU] = { "kvm_vcpu", "arch.guest_mmu", NULL },
	[MMU_ROOT] = { "kvm_mmu", "root.hpa", NULL },
	[MMU_ROOT_OLD] = { "kvm_mmu", "root_hpa", NULL },
	[MMU_LEVEL] = { "kvm_mmu", "root_role.level", NULL },
	[MMU_LEVEL_OLD] = { "kvm_mmu", "shadow_root_level", NULL },
	[MMU_SMM] = { "kvm_mmu", "root_role.smm", NULL },
	[MMU_SMM_OLD] = { "kvm_mmu", "mmu_role.base.smm", NULL },
	[PAGE_LINK] = { "kvm_mmu_page", "link", NULL },
	[PAGE_SPT] = { "kvm_mmu_page", "spt", NULL },
	[PAGE_ROOT_COUNT] = { "kvm_mmu_page", "root_count", NULL },
	[PAGE_PARENTS] = { "kvm_mmu_page", "parent_ptes.val", NULL },
	[PAGE_LEVEL] = { "kvm_mmu_page", "role.level", NULL },
	[PAGE_DIRECT] = { "kvm_mmu_page", "role.direct", NULL },
	[PAGE_INVALID] = { "kvm_mmu_page", "role.invalid", NULL },
	[PAGE_SMM] = { "kvm_mmu_page", "role.smm", NULL },
	[PAGE_GUEST_MODE] = { "kvm_mmu_page", "role.guest_mode", NULL },
	[PAGE_AD_DISABLED] = { "kvm_mmu_page", "role.ad_disabled", NULL },
	[MM_OWNER] = { "mm_struct", "owner", NULL },
	[TASK_COMM] = { "task_struct", "comm", NULL },
	[OPS_NAME] = { "kvm_x86_ops", "name", NULL },
};

enum {
	VCPUS_MAX = 4096,
	ADDRESS_SPACES = 2,
	PAGE_SHIFT = 12,
	ROOT_MMUS = 2,
};

/* A root that was found, and the space that it became. */
struct root {
	struct space *space;
	uint64_t page; /* kernel address of its struct kvm_mmu_page; 0: not known */
	uint64_t phys;
	unsigned int levels;
	unsigned int address_space;
	bool tdp_mmu;
	bool nested; /* of a guest's guest: the input is its address, not this VM's */
	bool shadow; /* no second stage at all: the input is the guest's virtual address */
	bool invalid;
	bool idle; /* nobody holds it: kept for later */
	bool ad_disabled;
};

struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member members[FIELDS];
	bool ept;
	bool two_stages; /* tdp_enabled: EPT or NPT is in use at all */
	bool accessed_bits;
	uint64_t strip;
	uint64_t zero_page; /* stands for "no root yet", since 6.12 */
	struct pt_mark empty;
	struct pt_mark tracked;
	struct root *roots;
	size_t root_count;
	/* The VM at hand. */
	uint64_t vm;
	size_t first_root;
	int64_t pid;
	uint64_t mm; /* struct mm_struct of its process */
	char comm[NAME_BYTES];
	uint64_t vcpus;
};

static bool has(const struct scan *scan, enum field field)
{
	return scan->members[field].present;
}

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/* A variable of one of the modules, or @otherwise where this kernel has none. */
static uint64_t variable(const struct scan *scan, const char *name, size_t size, uint64_t otherwise)
{
	uint64_t address = 0;
	uint64_t value = 0;

	if (!kernel_symbol(scan->kernel, name, &address))
		return otherwise;
	struct error *err = kernel_read(scan->kernel, address, &value, size);
	if (!err)
		return value;
	error_free(inventory_warn(scan->inventory, err, name));
	return otherwise;
}

/*
 * KVM gives meaning to bits that hardware ignores (arch/x86/kvm/mmu/spte.h). Since 5.13, when
 * shadow_mmu_writable_mask became a variable, bit 11 says that an entry is a mapping: what lacks
 * it is empty, frozen or an MMIO entry, a misconfiguration on purpose. Before, bits 53:52 are 3
 * in an MMIO entry. Without accessed bits KVM takes all rights of a mapping away and waits for
 * the fault; before 5.13 that is where bits 53:52 are 1.
 */
static void set_marks(struct scan *scan)
{
	static const uint64_t MMU_PRESENT = 1ULL << 11;
	static const uint64_t SPECIAL = 3ULL << 52;
	uint64_t address = 0;

	if (kernel_symbol(scan->kernel, "shadow_mmu_writable_mask", &address)) {
		scan->empty = (struct pt_mark){ MMU_PRESENT, 0 };
		scan->tracked = (struct pt_mark){ MMU_PRESENT, MMU_PRESENT };
	} else {
		scan->empty = (struct pt_mark){ SPECIAL, SPECIAL };
		scan->tracked = (struct pt_mark){ SPECIAL, 1ULL << 52 };
	}
}

/* Which module is behind KVM: by its name, since 6.1, or by whose variables are there. */
static void find_vendor(struct scan *scan)
{
	uint64_t ops = 0;
	uint64_t name = 0;
	uint64_t address = 0;
	char text[NAME_BYTES] = "";

	scan->ept = kernel_symbol(scan->kernel, "enable_ept", &address);
	if (has(scan, OPS_NAME) && kernel_symbol(scan->kernel, "kvm_x86_ops", &ops)) {
		struct error *err = get(scan, ops, OPS_NAME, &name);

		if (!err && name)
			err = kernel_string(scan->kernel, name, text, sizeof(text));
		if (!err && text[0])
			scan->ept = strcmp(text, "kvm_intel") == 0;
		error_free(err);
	}
	const uint64_t enabled =
		variable(scan, scan->ept ? "enable_ept" : "npt_enabled", sizeof(bool), true);
	scan->two_stages = variable(scan, "tdp_enabled", sizeof(bool), enabled);
	scan->accessed_bits = !scan->ept ||
			      variable(scan, "enable_ept_ad_bits", sizeof(bool), true);
	scan->strip = scan->ept ? 0 : variable(scan, "sme_me_mask", sizeof(uint64_t), 0);
	if (!kernel_symbol(scan->kernel, "empty_zero_page", &address) ||
	    !kernel_to_phys(scan->kernel, address, &scan->zero_page))
		scan->zero_page = 0;
	set_marks(scan);
}

/* A page of KVM's is taken off its list before it is freed (LIST_POISON, or another list). */
static void witness_page(const struct scan *scan, const struct root *root, struct pt_tree *tree)
{
	uint64_t link[2] = { 0 };
	const uint64_t address = root->page + scan->members[PAGE_LINK].offset;

	if (root->page == 0 || !has(scan, PAGE_LINK) || !kernel_memory(scan->kernel)->live)
		return;
	struct error *err = kernel_read(scan->kernel, address, link, sizeof(link));
	if (!err)
		tree_add_witness(scan->kernel, tree, address, link, 2);
	error_free(err);
}

static void set_tree(const struct scan *scan, const struct root *root)
{
	struct space *space = root->space;
	const bool ept = scan->ept && !root->shadow;
	const struct pt_parameters parameters = {
		.levels = (uint8_t)root->levels,
		.strip = scan->strip,
		.sign_extend = root->shadow,
		.dirty_tracking = scan->accessed_bits && !root->ad_disabled,
	};
	struct error *err = pt_geometry_init(ept ? &pt_format_ept : &pt_format_x86_64, &parameters,
					     &space->tree.geometry);

	if (err) {
		/* Nothing but shadow tables of 32-bit guests has fewer levels. */
		space_set_mode(space, SPACE_UNKNOWN, "shadow tables of %u levels are not decoded",
			       root->levels);
		error_free(err);
		return;
	}
	space->tree.geometry.empty = scan->empty;
	space->tree.geometry.tracked = scan->tracked;
	space->tree.root = root->phys;
	witness_page(scan, root, &space->tree);
	space->mode = SPACE_TABLE;
}

/* What `list` says of the owner. */
static void set_words(const struct scan *scan, const struct root *root)
{
	struct space *space = root->space;

	snprintf(space->words, sizeof(space->words),
		 "pid=%" PRId64 "%s%s vcpus=%" PRIu64 " as=%u memslots=%zu mmu=%s%s%s%s "
		 "kvm=0x%" PRIx64,
		 scan->pid, scan->comm[0] ? " comm=" : "", scan->comm, scan->vcpus,
		 root->address_space, space->memslot_count,
		 root->shadow	 ? "shadow"
		 : root->tdp_mmu ? "tdp"
				 : "legacy",
		 root->address_space ? " smm=yes" : "", root->nested ? " nested=yes" : "",
		 root->invalid ? " state=invalid"
		 : root->idle  ? " state=idle"
			       : "",
		 scan->vm);
}

/* Make the space of @root; its name comes when all of them are known. */
static struct error *add_space(const struct scan *scan, struct root *root)
{
	struct error *err = inventory_add_space(scan->inventory, &root->space);

	if (err)
		return err;
	struct space *space = root->space;
	space->kind = "vm";
	space->view = VIEW_HW;
	space->object = scan->vm;
	space->pid = scan->pid;
	space->stage = root->shadow ? "first" : "second";
	space->mm = scan->mm;
	/* mmu/tdp_mmu.c: tdp_account_mmu_page() is called for tables below the root. */
	space->root_uncounted = root->tdp_mmu;
	memcpy(space->comm, scan->comm, sizeof(space->comm));
	if (root->phys == 0)
		space_set_mode(space, SPACE_BLOCKED, "it has no table: no VCPU has run yet");
	else
		set_tree(scan, root);
	if (!root->nested && !root->shadow)
		err = inventory_warn(scan->inventory,
				     kvm_memslots_read(scan->kernel, scan->vm, root->address_space,
						       PAGE_SHIFT, space),
				     "memslots of a VM");
	set_words(scan, root);
	return err;
}

static struct error *add_root(struct scan *scan, const struct root *root)
{
	for (size_t i = scan->first_root; i < scan->root_count; i++) {
		if (scan->roots[i].phys == root->phys)
			return NULL;
	}
	struct root *larger = realloc(scan->roots, (scan->root_count + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory();
	scan->roots = larger;
	scan->roots[scan->root_count++] = *root;
	return NULL;
}

/* The root whose struct kvm_mmu_page is at @page. */
static struct error *read_root_page(struct scan *scan, uint64_t page, bool tdp_mmu, bool held)
{
	enum { LEVEL, DIRECT, INVALID, SMM, GUEST_MODE, AD_DISABLED, ROLE };
	uint64_t role[ROLE] = { 0 };
	uint64_t spt = 0;
	struct root root = { .page = page, .tdp_mmu = tdp_mmu, .idle = !held };
	struct error *err = get(scan, page, PAGE_SPT, &spt);

	for (int i = 0; i < ROLE && !err; i++) {
		if (has(scan, (enum field)(PAGE_LEVEL + i)))
			err = get(scan, page, (enum field)(PAGE_LEVEL + i), &role[i]);
	}
	if (!err && !kernel_to_phys(scan->kernel, spt, &root.phys))
		err = error_new("table at 0x%" PRIx64 " is not mapped", spt);
	if (err)
		return err;
	root.levels = (unsigned int)role[LEVEL];
	root.invalid = role[INVALID];
	root.address_space = role[SMM] ? 1 : 0;
	root.nested = role[GUEST_MODE];
	root.shadow = !scan->two_stages;
	root.ad_disabled = role[AD_DISABLED];
	return add_root(scan, &root);
}

static struct error *read_tdp_roots(struct scan *scan)
{
	uint64_t first = 0;

	if (!has(scan, KVM_TDP_ROOTS) || !has(scan, PAGE_LINK))
		return NULL;
	/* Where the TDP MMU is off this list is never made, up to 6.1. */
	const uint64_t head = scan->vm + scan->members[KVM_TDP_ROOTS].offset;
	struct error *err = kernel_read(scan->kernel, head, &first, sizeof(first));
	if (err || first == 0)
		return err;
	struct list_cursor cursor = list_begin(head);
	while (!err && list_next(scan->kernel, &cursor))
		err = read_root_page(scan, cursor.node - scan->members[PAGE_LINK].offset, true,
				     true);
	return err ? err : cursor.error;
}

/*
 * Whether one of the older MMU's pages is a root: it is held as one, or could be again (a VCPU in
 * system management mode lets go of the other address space's): no entry leads to it.
 */
static struct error *is_root(const struct scan *scan, uint64_t page, bool *held, bool *ret)
{
	enum { LEVELS_MIN = 4 };
	uint64_t count = 0;
	uint64_t parents = 0;
	uint64_t level = 0;
	struct error *err = get(scan, page, PAGE_ROOT_COUNT, &count);

	if (!err)
		err = get(scan, page, PAGE_LEVEL, &level);
	if (!err)
		err = get(scan, page, PAGE_PARENTS, &parents);
	*held = count;
	*ret = count || (level >= LEVELS_MIN && parents == 0);
	return err;
}

static struct error *read_legacy_roots(struct scan *scan)
{
	if (!has(scan, KVM_ACTIVE_PAGES) || !has(scan, PAGE_LINK))
		return NULL;
	struct list_cursor cursor = list_begin(scan->vm + scan->members[KVM_ACTIVE_PAGES].offset);
	struct error *err = NULL;

	while (!err && list_next(scan->kernel, &cursor)) {
		const uint64_t page = cursor.node - scan->members[PAGE_LINK].offset;
		bool held = false;
		bool root = false;

		err = is_root(scan, page, &held, &root);
		if (!err && root)
			err = read_root_page(scan, page, false, held);
	}
	return err ? err : cursor.error;
}

/* What VCPU's current root of one struct kvm_mmu; nearly always one that is known already. */
static struct error *read_mmu(struct scan *scan, uint64_t mmu, bool guest)
{
	static const uint64_t INVALID_PAGE = ~0ULL;
	const bool older = !has(scan, MMU_ROOT);
	uint64_t level = 0;
	uint64_t smm = 0;
	struct root root = { .nested = guest, .shadow = !scan->two_stages };
	struct error *err = get(scan, mmu, older ? MMU_ROOT_OLD : MMU_ROOT, &root.phys);

	if (!err)
		err = get(scan, mmu, has(scan, MMU_LEVEL) ? MMU_LEVEL : MMU_LEVEL_OLD, &level);
	if (!err && (has(scan, MMU_SMM) || has(scan, MMU_SMM_OLD)))
		err = get(scan, mmu, has(scan, MMU_SMM) ? MMU_SMM : MMU_SMM_OLD, &smm);
	if (err || root.phys == INVALID_PAGE || root.phys == 0 || root.phys == scan->zero_page)
		return err;
	root.levels = (unsigned int)level;
	root.address_space = smm ? 1 : 0;
	return add_root(scan, &root);
}

static struct error *visit_vcpu(void *arg, uint64_t index, uint64_t vcpu)
{
	struct scan *scan = arg;

	(void)index;
	struct error *err = read_mmu(scan, vcpu + scan->members[VCPU_ROOT_MMU].offset, false);
	if (!err && has(scan, VCPU_GUEST_MMU))
		err = read_mmu(scan, vcpu + scan->members[VCPU_GUEST_MMU].offset, true);
	return err;
}

static struct error *read_vcpus(struct scan *scan)
{
	struct error *err = NULL;

	if (!has(scan, VCPU_ROOT_MMU))
		return error_new(
			"this kernel has no struct kvm_vcpu with a root_mmu that is known");
	if (has(scan, KVM_VCPU_XARRAY))
		return xarray_for_each(scan->kernel,
				       scan->vm + scan->members[KVM_VCPU_XARRAY].offset, visit_vcpu,
				       scan);
	for (uint64_t i = 0; i < scan->vcpus && !err; i++) {
		const uint64_t slot =
			scan->vm + scan->members[KVM_VCPU_ARRAY].offset + i * sizeof(uint64_t);
		uint64_t vcpu = 0;

		err = kernel_read(scan->kernel, slot, &vcpu, sizeof(vcpu));
		if (!err && vcpu)
			err = visit_vcpu(scan, i, vcpu);
	}
	return err;
}

/* The command name of the process that the VM's memory belongs to. */
static void read_comm(struct scan *scan)
{
	uint64_t owner = 0;
	struct error *err = NULL;

	scan->mm = 0;
	scan->comm[0] = '\0';
	if (has(scan, KVM_MM))
		err = get(scan, scan->vm, KVM_MM, &scan->mm);
	if (!err && scan->mm && has(scan, MM_OWNER) && has(scan, TASK_COMM))
		err = get(scan, scan->mm, MM_OWNER, &owner);
	if (!err && owner)
		err = kernel_member_string(scan->kernel, owner, &scan->members[TASK_COMM],
					   scan->comm, sizeof(scan->comm));
	error_free(err);
	/* It becomes one of the words of a row. */
	for (char *at = scan->comm; *at; at++) {
		if (*at == ' ')
			*at = '_';
	}
}

static struct error *read_owner(struct scan *scan)
{
	uint64_t pid = 0;
	struct error *err = get(scan, scan->vm, KVM_ONLINE_VCPUS, &scan->vcpus);

	if (!err && scan->vcpus > VCPUS_MAX)
		err = error_new("%" PRIu64 " VCPUs cannot be", scan->vcpus);
	if (!err)
		err = get(scan, scan->vm, KVM_PID, &pid);
	scan->pid = (int64_t)(int32_t)pid;
	read_comm(scan);
	return err;
}

static int by_address_space(const void *left, const void *right)
{
	const struct root *a = left;
	const struct root *b = right;

	if (a->address_space != b->address_space)
		return a->address_space < b->address_space ? -1 : 1;
	if (a->nested != b->nested)
		return a->nested ? 1 : -1;
	return (a->phys > b->phys) - (a->phys < b->phys);
}

static struct error *read_vm(struct scan *scan)
{
	static const struct root none;
	char where[NAME_BYTES];

	scan->first_root = scan->root_count;
	snprintf(where, sizeof(where), "vm:0x%" PRIx64, scan->vm);
	struct error *err = read_owner(scan);
	if (err)
		return inventory_warn(scan->inventory, err, where);
	err = inventory_warn(scan->inventory, read_tdp_roots(scan), where);
	if (!err)
		err = inventory_warn(scan->inventory, read_legacy_roots(scan), where);
	if (!err)
		err = inventory_warn(scan->inventory, read_vcpus(scan), where);
	if (!err && scan->root_count == scan->first_root)
		err = add_root(scan, &none);
	if (err)
		return err;
	qsort(scan->roots + scan->first_root, scan->root_count - scan->first_root,
	      sizeof(*scan->roots), by_address_space);
	for (size_t i = scan->first_root; i < scan->root_count && !err; i++)
		err = add_space(scan, &scan->roots[i]);
	return err;
}

static bool same_words(const struct root *a, const struct root *b)
{
	return a->address_space == b->address_space && a->nested == b->nested;
}

/* vm:PID, and as many words as it takes to tell it from the others of that process. */
static void set_name(const struct scan *scan, const struct root *root)
{
	struct space *space = root->space;
	char words[NAME_BYTES / 2] = "";
	bool vms = false;
	bool roots = false;
	bool twins = false;

	for (size_t i = 0; i < scan->root_count; i++) {
		const struct root *other = &scan->roots[i];

		if (other == root || other->space->pid != space->pid)
			continue;
		vms |= other->space->object != space->object;
		if (other->space->object != space->object)
			continue;
		roots = true;
		twins |= same_words(root, other);
	}
	if (roots)
		snprintf(words, sizeof(words), " as=%u%s", root->address_space,
			 root->nested ? " nested" : "");
	if (twins)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), " root=0x%" PRIx64,
			 root->phys);
	if (vms)
		snprintf(space->name, sizeof(space->name), "vm:0x%" PRIx64 "%s", space->object,
			 words);
	else
		snprintf(space->name, sizeof(space->name), "vm:%" PRId64 "%s", space->pid, words);
}

static struct error *read_vms(struct scan *scan, uint64_t head)
{
	struct list_cursor cursor = list_begin(head);
	struct error *err = NULL;

	while (!err && list_next(scan->kernel, &cursor)) {
		scan->vm = cursor.node - scan->members[KVM_LIST].offset;
		err = read_vm(scan);
	}
	if (err) {
		error_free(cursor.error);
		return err;
	}
	for (size_t i = 0; i < scan->root_count; i++)
		set_name(scan, &scan->roots[i]);
	return inventory_warn(scan->inventory, cursor.error, "vm_list");
}

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel, .inventory = inventory };
	uint64_t head = 0;

	/* No symbol: the module is not loaded. */
	if (kernel_memory(kernel)->arch != ARCH_X86_64 || !kernel_symbol(kernel, "vm_list", &head))
		return NULL;
	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);
	if (err)
		return err;
	if (!has(&scan, KVM_LIST))
		return inventory_warn(inventory,
				      error_new("its structures are not known: give the debug file "
						"of kvm.ko by -s"),
				      "KVM");
	find_vendor(&scan);
	err = read_vms(&scan, head);
	if (!err && scan.root_count && !has(&scan, PAGE_LINK))
		err = inventory_warn(
			inventory,
			error_new("struct kvm_mmu_page is not known, so only the VCPUs' current "
				  "roots are shown; the debug file of kvm.ko (-s) has it"),
			"KVM");
	free(scan.roots);
	return err;
}

const struct walker walker_kvm_x86 = {
	.name = "kvm_x86",
	.discover = discover,
};
