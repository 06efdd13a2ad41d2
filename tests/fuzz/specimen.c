// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/fuzz/specimen.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/error.h"

enum {
	PAGE_LG2 = 12,
	PAGE_BYTES = 1 << PAGE_LG2,
	WORD = sizeof(uint64_t),
	CHANGES_MAX = 64,
	EXTENTS_MAX = 64,
	NO_PAGE = 0,
};

/* Small ones, of every family, every format, and of kernels old and new. */
static const char *const names[] = {
	"vtd-4level-5.10",    "vtd-scalable-6.12",
	"vtd-firststage-7.2", "amdv1-6.12",
	"amdv2-5level-6.12",  "smmuv3-16k-6.12",
	"smmuv3-s2-6.12",     "smmuv3-nested-container-6.1",
	"ept-6.12",	      "ept-legacy-6.1",
	"npt5-6.12",	      "kvm-arm64-lpa2-6.12",
	"proc-7.2",	      "proc-arm64-16k-6.12",
	"shared-7.2",	      "seeded-6.12",
};

enum { SPECIMENS = sizeof(names) / sizeof(names[0]) };

/* Bytes that can be changed. */
struct bytes {
	uint8_t *data; /* a multiple of WORD */
	size_t size;
	uint32_t *words; /* offsets of those that are not zero */
	uint32_t word_count;
};

struct change {
	uint8_t *at;
	uint64_t before;
};

struct extent {
	uint64_t start, end;
};

struct specimen {
	char path[256];
	struct bytes pages;  /* FORM_MEMORY: one behind the other */
	uint64_t *addresses; /* of each of these */
	uint8_t *status;     /* enum block_status of each */
	bool *touched;	     /* was it read? */
	uint32_t *index;     /* by page frame: number of its page plus 1, or NO_PAGE */
	uint64_t frames;
	struct extent ram[EXTENTS_MAX];
	size_t ram_count;
	struct memory *file;
	struct memory about; /* what the file says: notes, VMCOREINFO, architecture */
	struct bytes info;   /* VMCOREINFO, NUL at its end */
	struct bytes files[FORMS];
	uint8_t *originals[FORMS];
	int fds[FORMS];
	struct change changes[CHANGES_MAX];
	size_t change_count;
	size_t cut; /* bytes that are left of the file of cut_form; 0: all */
	enum specimen_form cut_form;
	uint32_t changed_status[CHANGES_MAX];
	size_t changed_status_count;
	struct specimen_row rows[SPECIMEN_ROWS];
	size_t row_count;
};

static void *allocate(size_t count, size_t size)
{
	void *data = calloc(count ? count : 1, size);

	REQUIRE(data);
	return data;
}

static void note_words(struct bytes *bytes)
{
	const uint64_t *word = (const uint64_t *)bytes->data;
	uint32_t count = 0;

	for (size_t i = 0; i < bytes->size / WORD; i++)
		count += word[i] != 0;
	bytes->words = allocate(count + 1, sizeof(*bytes->words));
	for (size_t i = 0; i < bytes->size / WORD; i++) {
		if (word[i])
			bytes->words[bytes->word_count++] = (uint32_t)(i * WORD);
	}
}

/* ---- Loading ---- */

static void load_extents(struct specimen *self, struct memory *memory)
{
	uint64_t start = 0;
	uint64_t end = 0;

	while (self->ram_count < EXTENTS_MAX && memory_next_ram(memory, end, &start, &end))
		self->ram[self->ram_count++] = (struct extent){ start, end };
	REQUIRE(self->ram_count > 0);
	self->frames = end >> PAGE_LG2;
	self->index = allocate(self->frames, sizeof(*self->index));
}

static void load_pages(struct specimen *self, struct memory *memory)
{
	uint32_t count = 0;

	for (uint64_t frame = 0; frame < self->frames; frame++) {
		if (memory->ops->probe(memory, frame << PAGE_LG2) == BLOCK_OK)
			self->index[frame] = ++count;
	}
	self->pages.size = (size_t)count << PAGE_LG2;
	self->pages.data = allocate(count, PAGE_BYTES);
	self->addresses = allocate(count, sizeof(*self->addresses));
	self->status = allocate(count, 1);
	self->touched = allocate(count, sizeof(*self->touched));
	for (uint64_t frame = 0; frame < self->frames; frame++) {
		const uint32_t number = self->index[frame];

		if (number == NO_PAGE)
			continue;
		self->addresses[number - 1] = frame << PAGE_LG2;
		REQUIRE(memory_read(memory, frame << PAGE_LG2,
				    self->pages.data + ((size_t)(number - 1) << PAGE_LG2),
				    PAGE_BYTES) == BLOCK_OK);
	}
}

static void load_about(struct specimen *self, struct memory *memory)
{
	const size_t len = memory->vmcoreinfo ? strlen(memory->vmcoreinfo) : 0;

	/* It stays open: its notes are borrowed. */
	self->file = memory;
	self->about = *memory;
	self->info.size = len / WORD * WORD;
	self->info.data = allocate(len + WORD, 1);
	if (len)
		memcpy(self->info.data, memory->vmcoreinfo, len);
	note_words(&self->info);
}

static void put(FILE *file, const void *data, size_t size)
{
	REQUIRE(fwrite(data, 1, size, file) == size);
}

static void put_note(FILE *file, const char *name, uint32_t type, const void *desc, size_t len)
{
	static const char zeros[4];
	const Elf64_Nhdr header = { (uint32_t)strlen(name) + 1, (uint32_t)len, type };

	put(file, &header, sizeof(header));
	put(file, name, header.n_namesz);
	put(file, zeros, -header.n_namesz & 3U);
	put(file, desc, len);
	put(file, zeros, -len & 3U);
}

static void put_notes(const struct specimen *self, FILE *file)
{
	const struct memory *about = &self->about;

	if (about->vmcoreinfo)
		put_note(file, "VMCOREINFO", 0, about->vmcoreinfo, strlen(about->vmcoreinfo));
	for (size_t i = 0; i < about->note_count; i++)
		put_note(file, about->notes[i].name, about->notes[i].type, about->notes[i].desc,
			 about->notes[i].len);
}

/* The pages from number @i on that lie in a row. */
static size_t count_row(const struct specimen *self, size_t i)
{
	const size_t total = self->pages.size >> PAGE_LG2;
	size_t count = 1;

	while (i + count < total &&
	       self->addresses[i + count] == self->addresses[i] + (count << PAGE_LG2))
		count++;
	return count;
}

static void put_headers(const struct specimen *self, FILE *file, uint16_t segments, size_t notes)
{
	const size_t total = self->pages.size >> PAGE_LG2;
	const uint64_t notes_at = sizeof(Elf64_Ehdr) + (segments + 1U) * sizeof(Elf64_Phdr);
	const Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = self->about.arch == ARCH_AARCH64 ? EM_AARCH64 : EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)(segments + 1),
	};
	Elf64_Phdr segment = {
		.p_type = PT_NOTE,
		.p_offset = notes_at,
		.p_filesz = notes,
		.p_memsz = notes,
	};

	put(file, &header, sizeof(header));
	put(file, &segment, sizeof(segment));
	uint64_t at = notes_at + notes;
	for (size_t i = 0; i < total; i += count_row(self, i)) {
		segment = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_offset = at,
			.p_paddr = self->addresses[i],
			.p_filesz = count_row(self, i) << PAGE_LG2,
			.p_memsz = count_row(self, i) << PAGE_LG2,
		};
		put(file, &segment, sizeof(segment));
		at += segment.p_filesz;
	}
}

static void write_elf(const struct specimen *self, FILE *file)
{
	const size_t total = self->pages.size >> PAGE_LG2;
	uint16_t segments = 0;
	char *notes = NULL;
	size_t notes_len = 0;
	FILE *stream = open_memstream(&notes, &notes_len);

	REQUIRE(stream);
	put_notes(self, stream);
	fclose(stream);
	for (size_t i = 0; i < total; i += count_row(self, i))
		segments++;
	put_headers(self, file, segments, notes_len);
	put(file, notes, notes_len);
	put(file, self->pages.data, self->pages.size);
	free(notes);
}

static void copy_file(const char *path, FILE *to)
{
	char buffer[PAGE_BYTES];
	FILE *from = fopen(path, "rb");
	size_t got = 0;

	REQUIRE(from);
	while ((got = fread(buffer, 1, sizeof(buffer), from)) > 0)
		put(to, buffer, got);
	fclose(from);
}

/* A file in memory, mapped, so that what is changed in the mapping is changed in the file. */
static void load_file(struct specimen *self, enum specimen_form form)
{
	struct bytes *bytes = &self->files[form];
	const int fd = memfd_create("specimen", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "wb");

	REQUIRE(file);
	if (form == FORM_ELF)
		write_elf(self, file);
	else
		copy_file(self->path, file);
	const long size = ftell(file);
	REQUIRE(size > 0 && fclose(file) == 0);
	bytes->size = (size_t)size / WORD * WORD;
	bytes->data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(bytes->data != MAP_FAILED);
	note_words(bytes);
	self->originals[form] = allocate(1, (size_t)size);
	memcpy(self->originals[form], bytes->data, bytes->size);
	self->fds[form] = fd;
}

static struct specimen *load(const char *name)
{
	const char *folder = getenv("IOMMUPT_SPECIMENS");
	struct specimen *self = allocate(1, sizeof(*self));
	struct memory *memory = NULL;

	snprintf(self->path, sizeof(self->path), "%s/%s/vmcore",
		 folder ? folder : "vmcore-samples/specimens", name);
	struct error *err = memory_open(self->path, 0, &memory);
	if (err) {
		fprintf(stderr, "%s; run it in the project's folder or set IOMMUPT_SPECIMENS\n",
			err->message);
		exit(2);
	}
	load_extents(self, memory);
	load_pages(self, memory);
	load_about(self, memory);
	return self;
}

struct specimen *specimen_get(unsigned int number)
{
	static struct specimen *loaded[SPECIMENS];
	struct specimen **place = &loaded[number % SPECIMENS];

	if (!*place)
		*place = load(names[number % SPECIMENS]);
	return *place;
}

struct specimen_row *specimen_rows(struct specimen *specimen, size_t **count)
{
	*count = &specimen->row_count;
	return specimen->rows;
}

void specimen_note_reads(struct specimen *specimen)
{
	memset(specimen->touched, 0,
	       (specimen->pages.size >> PAGE_LG2) * sizeof(*specimen->touched));
}

void specimen_forget_others(struct specimen *specimen)
{
	const size_t total = specimen->pages.size >> PAGE_LG2;
	uint32_t kept = 0;

	for (size_t i = 0; i < total; i++) {
		uint32_t *number = &specimen->index[specimen->addresses[i] >> PAGE_LG2];

		*number = NO_PAGE;
		if (!specimen->touched[i])
			continue;
		memmove(specimen->pages.data + ((size_t)kept << PAGE_LG2),
			specimen->pages.data + (i << PAGE_LG2), PAGE_BYTES);
		specimen->addresses[kept] = specimen->addresses[i];
		*number = ++kept;
	}
	specimen->pages.size = (size_t)kept << PAGE_LG2;
	note_words(&specimen->pages);
}

/* ---- Changing ---- */

/* The first byte of a record. */
enum what {
	WHAT_MASK = 7,
	SET = 0,
	EXCLUSIVE_OR,
	FLIP,	     /* one bit */
	ADD,	     /* a small number */
	COPY,	     /* another word */
	LEAD,	     /* an address in it becomes that of a page */
	TAKE_AWAY,   /* a page gets a status; a file is cut off */
	FILL,	     /* zeros or ones */
	ANY = 0x40,  /* in any word, not only in those that say something */
	INFO = 0x80, /* in the text of VMCOREINFO */
};

/* One of @count, by a number of any size. */
static size_t one_of(uint64_t number, size_t count)
{
	return count ? number % count : 0;
}

static uint64_t page_address(const struct specimen *self, uint64_t number)
{
	return self->addresses[one_of(number, self->pages.size >> PAGE_LG2)];
}

static uint64_t changed(const struct specimen *self, const struct bytes *bytes, uint8_t what,
			uint64_t word, uint64_t value)
{
	uint64_t other = 0;

	switch (what & WHAT_MASK) {
	case SET:
		return value;
	case EXCLUSIVE_OR:
		return word ^ value;
	case FLIP:
		return word ^ 1ULL << value % 64;
	case ADD:
		return word + (uint64_t)(int64_t)(int8_t)value;
	case COPY:
		memcpy(&other, bytes->data + bytes->words[one_of(value, bytes->word_count)], WORD);
		return other;
	case LEAD:
		return (word & ~0x000ffffffffff000ULL) | page_address(self, value);
	default:
		return value & 1 ? ~0ULL : 0;
	}
}

static void take_away(struct specimen *self, enum specimen_form form, uint32_t place,
		      uint64_t value)
{
	const uint32_t page = (uint32_t)one_of(place, self->pages.size >> PAGE_LG2);

	if (form != FORM_MEMORY) {
		self->cut = 1 + one_of(place, self->files[form].size);
		self->cut_form = form;
		return;
	}
	if (self->changed_status_count == CHANGES_MAX)
		return;
	self->status[page] = (uint8_t)(value % (BLOCK_DAMAGED + 1));
	self->changed_status[self->changed_status_count++] = page;
}

static void change_once(struct specimen *self, enum specimen_form form, struct input *input)
{
	const uint8_t what = input_u8(input);
	const uint32_t place = (uint32_t)input_bytes(input, 4);
	const uint64_t value = input_u64(input);
	struct bytes *bytes = form != FORM_MEMORY ? &self->files[form]
			      : what & INFO	  ? &self->info
						  : &self->pages;
	uint64_t word = 0;

	if ((what & WHAT_MASK) == TAKE_AWAY) {
		take_away(self, form, place, value);
		return;
	}
	if (self->change_count == CHANGES_MAX || bytes->word_count == 0)
		return;
	uint8_t *at = bytes->data + (what & ANY ? one_of(place, bytes->size / WORD) * WORD
						: bytes->words[one_of(place, bytes->word_count)]);
	memcpy(&word, at, WORD);
	self->changes[self->change_count++] = (struct change){ at, word };
	word = changed(self, bytes, what, word, value);
	memcpy(at, &word, WORD);
}

void specimen_change(struct specimen *specimen, enum specimen_form form, struct input *input)
{
	if (form != FORM_MEMORY && !specimen->originals[form])
		load_file(specimen, form);
	while (input->size)
		change_once(specimen, form, input);
	if (specimen->cut)
		REQUIRE(ftruncate(specimen->fds[form], (off_t)specimen->cut) == 0);
}

static void restore_cut(struct specimen *self)
{
	const size_t size = self->files[self->cut_form].size;

	REQUIRE(ftruncate(self->fds[self->cut_form], (off_t)size) == 0);
	memcpy(self->files[self->cut_form].data + self->cut,
	       self->originals[self->cut_form] + self->cut, size - self->cut);
	self->cut = 0;
}

void specimen_restore(struct specimen *specimen)
{
	if (specimen->cut)
		restore_cut(specimen);
	while (specimen->change_count) {
		const struct change *change = &specimen->changes[--specimen->change_count];

		memcpy(change->at, &change->before, WORD);
	}
	while (specimen->changed_status_count)
		specimen->status[specimen->changed_status[--specimen->changed_status_count]] =
			BLOCK_OK;
}

/* ---- The memory of FORM_MEMORY ---- */

struct specimen_memory {
	struct memory memory;
	struct specimen *specimen;
};

static enum block_status specimen_probe(struct memory *memory, uint64_t phys)
{
	const struct specimen *self = ((struct specimen_memory *)memory)->specimen;
	const uint64_t frame = phys >> PAGE_LG2;

	if (frame < self->frames && self->index[frame] != NO_PAGE)
		return (enum block_status)self->status[self->index[frame] - 1];
	for (size_t i = 0; i < self->ram_count; i++) {
		if (phys >= self->ram[i].start && phys < self->ram[i].end)
			return BLOCK_MISSING;
	}
	return BLOCK_OUTSIDE;
}

/* The bytes of page @phys and behind it, or NULL. */
static uint8_t *page_at(struct specimen_memory *self, uint64_t phys, enum block_status *status)
{
	struct specimen *specimen = self->specimen;

	*status = specimen_probe(&self->memory, phys);
	if (*status != BLOCK_OK)
		return NULL;
	const size_t page = specimen->index[phys >> PAGE_LG2] - 1;
	specimen->touched[page] = true;
	return specimen->pages.data + (page << PAGE_LG2) + (phys & (PAGE_BYTES - 1));
}

static void read_one(struct specimen_memory *self, struct block_request *request)
{
	request->bytes = request->data;
	request->status = BLOCK_OK;
	for (uint32_t done = 0, piece = 0; done < request->len; done += piece) {
		const uint64_t phys = request->phys + done;
		const uint8_t *bytes = page_at(self, phys, &request->status);

		if (!bytes)
			return;
		piece = PAGE_BYTES - (phys & (PAGE_BYTES - 1));
		if (piece > request->len - done)
			piece = request->len - done;
		memcpy((char *)request->data + done, bytes, piece);
	}
}

static void specimen_read(struct memory *memory, struct block_request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		read_one((struct specimen_memory *)memory, &requests[i]);
}

/* What lies in one page, or in pages that are kept in a row, stays where it is. */
static void specimen_fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	struct specimen_memory *self = (struct specimen_memory *)memory;

	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];
		const uint8_t *first = page_at(self, request->phys, &request->status);
		bool row = first && request->phys % WORD == 0;
		uint32_t done = PAGE_BYTES - (request->phys & (PAGE_BYTES - 1));

		for (; row && done < request->len; done += PAGE_BYTES)
			row = page_at(self, request->phys + done, &request->status) == first + done;
		if (row)
			request->bytes = first;
		else
			read_one(self, request);
	}
}

static bool specimen_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	const struct specimen *self = ((struct specimen_memory *)memory)->specimen;

	for (size_t i = 0; i < self->ram_count; i++) {
		if (self->ram[i].end > from) {
			*start = self->ram[i].start;
			*end = self->ram[i].end;
			return true;
		}
	}
	return false;
}

static void specimen_destroy(struct memory *memory)
{
	free(memory);
}

static const struct memory_ops specimen_ops = {
	.name = "specimen",
	.read = specimen_read,
	.fetch = specimen_fetch,
	.probe = specimen_probe,
	.next_ram = specimen_next_ram,
	.destroy = specimen_destroy,
};

struct error *specimen_open(struct specimen *specimen, enum specimen_form form, unsigned int flags,
			    struct memory **ret)
{
	char path[64];

	if (form != FORM_MEMORY) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", specimen->fds[form]);
		return memory_open(path, flags, ret);
	}
	struct specimen_memory *self = allocate(1, sizeof(*self));
	self->memory = specimen->about;
	self->memory.ops = &specimen_ops;
	self->memory.borrowed = true;
	self->memory.concurrent = true;
	if (self->memory.vmcoreinfo)
		self->memory.vmcoreinfo = (char *)specimen->info.data;
	self->specimen = specimen;
	*ret = &self->memory;
	return NULL;
}
