/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef IOMMUPT_WALKERS_KVM_MEMSLOTS_H
#define IOMMUPT_WALKERS_KVM_MEMSLOTS_H

#include <stdint.h>

struct error;
struct kernel;
struct space;

/*
 * kvm_memslots_read() - give @space the memslots of address space @address_space of the virtual
 * machine whose struct kvm is at @kvm, in ascending order. The kernel's pages, in which it counts,
 * are 1 << @page_shift bytes. A kernel without such structures has none, which is no error.
 */
struct error *kvm_memslots_read(struct kernel *kernel, uint64_t kvm, unsigned int address_space,
				unsigned int page_shift, struct space *space);

#endif
