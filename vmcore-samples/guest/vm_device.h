// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A virtual machine with a device: the VM's memory is also mapped for it by VFIO, the
 * guest-physical address as its IOVA, as every VMM does for a device that it hands to its guest.
 *
 * A part of vmm.c and vmm_arm64.c, which have die(), physical(), truth and PAGE before it.
 */
#include <limits.h>
#include <linux/vfio.h>

static int container = -1;
static const char *container_label = "vfio0";

static void open_container(const char *device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die("%s has no IOMMU group", device);
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	int group = open(path, O_RDWR);
	container = open("/dev/vfio/vfio", O_RDWR);
	if (group < 0 || container < 0)
		die("cannot open %s of %s, or /dev/vfio/vfio", path, device);
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE) ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ||
	    ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device) < 0)
		die("cannot put %s into a container", device);
}

static void map_for_device(uint64_t gpa, uint64_t size, const char *memory, bool writable)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)memory,
		.iova = gpa,
		.size = size,
	};

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		die("cannot map IOVA 0x%llx", (unsigned long long)gpa);
}

/* What is mapped there for the device: as guest/mapper.c has it. */
static void write_device_truth(uint64_t gpa, uint64_t size, const char *memory, bool writable)
{
	const char *perm = writable ? "rw-" : "r--";

	fprintf(truth, "map %s 0x%llx 0x%llx %s\n", container_label, (unsigned long long)gpa,
		(unsigned long long)size, perm);
	for (uint64_t at = 0; at < size; at += PAGE)
		fprintf(truth, "page %s 0x%llx 0x%llx %s\n", container_label,
			(unsigned long long)(gpa + at), (unsigned long long)physical(memory + at),
			perm);
}

/* Where the process itself has the VM's memory. */
static void write_process_truth(uint64_t size, const char *memory)
{
	for (uint64_t at = 0; at < size; at += PAGE) {
		const uint64_t phys = physical(memory + at);

		if (phys)
			fprintf(truth, "page pid:%d 0x%llx 0x%llx rw-\n", getpid(),
				(unsigned long long)(uintptr_t)(memory + at),
				(unsigned long long)phys);
	}
}
