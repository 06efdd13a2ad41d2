// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel module that makes mistakes on purpose, for `iommupt check` to find.
 *
 * Its parameter seeds=KIND:DEVICE,... names what to do to which PCI device (a hexadecimal device
 * number on bus 0; all but that of "stale" are QEMU's pci-testdev, which do no DMA). What
 * needs a mapping maps when the module is loaded. The mistakes themselves are made when
 * something is written to /sys/kernel/debug/seed, as late as possible; reading that file then gives
 * the truth: "seed RULE SPACE IOVA LENGTH PHYS", with "-" for what a rule has not.
 *
 * Hardware's entries are found from the unit's register, as hardware finds them (VT-d
 * specification, 9.1 and 9.3, legacy mode; AMD 48882, 2.2.2 and 2.2.3).
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

enum {
	SEEDS_MAX = 16,
	/* Of an order that the allocator hands out last: what is freed stays as it is. */
	BLOCK_ORDER = 10,
	PAGE_IN_BLOCK = 100,
	FREE_PAGES = 3,
	/* Movable memory of order 1 is nobody else's: it stays on its per-CPU list. */
	LISTED_ORDER = 1,
	UNUSED_ID = 0x77,
};

#define ADDRESS 0x000ffffffffff000ULL

struct seed;

struct kind {
	const char *name;
	const char *rule;
	int (*prepare)(struct seed *seed);
	int (*commit)(struct seed *seed);
};

struct seed {
	const struct kind *kind;
	unsigned int devfn;
	struct device *dev; /* NULL: there is none */
	struct page *block;
	dma_addr_t iova;
	u64 length; /* 0: the rule has no input address */
	u64 phys;
};

static char *seeds;
module_param(seeds, charp, 0444);
static bool amd;
module_param(amd, bool, 0444);

static struct seed list[SEEDS_MAX];
static unsigned int count;
static struct dentry *file;

static u64 unit_register(phys_addr_t address)
{
	void __iomem *registers = ioremap(address, 8);
	u64 value = 0;

	if (registers) {
		value = readq(registers);
		iounmap(registers);
	}
	return value;
}

/* Where QEMU's q35 has the unit's registers; RTADDR_REG, and the device table's base. */
static u64 *hardware_entry(unsigned int devfn)
{
	u64 *root;

	if (amd)
		return (u64 *)phys_to_virt(unit_register(0xfed80000) & ADDRESS) + 4 * devfn;
	root = phys_to_virt(unit_register(0xfed90020) & ADDRESS);
	return root[0] & 1 ? (u64 *)phys_to_virt(root[0] & ADDRESS) + 2 * devfn : NULL;
}

static unsigned int entry_words(void)
{
	return amd ? 4 : 2;
}

static unsigned int levels_of(const u64 *entry)
{
	return amd ? entry[0] >> 9 & 7 : (entry[1] & 7) + 2;
}

/* The entry of level 2 that leads to the table of an address's leaf. */
static u64 *link_to_leaf_table(const u64 *entry, dma_addr_t iova)
{
	u64 *table = phys_to_virt(entry[0] & ADDRESS);
	unsigned int level;

	for (level = levels_of(entry); level > 1; level--) {
		u64 *link = table + (iova >> (12 + 9 * (level - 1)) & 511);
		const bool leads_on = amd ? (*link & 1) && (*link >> 9 & 7) == level - 1
					  : (*link & 3) && !(*link & 0x80);

		if (!leads_on)
			return NULL;
		if (level == 2)
			return link;
		table = phys_to_virt(*link & ADDRESS);
	}
	return NULL;
}

static void set_bits(u64 *word, u64 mask, u64 value)
{
	WRITE_ONCE(*word, (*word & ~mask) | value);
}

static int map(struct seed *seed, struct page *page, u64 length)
{
	seed->iova = dma_map_page(seed->dev, page, 0, length, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(seed->dev, seed->iova))
		return -EIO;
	seed->length = length;
	seed->phys = page_to_phys(page);
	return 0;
}

static int map_block(struct seed *seed)
{
	seed->block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return seed->block ? map(seed, seed->block + PAGE_IN_BLOCK, FREE_PAGES * PAGE_SIZE)
			   : -ENOMEM;
}

static int free_block(struct seed *seed)
{
	__free_pages(seed->block, BLOCK_ORDER);
	return 0;
}

static int map_listed(struct seed *seed)
{
	seed->block = alloc_pages(GFP_HIGHUSER_MOVABLE, LISTED_ORDER);
	return seed->block ? map(seed, seed->block, PAGE_SIZE) : -ENOMEM;
}

static int free_listed(struct seed *seed)
{
	__free_pages(seed->block, LISTED_ORDER);
	return 0;
}

/* A page that is in order, so that there is a table; and where the table will go. */
static int map_for_table(struct seed *seed)
{
	struct page *page = alloc_page(GFP_KERNEL);

	seed->block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return page && seed->block ? map(seed, page, PAGE_SIZE) : -ENOMEM;
}

/*
 * A page of order 0 would be the next one to be handed out, and overwritten. So the table moves
 * into a large block first, and that is what is freed.
 */
static int free_table(struct seed *seed)
{
	const u64 *entry = hardware_entry(seed->devfn);
	u64 *link = entry ? link_to_leaf_table(entry, seed->iova) : NULL;
	struct page *page = seed->block + PAGE_IN_BLOCK;

	if (!link)
		return -ENOENT;
	copy_page(page_address(page), phys_to_virt(*link & ADDRESS));
	set_bits(link, ADDRESS, page_to_phys(page));
	seed->iova = ALIGN_DOWN(seed->iova, PMD_SIZE);
	seed->length = 0;
	seed->phys = page_to_phys(page);
	return free_block(seed);
}

static int map_root(struct seed *seed)
{
	const u64 *entry = hardware_entry(seed->devfn);

	return entry ? map(seed, pfn_to_page(PHYS_PFN(entry[0] & ADDRESS)), PAGE_SIZE) : -ENOENT;
}

static int map_text(struct seed *seed)
{
	const phys_addr_t phys = slow_virt_to_phys(_printk);

	return map(seed, pfn_to_page(PHYS_PFN(phys)), PAGE_SIZE);
}

/* What is left is done to hardware's entry of the device. */
static u64 *entry_of(struct seed *seed)
{
	u64 *entry = hardware_entry(seed->devfn);

	seed->phys = entry ? virt_to_phys(entry) : 0;
	return entry;
}

/* Another requester is translated like the first seed's device. */
static int copy_entry(struct seed *seed)
{
	const u64 *from = hardware_entry(list[0].devfn);
	u64 *entry = entry_of(seed);
	unsigned int i;

	if (!entry || !from)
		return -ENOENT;
	for (i = entry_words(); i-- > 0;)
		WRITE_ONCE(entry[i], from[i]);
	return 0;
}

static int set_root(struct seed *seed)
{
	u64 *entry = entry_of(seed);
	const unsigned long page = get_zeroed_page(GFP_KERNEL);

	if (!entry || !page)
		return -ENOMEM;
	set_bits(&entry[0], ADDRESS, virt_to_phys((void *)page));
	return 0;
}

static int set_levels(struct seed *seed)
{
	u64 *entry = entry_of(seed);

	if (!entry)
		return -ENOENT;
	if (amd)
		set_bits(&entry[0], 7 << 9, (levels_of(entry) + 1) << 9);
	else
		set_bits(&entry[1], 7, levels_of(entry) - 3);
	return 0;
}

/* VT-d blocks without the present bit; AMD's hardware without mode and permissions. */
static int block(struct seed *seed)
{
	u64 *entry = entry_of(seed);

	if (!entry)
		return -ENOENT;
	if (amd)
		set_bits(&entry[0], ADDRESS | 7 << 9 | 3ULL << 61, 0);
	else
		set_bits(&entry[0], 1, 0);
	return 0;
}

static int set_id(struct seed *seed)
{
	u64 *entry = entry_of(seed);

	if (!entry)
		return -ENOENT;
	if (amd)
		set_bits(&entry[1], 0xffff, UNUSED_ID);
	else
		set_bits(&entry[1], 0xffff << 8, UNUSED_ID << 8);
	return 0;
}

static const struct kind kinds[] = {
	{ "free", "free-mapped", map_block, free_block },
	{ "free-pcp", "free-mapped", map_listed, free_listed },
	{ "table", "table-free", map_for_table, free_table },
	{ "writable", "table-writable", map_root, NULL },
	{ "text", "text-writable", map_text, NULL },
	{ "stale", "stale-requester", NULL, copy_entry },
	{ "root", "hw-root", NULL, set_root },
	{ "levels", "hw-levels", NULL, set_levels },
	{ "blocked", "hw-mode", NULL, block },
	{ "id", "hw-domain-id", NULL, set_id },
};

static int show(struct seq_file *out, void *unused)
{
	const struct seed *seed;

	for (seed = list; seed < list + count; seed++) {
		seq_printf(out, "seed %s 0000:00:%02x.%u", seed->kind->rule, PCI_SLOT(seed->devfn),
			   PCI_FUNC(seed->devfn));
		if (seed->iova)
			seq_printf(out, " 0x%llx", (u64)seed->iova);
		else
			seq_puts(out, " -");
		if (seed->length)
			seq_printf(out, " 0x%llx", seed->length);
		else
			seq_puts(out, " -");
		seq_printf(out, " 0x%llx\n", seed->phys);
	}
	return 0;
}

static int open_seeds(struct inode *inode, struct file *opened)
{
	return single_open(opened, show, NULL);
}

static ssize_t write_seeds(struct file *opened, const char __user *text, size_t length, loff_t *at)
{
	struct seed *seed;

	for (seed = list; seed < list + count; seed++) {
		const int err = seed->kind->commit ? seed->kind->commit(seed) : 0;

		if (err)
			return err;
	}
	return length;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open_seeds,
	.read = seq_read,
	.write = write_seeds,
	.release = single_release,
};

static int prepare(const char *name, unsigned int device)
{
	const unsigned int devfn = PCI_DEVFN(device, 0);
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(0, 0, devfn);
	struct seed *seed = &list[count];
	unsigned int i = 0;

	while (i < ARRAY_SIZE(kinds) && strcmp(kinds[i].name, name) != 0)
		i++;
	if (i == ARRAY_SIZE(kinds) || count == SEEDS_MAX || (kinds[i].prepare && !pdev))
		return -EINVAL;
	*seed = (struct seed){ .kind = &kinds[i], .devfn = devfn };
	seed->dev = pdev ? &pdev->dev : NULL;
	count++;
	return kinds[i].prepare ? kinds[i].prepare(seed) : 0;
}

/* Bound, so that a device is a driver's and gets no other. */
static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id ids[] = { { PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0005) }, {} };

static struct pci_driver driver = { .name = "seed", .id_table = ids, .probe = probe };

static int __init seed_init(void)
{
	char *word;
	int err = pci_register_driver(&driver);

	while (!err && (word = strsep(&seeds, ",")) != NULL) {
		char *device = strchr(word, ':');
		unsigned int number;

		if (!device)
			return -EINVAL;
		*device++ = '\0';
		err = kstrtouint(device, 16, &number);
		if (!err)
			err = prepare(word, number);
		if (err)
			pr_err("seed: %s: %d\n", word, err);
	}
	if (!err)
		file = debugfs_create_file("seed", 0600, NULL, NULL, &operations);
	return err;
}

module_init(seed_init);
MODULE_DESCRIPTION("mistakes for iommupt to find");
MODULE_LICENSE("GPL");
