/* SPDX-FileCopyrightText: 2026 The ovm.messaging authors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A wall clock that can be set for some processes only.
 *
 * Preloaded (LD_PRELOAD) it adds to the time of day what the file that FAKECLOCK names holds:
 * seconds, as a number of 64 bits, which may change at any time. The monotonic clock is left alone,
 * as it is when somebody sets the clock of a system.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const volatile int64_t *offset;

__attribute__((constructor)) static void map_offset(void)
{
	const char *path = getenv("FAKECLOCK");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *found;

	if (file < 0)
		return;
	found = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
	if (found != MAP_FAILED)
		offset = found;
	close(file);
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = syscall(SYS_clock_gettime, clock, now);

	if (!result && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return result;
}

EXPORT int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &exact))
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

EXPORT time_t time(time_t *kept)
{
	struct timespec exact;

	if (clock_gettime(CLOCK_REALTIME, &exact))
		return -1;
	if (kept)
		*kept = exact.tv_sec;
	return exact.tv_sec;
}
