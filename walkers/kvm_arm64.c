// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * KVM on arm64: the stage-2 tables of virtual machines.
 *
 * Linux: arch/arm64/include/asm/kvm_host.h (struct kvm_s2_mmu, kvm_arch.mmu, .nested_mmus, .pkvm),
 * kvm_pgtable.h (struct kvm_pgtable: ia_bits, start_level; what KVM keeps in entries that are not
 * valid), arch/arm64/kvm/hyp/pgtable.c (kvm_get_vtcr(), the root tables in a row), nested.c.
 * Arm ARM (DDI 0487), D24.2 "VTCR_EL2": T0SZ, SL0, TG0, PS, HA, HD, DS.
 *
 * The root is pgd_phys, which KVM puts into VTTBR_EL2; the depth and width are those of VTCR_EL2 as
 * KVM computed it, once for each VM.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"
#include "walkers/io_pgtable.h"
#include "walkers/kvm_memslots.h"
#include "walkers/process.h"

enum field {
	KVM_LIST,
	KVM_MM,
	KVM_USER_PID,
	KVM_ARCH,
	KVM_ONLINE_VCPUS,
	ARCH_MMU,
	ARCH_VTCR, /* up to 6.6 */
	ARCH_NESTED,
	ARCH_NESTED_SIZE,
	ARCH_PKVM_HANDLE,
	MMU,
	MMU_VMID,
	MMU_PGD_PHYS,
	MMU_PGT,
	MMU_ARCH,
	MMU_VTCR,      /* since 6.7: fe49fd940e22 */
	MMU_TLB_VTTBR, /* of a nested one: what the guest hypervisor's VTTBR_EL2 was */
	PGT_START_LEVEL,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[KVM_LIST] = { "kvm", "vm_list", NULL },
	[KVM_MM] = { "kvm", "mm", NULL },
	[KVM_USER_PID] = { "kvm", "userspace_pid", NULL },
	[KVM_ARCH] = { "kvm", "arch", NULL },
	[KVM_ONLINE_VCPUS] = { "kvm", "online_vcpus", NULL },
	[ARCH_MMU] = { "kvm_arch", "mmu", NULL },
	[ARCH_VTCR] = { "kvm_arch", "vtcr", NULL },
	[ARCH_NESTED] = { "kvm_arch", "nested_mmus", NULL },
	[ARCH_NESTED_SIZE] = { "kvm_arch", "nested_mmus_size", NULL },
	[ARCH_PKVM_HANDLE] = { "kvm_arch", "pkvm.handle", NULL },
	[MMU] = { "kvm_s2_mmu", NULL, NULL },
	[MMU_VMID] = { "kvm_s2_mmu", "vmid", NULL },
	[MMU_PGD_PHYS] = { "kvm_s2_mmu", "pgd_phys", NULL },
	[MMU_PGT] = { "kvm_s2_mmu", "pgt", NULL },
	[MMU_ARCH] = { "kvm_s2_mmu", "arch", NULL },
	[MMU_VTCR] = { "kvm_s2_mmu", "vtcr", NULL },
	[MMU_TLB_VTTBR] = { "kvm_s2_mmu", "tlb_vttbr", NULL },
	[PGT_START_LEVEL] = { "kvm_pgtable", "start_level", NULL },
};

struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member members[FIELDS];
	uint8_t annotations; /* enum pt_annotations */
};

/* One VM under examination. */
struct vm {
	uint64_t kvm;
	uint64_t arch; /* its struct kvm_arch */
	uint64_t mm;   /* struct mm_struct of its process */
	int64_t pid;
	uint64_t vcpus;
	char comm[COMM_BYTES];
	char name[32]; /* "vm:123" */
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/* VTCR_EL2 and the start level to a tree's parameters. False: reserved values. */
static bool decode_vtcr(uint64_t vtcr, int start_level, struct pt_parameters *ret)
{
	static const uint8_t granules[] = { 12, 16, 14, 0 };
	static const uint8_t sizes[] = { 32, 36, 40, 42, 44, 48, 52, 0 };
	const bool lpa2 = vtcr >> 32 & 1;

	*ret = (struct pt_parameters){
		.granule_lg2 = granules[pt_field(vtcr, 15, 14)],
		.input_bits = (uint8_t)(64 - pt_field(vtcr, 5, 0)),
		.output_bits = sizes[pt_field(vtcr, 18, 16)],
		.start_level = (int8_t)start_level,
		.has_start_level = true,
		/* HA; KVM sets neither HD nor, in entries, DBM. */
		.dirty_tracking = vtcr >> 21 & 1,
		.lpa2 = lpa2,
	};
	/* PS may name more than tables without 52-bit addresses can say. */
	if (ret->output_bits == 52 && !lpa2 && ret->granule_lg2 != 16)
		ret->output_bits = 48;
	return ret->granule_lg2 && ret->output_bits && start_level >= -1 && start_level <= 3;
}

/* The step before the tables: where the kernel keeps what it puts into VTTBR_EL2. */
static void add_mmu_step(const struct scan *scan, struct space *space, uint64_t mmu, uint64_t vtcr)
{
	const struct pt_geometry *geometry = &space->tree.geometry;
	const unsigned int top = geometry->levels - 1U;
	const unsigned int per_table = geometry->granule_lg2 - 3U;
	const unsigned int root_lg2 = pt_table_lg2(geometry, top);
	uint64_t phys = 0;

	if (!kernel_to_phys(scan->kernel, mmu, &phys))
		return;
	struct space_step *step = space_add_step(space, "s2_mmu", phys, 0, &space->tree.root, 1);
	step->entry_addr = phys + scan->members[MMU_PGD_PHYS].offset;
	snprintf(step->meaning, sizeof(step->meaning),
		 "root 0x%" PRIx64 ", %u table%s in a row; VTCR 0x%" PRIx64
		 ": %u-bit IPA, %uK granule, start level %d",
		 space->tree.root, root_lg2 > per_table ? 1U << (root_lg2 - per_table) : 1,
		 root_lg2 > per_table ? "s" : "", vtcr, geometry->input_bits,
		 1U << (geometry->granule_lg2 - 10), 4 - geometry->levels);
}

static struct error *fill_mmu(const struct scan *scan, const struct vm *vm, uint64_t mmu,
			      struct space *space)
{
	const struct member *level = &scan->members[PGT_START_LEVEL];
	uint64_t root = 0;
	uint64_t pgt = 0;
	uint64_t start_level = 0;
	uint64_t vtcr = 0;
	struct pt_parameters parameters;
	struct error *err = get(scan, mmu, MMU_PGD_PHYS, &root);

	if (!err)
		err = get(scan, mmu, MMU_PGT, &pgt);
	if (!err && (root == 0 || pgt == 0)) {
		space_set_mode(space, SPACE_BLOCKED, "the VM has no stage 2 table");
		return NULL;
	}
	if (!err)
		err = scan->members[MMU_VTCR].present ? get(scan, mmu, MMU_VTCR, &vtcr)
						      : get(scan, vm->arch, ARCH_VTCR, &vtcr);
	if (!err)
		err = get(scan, pgt, PGT_START_LEVEL, &start_level);
	if (err)
		return err;
	int signed_level = level->size == 1 ? (int8_t)start_level : (int)(int32_t)start_level;
	if (!decode_vtcr(vtcr, signed_level, &parameters)) {
		space_set_mode(space, SPACE_UNKNOWN,
			       "VTCR_EL2 0x%" PRIx64 " with start level %d is reserved", vtcr,
			       signed_level);
		return NULL;
	}
	if (space_set_tree(space, &pt_format_lpae_s2, &parameters, root)) {
		space->tree.geometry.annotations = scan->annotations;
		add_mmu_step(scan, space, mmu, vtcr);
	}
	return NULL;
}

/* What `list` says of the owner. */
static void set_words(const struct vm *vm, int nested, struct space *space)
{
	snprintf(space->words, sizeof(space->words),
		 "pid=%" PRId64 "%s%s vcpus=%" PRIu64 " as=0 memslots=%zu%s kvm=0x%" PRIx64,
		 vm->pid, vm->comm[0] ? " comm=" : "", vm->comm, vm->vcpus, space->memslot_count,
		 nested < 0 ? "" : " nested=yes", vm->kvm);
}

/* A stage-2 table of @vm; @nested is the number of a nested one, or -1. */
static struct error *add_mmu(const struct scan *scan, const struct vm *vm, uint64_t mmu, int nested)
{
	struct space *space = NULL;
	uint64_t handle = 0;
	struct error *err = inventory_add_space(scan->inventory, &space);

	if (err)
		return err;
	if (nested < 0)
		snprintf(space->name, sizeof(space->name), "%s", vm->name);
	else
		snprintf(space->name, sizeof(space->name), "%s nested=%d", vm->name, nested);
	space->kind = "vm";
	space->view = VIEW_HW;
	space->object = vm->kvm;
	space->pid = vm->pid;
	space->mm = vm->mm;
	snprintf(space->comm, sizeof(space->comm), "%s", vm->comm);
	if (scan->members[ARCH_PKVM_HANDLE].present)
		err = get(scan, vm->arch, ARCH_PKVM_HANDLE, &handle);
	if (!err && handle)
		space_set_mode(space, SPACE_UNKNOWN,
			       "pKVM: the table is the hypervisor's (handle 0x%" PRIx64
			       "), not the kernel's",
			       handle);
	else if (!err)
		err = fill_mmu(scan, vm, mmu, space);
	/* KVM's stage 2 has the kernel's own granule; a nested one is of another machine's memory.
	 */
	if (!err && nested < 0 && space->mode == SPACE_TABLE)
		err = inventory_warn(scan->inventory,
				     kvm_memslots_read(scan->kernel, vm->kvm, 0,
						       space->tree.geometry.granule_lg2, space),
				     "memslots of a VM");
	set_words(vm, nested, space);
	if (!err)
		return NULL;
	space_set_mode(space, SPACE_UNKNOWN, "%.159s", err->message);
	return inventory_warn(scan->inventory, err, space->name);
}

/* A kvm_s2_mmu tells whose it is. */
static bool belongs_to(const struct scan *scan, const struct vm *vm, uint64_t mmu)
{
	uint64_t arch = 0;
	struct error *err = mmu ? get(scan, mmu, MMU_ARCH, &arch) : NULL;

	error_free(err);
	return mmu && !err && arch == vm->arch;
}

/*
 * Nested stage-2 tables: what a hypervisor in the guest wants for its guests, in the host's
 * addresses. An array of structures in 6.12, of pointers in 7.x, which no member tells: so each
 * element is asked for its VM. One without a table is free.
 */
static struct error *add_nested(const struct scan *scan, const struct vm *vm)
{
	enum { NESTED_MAX = 4096 };
	uint64_t array = 0;
	uint64_t count = 0;
	struct error *err = NULL;

	if (!scan->members[ARCH_NESTED].present || !scan->members[MMU_ARCH].present)
		return NULL;
	err = get(scan, vm->arch, ARCH_NESTED, &array);
	if (!err)
		err = get(scan, vm->arch, ARCH_NESTED_SIZE, &count);
	if (err || array == 0)
		return err;
	if (count > NESTED_MAX)
		return error_new("%" PRIu64 " nested tables cannot be", count);
	const bool structures = belongs_to(scan, vm, array);
	for (uint64_t i = 0; i < count && !err; i++) {
		uint64_t mmu = array + i * scan->members[MMU].size;
		uint64_t root = 0;

		if (!structures)
			err = kernel_read(scan->kernel, array + i * sizeof(mmu), &mmu, sizeof(mmu));
		if (!err && belongs_to(scan, vm, mmu))
			err = get(scan, mmu, MMU_PGD_PHYS, &root);
		if (!err && root)
			err = add_mmu(scan, vm, mmu, (int)i);
	}
	return err;
}

/* The process of a VM: whose mm it uses, else who made it. */
static struct error *read_owner(const struct scan *scan, struct vm *vm)
{
	struct process process = { 0 };
	uint64_t pid = 0;
	struct error *err = get(scan, vm->kvm, KVM_MM, &vm->mm);

	if (err)
		return err;
	err = process_of_mm(scan->kernel, vm->mm, &process);
	if (!err) {
		vm->pid = process.pid;
		memcpy(vm->comm, process.comm, sizeof(vm->comm));
		return NULL;
	}
	error_free(err);
	err = get(scan, vm->kvm, KVM_USER_PID, &pid);
	vm->pid = (int32_t)pid;
	return err;
}

/* A second VM of one process has its structure's address for a name. */
static void set_name(const struct scan *scan, struct vm *vm)
{
	snprintf(vm->name, sizeof(vm->name), "vm:%" PRId64, vm->pid);
	for (size_t i = 0; i < scan->inventory->space_count; i++) {
		const struct space *other = scan->inventory->spaces[i];

		if (strcmp(other->name, vm->name) == 0 && other->object != vm->kvm)
			snprintf(vm->name, sizeof(vm->name), "vm:0x%" PRIx64, vm->kvm);
	}
}

static struct error *read_vm(const struct scan *scan, uint64_t kvm)
{
	struct vm vm = { .kvm = kvm, .arch = kvm + scan->members[KVM_ARCH].offset };
	struct error *err = read_owner(scan, &vm);

	if (!err)
		err = get(scan, kvm, KVM_ONLINE_VCPUS, &vm.vcpus);
	if (!err) {
		set_name(scan, &vm);
		err = add_mmu(scan, &vm, vm.arch + scan->members[ARCH_MMU].offset, -1);
	}
	if (!err)
		err = add_nested(scan, &vm);
	return inventory_warn(scan->inventory, err, vm.name[0] ? vm.name : "a virtual machine");
}

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel, .inventory = inventory };
	uint64_t head = 0;
	int64_t value = 0;
	bool typed = false;
	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);

	/* No such structure: another architecture. No symbol: no KVM. */
	if (err || !scan.members[MMU_PGD_PHYS].present || !kernel_symbol(kernel, "vm_list", &head))
		return err;
	err = kernel_enumerator(kernel, "kvm_invalid_pte_type", "KVM_INVALID_PTE_TYPE_LOCKED",
				&typed, &value);
	scan.annotations = typed ? PT_KVM_ARM64_TYPES : PT_KVM_ARM64_OWNERS;
	struct list_cursor cursor = list_begin(head);
	while (!err && list_next(kernel, &cursor))
		err = read_vm(&scan, cursor.node - scan.members[KVM_LIST].offset);
	return err ? err : inventory_warn(inventory, cursor.error, "the list of virtual machines");
}

const struct walker walker_kvm_arm64 = {
	.name = "kvm_arm64",
	.discover = discover,
};
