// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Stop the guest under Bochs. `xchg %bx,%bx` is its magic break; anywhere else it does nothing.
 * The debugger then goes on to a breakpoint in the kernel, which this enters next.
 *
 * usage: stop-here		pause for ever
 *        stop-here panic	panic by sysrq-c
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argv;
	int sysrq = argc > 1 ? open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC) : -1;

	for (;;) {
		__asm__ volatile("xchg %bx, %bx");
		if (sysrq >= 0 && write(sysrq, "c", 1) < 0)
			return 1;
		syscall(SYS_pause);
	}
}
